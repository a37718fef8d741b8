"""Rule files of a pack: the shipped table, and mistakes with file and line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.pack_kit import RETAIL
from tests.rules_kit import KNOWN, row, tree
from yingda.decide.rules import KnownNames, RuleSet, compile_rules, known_names
from yingda.domain.decision import Outcome
from yingda.domain.errors import PackError
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Action, Clock, RuleInput
from yingda.pack import read_knowledge
from yingda.pack.mistakes import MistakeLog
from yingda.pack.rules import read_rules


@pytest.fixture(scope="module")
def known() -> KnownNames:
    return known_names(read_knowledge(RETAIL))


@pytest.fixture(scope="module")
def shipped(known: KnownNames) -> RuleSet:
    return compile_rules((RETAIL / "rules" / "rules.json").read_text("utf-8"), known=known)


def mistakes(root: Path, known: KnownNames | None = KNOWN) -> list[str]:
    log = MistakeLog()
    read_rules(root, log, known=known)
    try:
        log.raise_if_any()
    except PackError as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


def write(root: Path, name: str, text: str | bytes) -> Path:
    (root / "rules").mkdir(exist_ok=True)
    (root / "rules" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def test_the_shipped_table_has_no_flaw(shipped: RuleSet, known: KnownNames) -> None:
    assert shipped.findings == ()
    assert 15 <= len(shipped.rules) <= 25
    assert all(rule.description for rule in shipped.rules)
    assert mistakes(RETAIL, known) == []


def test_the_shipped_table_changes_no_outcome(shipped: RuleSet) -> None:
    assert {rule.outcome.action for rule in shipped.rules} == {Action.NONE}


def test_an_ordinary_question_fires_no_shipped_rule(shipped: RuleSet, known: KnownNames) -> None:
    day = Clock(10, 2, False, True)
    for intent, outcome in itertools.product(("ORDER_LOGISTICS", "PRODUCT_INFO", "GENERAL_GREETING"), Outcome):
        seen = RuleInput(intent, known.intents[intent], outcome, channel=Channel.WECHAT, clock=day)
        assert shipped.evaluate(seen).rows == ()


def test_a_vip_complaint_outranks_everything_but_vip_security(shipped: RuleSet) -> None:
    night = Clock(23, 7, True, False)
    worst = {"tier": Tier.VIP, "sentiment": Sentiment.ANGRY, "clock": night, "repeats": 5, "channel": Channel.EMAIL}
    complaint = RuleInput("COMPLAINT_SERVICE", "COMPLAINT", Outcome.HANDOFF, **worst)  # type: ignore[arg-type]
    security = RuleInput("ACCOUNT_SECURITY", "ACCOUNT", Outcome.HANDOFF, **worst)  # type: ignore[arg-type]
    outcome = shipped.evaluate(complaint)
    assert (outcome.rows, outcome.priority, outcome.skill) == (("vip-complaint",), Priority.HIGH, None)
    assert outcome.notify == ("supervisor",)
    assert shipped.evaluate(security).rows == ("vip-security",)


def test_the_editor_can_open_the_shipped_table() -> None:
    """The fields that the visual editor's own schema requires of a decision."""
    top = json.loads((RETAIL / "rules" / "rules.json").read_text("utf-8"))
    assert {node["type"] for node in top["nodes"]} == {"inputNode", "decisionTableNode", "outputNode"}
    assert all({"id", "name", "position"} <= set(node) for node in top["nodes"])
    assert all({"id", "type", "sourceId", "targetId"} <= set(edge) and edge["type"] == "edge" for edge in top["edges"])
    content = next(node["content"] for node in top["nodes"] if node["type"] == "decisionTableNode")
    columns = {column["id"] for column in (*content["inputs"], *content["outputs"])}
    assert all(set(rule) == {"_id", "_description", *columns} for rule in content["rules"])
    assert all(isinstance(cell, str) for rule in content["rules"] for cell in rule.values())


def test_a_pack_without_rules_has_none(tmp_path: Path) -> None:
    log = MistakeLog()
    assert read_rules(tmp_path, log, known=KNOWN) == ()
    log.raise_if_any()


def test_rule_files_come_in_order_of_their_names_with_their_digests(tmp_path: Path) -> None:
    text = json.dumps(tree([row("r", tier="'vip'", priority="'high'")]))
    write(write(tmp_path, "20-b.json", text), "10-a.json", "\ufeff" + text)
    found = read_rules(tmp_path, MistakeLog(), known=KNOWN)
    assert [document.name for document in found] == ["rules/10-a.json", "rules/20-b.json"]
    assert found[0].digest == found[1].digest and len(found[0].digest) == 64


def test_mistakes_name_file_and_line(tmp_path: Path) -> None:
    rows = [row("a", tier="'vip'", priority="'high'"), row("b", tier="'gold'", skill="'nobody'")]
    text = json.dumps(tree(rows), indent=1)
    line = text[: text.index('"_id": "b"')].count("\n") + 1
    found = mistakes(write(tmp_path, "rules.json", text))
    assert [mistake.partition(": ")[0] for mistake in found] == [f"rules/rules.json:{line}"] * 2
    assert "row 2 ('b'), column 'skill': unknown skill group 'nobody'" in found[0]


def test_a_conflict_in_a_pack_is_a_mistake(tmp_path: Path) -> None:
    rows = [row("all", priority="'high'"), row("vip", tier="'vip'", priority="'high'", skill="'order'")]
    found = mistakes(write(tmp_path, "rules.json", json.dumps(tree(rows))))
    assert len(found) == 1 and found[0].startswith("rules/rules.json:1: row 'vip' never fires")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "not UTF-8"), (b"{\n\n]", "rules.json:3: rule file: not valid JSON"), (b" " * 1_100_000, "larger than")],
)
def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path, content: bytes, reason: str) -> None:
    (found,) = mistakes(write(tmp_path, "rules.json", content))
    assert reason in found


def test_without_known_names_the_structure_alone_is_checked(tmp_path: Path) -> None:
    write(tmp_path, "a.json", json.dumps(tree([row("a", tier="'gold'")])))
    write(tmp_path, "b.json", "[]")
    (found,) = mistakes(tmp_path, None)
    assert found.startswith("rules/b.json:1: rule file: expected a mapping")
