"""The comparison as one structure: a file for programs, a page to read, a screen to glance at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.bootstrap import RESAMPLES, SEED
from evaluation.comparison import LOWER_IS_BETTER, Change, Difference, Duel, Part, Sent
from evaluation.gates import GateResult, Verdict, overall
from evaluation.provenance import Environment
from evaluation.recommendation import Recommendation
from evaluation.reworded import Reworded
from evaluation.tables import table
from evaluation.turned import Handled, Turned
from yingda.domain.identity import ModelIdentity

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Contender:
    """A bundle, the digest of the knowledge it answered with, and how it went at the gates."""

    bundle: ModelIdentity
    knowledge: str
    gates: tuple[GateResult, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its gates."""
        return overall(self.gates)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was found; ``files`` maps each test file to its SHA-256, the last of ``parts`` holds all messages.

    ``behaviour`` are the parts of robustness and conversations, ``turned`` the tests there that are handled otherwise.
    ``reworded`` are messages and turns with the same outcome and entry and another reply.
    """

    champion: Contender
    candidate: Contender
    files: Mapping[str, str]
    parts: tuple[Part, ...]
    duels: tuple[Duel, ...]
    changes: tuple[Change, ...]
    recommendation: Recommendation
    environment: Environment
    behaviour: tuple[Part, ...] = ()
    turned: tuple[Turned, ...] = ()
    reworded: tuple[Reworded, ...] = ()


def to_json(found: Comparison) -> str:
    """The comparison for programs; the same whenever bundles and files are, but for ``run``."""
    tree = {
        "recommendation": found.recommendation.advice,
        "reasons": list(found.recommendation.reasons),
        "champion": _contender(found.champion),
        "candidate": _contender(found.candidate),
        "files": dict(found.files),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "assurance": 0.95},
        "parts": {part.name: _part(part) for part in found.parts},
        "duels": [_duel(duel) for duel in found.duels],
        "changed": len(found.changes),
        "changes": [_change(change) for change in found.changes],
        "reworded": len(found.reworded),
        "rewordings": [_rewording(one) for one in found.reworded],
        "behaviour": {part.name: _part(part) for part in found.behaviour},
        "turned": [_turned(turned) for turned in found.turned],
        "run": {"commit": found.environment.commit, "python": found.environment.python},
    }
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def to_markdown(found: Comparison) -> str:
    """The whole comparison as Markdown."""
    lines = [*_head(found), *_gates(found)]
    for part in (found.parts[-1], *found.parts[:-1]):
        lines += [f"## {part.name} ({part.rows} messages)\n", *table(_TITLES, (_cells(d) for d in part.differences.values()))]
    return (
        "\n".join(
            [
                *lines,
                *_behaviour(found),
                *_duels(found.duels),
                *_changes(found.changes),
                *_reworded(found.reworded),
                *_handled_otherwise(found.turned),
            ]
        )
        + "\n"
    )


def to_screen(found: Comparison, page: Path) -> str:
    """Who stood against whom, the figures of all messages together, and the advice with its reasons."""
    together = found.parts[-1]
    lines = [
        f"champion  {_name(found.champion)}: gates {found.champion.verdict}",
        f"candidate {_name(found.candidate)}: gates {found.candidate.verdict}",
        "",
        f"{f'{together.rows} messages':<25}{'champion':>10}{'candidate':>11}{'difference':>12}  95 % interval",
    ]
    lines += [_line(difference) for part in (together, *found.behaviour) for difference in part.differences.values()]
    changed = f"{len(found.changes)} of {together.rows} answers change"
    if found.behaviour:
        changed += f", and {len(found.turned)} turns, cases and perturbed messages"
    words = f"{len(found.reworded)} replies have the same entry and other words"
    lines += ["", changed, f"{words}; all of them in {page}", ""]
    lines += [found.recommendation.advice.value, *(f"- {reason}" for reason in found.recommendation.reasons)]
    return "\n".join(lines) + "\n"


def _line(difference: Difference) -> str:
    name, *figures, interval = _cells(difference)
    return f"{name:<25}{figures[0]:>10}{figures[1]:>11}{figures[2]:>12}  {interval}"


_TITLES = ("metric", "champion", "candidate", "difference", "95 % interval")


def _head(found: Comparison) -> Iterator[str]:
    yield f"# Comparison: {found.recommendation.advice}\n"
    yield from (f"- {reason}" for reason in found.recommendation.reasons)
    yield ""
    titles = ("", "version", "SHA-256", "knowledge", "gates")
    contenders = {"champion (A)": found.champion, "candidate (B)": found.candidate}
    yield from table(
        titles, ((name, c.bundle.version, f"`{c.bundle.sha256}`", f"`{c.knowledge}`", c.verdict.value) for name, c in contenders.items())
    )
    yield f"Differences are candidate minus champion; the interval is the middle 95 % of {RESAMPLES:,} paired bootstrap"
    yield "resamples of the messages (Efron & Tibshirani 1993; Koehn 2004). For `wrong_automatic_answers` lower is better.\n"
    yield from table(("file", "SHA-256"), ((name, f"`{digest}`") for name, digest in found.files.items()))


def _gates(found: Comparison) -> Iterator[str]:
    yield "## Gates\n"
    ours, theirs = ({str(each.gate): f"{each.verdict}: {each.detail}" for each in one.gates} for one in (found.champion, found.candidate))
    # the candidate alone is asked what it was trained on: the champion was, when it was the candidate
    rows = ((name, ours.get(name, "not asked"), theirs.get(name, "not asked")) for name in dict.fromkeys((*ours, *theirs)))
    yield from table(("gate", "champion", "candidate"), rows)


def _behaviour(found: Comparison) -> Iterator[str]:
    if not found.behaviour:
        return
    yield "## Robustness and conversations\n"
    yield "A change of wording counts where both had the message right before, so these figures may differ from those of an evaluation."
    yield "The intervals draw whole messages, cases and conversations (Davison & Hinkley 1997, 3.8).\n"
    for part in found.behaviour:
        yield f"### {part.name} ({part.rows})\n"
        yield from table(_TITLES, (_cells(difference) for difference in part.differences.values()))


def _duels(found: Sequence[Duel]) -> Iterator[str]:
    yield "## Wins and losses by intent\n"
    yield "Messages that only one of the two gets right; intents without any are left out. p is McNemar's exact test, not"
    yield "corrected for the number of intents: with dozens of them a few fall below 0.05 by chance.\n"
    titles = ("metric", "intent", "messages", "only candidate right", "only champion right", "p")
    at_stake = (duel for duel in found if duel.wins + duel.losses)
    yield from table(titles, ((d.metric, d.intent, str(d.rows), str(d.wins), str(d.losses), f"{d.p:.3f}") for d in at_stake))


def _changes(found: Sequence[Change]) -> Iterator[str]:
    yield f"## Changed answers: {len(found)}\n"
    yield "Texts are shown for the pack's own messages alone.\n"
    rows = ((c.place, c.text or "", c.label or "none", _said(c.champion), _said(c.candidate)) for c in found)
    yield from table(("where", "text", "label", "champion", "candidate"), rows)


def _reworded(found: Sequence[Reworded]) -> Iterator[str]:
    if not found:
        return
    yield f"## Same entry, other words: {len(found)} replies\n"
    yield "The outcome and the entry are the same and the reply is not. Read them: no figure above judges wording.\n"
    rows = ((one.place, one.text or "", one.came, one.champion or "", one.candidate or "") for one in found)
    yield from table(("where", "text", "what came", "champion", "candidate"), rows)


def _handled_otherwise(found: Sequence[Turned]) -> Iterator[str]:
    if not found:
        return
    yield f"## Handled otherwise: {len(found)} turns, cases and perturbed messages\n"
    rows = ((t.kind, t.place, t.before or "–", t.text, _handled(t.champion), _handled(t.candidate)) for t in found)
    yield from table(("kind", "where", "before", "asked", "champion", "candidate"), rows)


def _handled(handled: Handled) -> str:
    return f"{handled.came} ({'as expected' if handled.right else 'not as expected'})"


def _said(sent: Sent) -> str:
    if sent.entry is None:
        return sent.outcome.value
    return f"{sent.entry} ({'right' if sent.right else 'wrong'})"


def _cells(difference: Difference) -> tuple[str, ...]:
    interval = difference.interval
    spread = "–" if interval is None else f"[{interval.low:+.3f}, {interval.high:+.3f}]"
    mark = " better" if difference.is_gain else " worse" if difference.is_loss else ""
    change = "–" if difference.value is None else f"{difference.value:+.3f}"
    return (difference.metric, _figure(difference.champion), _figure(difference.candidate), change, spread + mark)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _name(contender: Contender) -> str:
    return f"{contender.bundle.version} ({contender.bundle.sha256[:12]}, knowledge {contender.knowledge[:12]})"


def _contender(contender: Contender) -> dict[str, Any]:
    gates = [{"gate": str(r.gate), "verdict": r.verdict, "detail": r.detail} for r in contender.gates]
    bundle = {"version": contender.bundle.version, "sha256": contender.bundle.sha256}
    return {"bundle": bundle, "knowledge": contender.knowledge, "verdict": contender.verdict, "gates": gates}


def _part(part: Part) -> dict[str, Any]:
    return {"rows": part.rows, "differences": {name: _difference(d) for name, d in part.differences.items()}}


def _difference(difference: Difference) -> dict[str, Any]:
    interval = difference.interval
    return {
        "champion": _rounded(difference.champion),
        "candidate": _rounded(difference.candidate),
        "difference": _rounded(difference.value),
        "low": None if interval is None else _rounded(interval.low),
        "high": None if interval is None else _rounded(interval.high),
        "resamples": 0 if interval is None else interval.resamples,
        "better": "lower" if difference.metric in LOWER_IS_BETTER else "higher",
    }


def _duel(duel: Duel) -> dict[str, Any]:
    fields = {"metric": duel.metric, "intent": duel.intent, "rows": duel.rows, "wins": duel.wins, "losses": duel.losses}
    return {**fields, "p": _rounded(duel.p)}


def _change(change: Change) -> dict[str, Any]:
    texts = {} if change.text is None else {"text": change.text}
    sides = {"champion": _sent(change.champion), "candidate": _sent(change.candidate)}
    return {"place": change.place, **texts, "label": change.label, **sides}


def _rewording(one: Reworded) -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if value is not None}


def _turned(turned: Turned) -> dict[str, Any]:
    fields = {"kind": turned.kind, "place": turned.place, "before": turned.before, "text": turned.text}
    return fields | {name: asdict(side) for name, side in (("champion", turned.champion), ("candidate", turned.candidate))}


def _sent(sent: Sent) -> dict[str, Any]:
    return {"outcome": sent.outcome, "entry": sent.entry, "right": sent.right}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
