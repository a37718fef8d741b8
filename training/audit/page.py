"""``audit.html``: one file that needs nothing else, for screen, phone and paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from training.audit.charts import quality_chart, rivals_chart, shift_chart, strength_chart
from training.audit.crossfit import Effort
from training.audit.findings import Findings
from training.audit.labels import Suspect
from yingda.domain.knowledge import Knowledge
from yingda.retrieve.space import NONE_PREFIX

SIGNIFICANT = 0.01
"""Share of false discoveries among the intents that are called shifted."""
_TEMPLATE = "page.html.jinja"
_SHOWN = {"suspects": 60, "rivals": 15, "examples": 3, "wordings": 30, "copies": 30, "shifts": 25, "words": 40, "wanted": 60, "entries": 15}
_STABLE, _MOVED = 0.1, 0.25


@dataclass(frozen=True)
class Subject:
    """What was audited, and how."""

    knowledge: Knowledge
    pack: str
    effort: Effort
    near_duplicate: float
    seed: int

    def describe(self, label: str) -> str:
        """What ``label`` (entry, ``none:INTENT`` or intent) means, in the words of the pack."""
        if label in self.knowledge.faq:
            question = self.knowledge.faq[label].question
            return question.get("zh") or next(iter(question.values()))
        code = label.removeprefix(NONE_PREFIX)
        intent = self.knowledge.taxonomy.intents.get(code)
        name = intent.name("zh") if intent else code
        return f"{name} (no entry)" if label.startswith(NONE_PREFIX) else name


def to_page(found: Findings, subject: Subject) -> str:
    """The whole page; every text of a customer or a pack is escaped."""
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    charts = {
        "quality": quality_chart(found.qualities),
        "rivals": rivals_chart(found.rivals) if found.rivals else "",
        "shifts": shift_chart(found.shifts) if found.shifts else "",
        "strengths": strength_chart(found.strengths) if found.strengths else "",
    }
    fewest = sorted(found.strengths, key=lambda one: (one.messages, one.recall, one.entry))
    return environment.get_template(_TEMPLATE).render(
        found=found,
        subject=subject,
        describe=subject.describe,
        charts=charts,
        shown=_SHOWN,
        significant=SIGNIFICANT,
        verdict=stability_word(found.stability),
        fewest=fewest[: _SHOWN["entries"]],
        weakest=found.strengths[: _SHOWN["entries"]],
        shifted=[shift for shift in found.shifts if shift.adjusted is not None and shift.adjusted < SIGNIFICANT],
        suspects=_suspects(found),
        engine_used=found.asked > 0,
    )


def breakable(name: str) -> Markup:
    """``name`` escaped, with places where a narrow column may break it."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def _suspects(found: Findings) -> list[tuple[str, list[Suspect], bool]]:
    """Title, suspect labels, and whether the engine was asked, for logs and pack apart."""
    logs, pack = ([one for one in found.suspects if found.rows[one.row].is_log is side] for side in (True, False))
    return [*([("In the logs", logs, found.asked > 0)] if found.logs else []), ("In the pack", pack, False)]


def stability_word(index: float) -> str:
    """What the population stability index says, by the customary limits 0.1 and 0.25."""
    return "stable" if index < _STABLE else "moved" if index < _MOVED else "moved a lot"
