"""What decision tables decide, and which flaws of theirs are found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.rules_kit import KNOWN, row, seen, written
from yingda.decide.rules import Finding, Flaw, combined, compile_rules, crossings
from yingda.decide.rules.columns import input_columns
from yingda.decide.rules.findings import Judged, examine
from yingda.decide.rules.space import Cells, Space
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Action, Clock, RuleOutcome

NOON = Clock(hour=12, weekday=3, holiday=False, open=True)
NIGHT = Clock(hour=23, weekday=7, holiday=True, open=False)


def findings(*rows: dict[str, str]) -> list[tuple[Flaw, str, tuple[str, ...]]]:
    return [(found.flaw, found.row, found.others) for found in compile_rules(written(rows), known=KNOWN).findings]


def only(*rows: dict[str, str]) -> Finding:
    (found,) = compile_rules(written(rows), known=KNOWN).findings
    return found


def test_the_first_row_that_holds_decides() -> None:
    rules = compile_rules(
        written(
            [
                row("vip-rude", tier="'vip'", category="'COMPLAINT'", priority="'high'", skill="'complaint'", notify="['supervisor']"),
                row("rude", category="'COMPLAINT'", priority="'high'", tags="['投诉', '跟进']", template="'V1.0-物流查询模板'"),
                row("ship", intent="'SHIP'", priority="'low'", action="'answer'"),
            ]
        ),
        known=KNOWN,
    )
    rude = seen(intent="RUDE", category="COMPLAINT")
    assert rules.evaluate(seen(intent="RUDE", category="COMPLAINT", tier=Tier.VIP)) == RuleOutcome(
        priority=Priority.HIGH, skill="complaint", notify=("supervisor",), rows=("vip-rude",)
    )
    assert rules.evaluate(rude) == RuleOutcome(priority=Priority.HIGH, template="V1.0-物流查询模板", tags=("投诉", "跟进"), rows=("rude",))
    assert rules.evaluate(seen()) == RuleOutcome(action=Action.ANSWER, priority=Priority.LOW, rows=("ship",))
    assert rules.evaluate(seen(intent="STEAL", category="ACCOUNT")) == RuleOutcome()


@pytest.mark.parametrize(
    ("field", "cell", "yes", "no"),
    [
        ("tier", "'vip', \"potential\"", {"tier": Tier.VIP}, {"tier": Tier.NORMAL}),
        ("tier", "!= 'vip'", {"tier": Tier.NORMAL}, {"tier": Tier.VIP}),
        ("intent", "not in ['SHIP', 'CANCEL']", {"intent": "RUDE", "category": "COMPLAINT"}, {}),
        ("category", "in ['ORDER']", {}, {"intent": "RUDE", "category": "COMPLAINT"}),
        ("sentiment", "== 'angry'", {"sentiment": Sentiment.ANGRY}, {"sentiment": Sentiment.NEGATIVE}),
        ("channel", "'email'", {"channel": Channel.EMAIL}, {}),
        ("keywords", "contains($, '投诉') or contains($, '退款')", {"keywords": ("发票", "退款")}, {"keywords": ("发票",)}),
        ("keywords", "contains($, '投诉') and not contains($, '退款')", {"keywords": ("投诉",)}, {"keywords": ("投诉", "退款")}),
        ("hour", ">= 22, < 8", {"clock": NIGHT}, {"clock": NOON}),
        ("hour", "[9..12)", {"clock": Clock(9, 1, False, True)}, {"clock": NOON}),
        ("hour", "[0..23]", {"clock": NOON}, {"clock": None}),
        ("weekday", "6, 7", {"clock": NIGHT}, {"clock": NOON}),
        ("holiday", "true", {"clock": NIGHT}, {"clock": None}),
        ("open", "false", {"clock": NIGHT}, {"clock": None}),
        ("repeats", ">= 3", {"repeats": 1000}, {"repeats": 2}),
        ("dissatisfied", "> 0 and <= 2", {"dissatisfied": 2}, {"dissatisfied": 3}),
        ("undecided", "not in (0..2]", {"undecided": 0}, {"undecided": 2}),
        ("out_of_scope", "in [2, 3]", {"out_of_scope": 3}, {"out_of_scope": 4}),
        ("standing", "true", {"standing": True}, {}),
        ("outcome", "'answered'", {}, {"outcome": Outcome.CLARIFY}),
        ("confidence", ">= 0.8", {"confidence": 0.8}, {"confidence": 0.7999}),
        ("confidence", "0.57", {"confidence": 0.57}, {"confidence": 0.569}),
    ],
)
def test_a_cell_holds_as_it_reads(field: str, cell: str, yes: dict[str, object], no: dict[str, object]) -> None:
    rules = compile_rules(written([row("r", {field: cell}, priority="'high'")]), known=KNOWN)
    assert rules.evaluate(seen(**yes)).rows == ("r",)
    assert rules.evaluate(seen(**no)).rows == ()


def test_words_that_no_cell_names_ask_for_no_further_run() -> None:
    rules = compile_rules(written([row("r", keywords="contains($, '投诉') and not contains($, '退款')", priority="'high'")]), known=KNOWN)
    for words in (("投诉",), ("投诉", "发票"), ("物流", "投诉"), ("投诉", "退款"), ("退款", "发票", "投诉"), (), ("发票",)):
        assert (rules.evaluate(seen(keywords=words)).rows == ("r",)) is ("投诉" in words and "退款" not in words)
    assert rules._rule_of.cache_info().misses == 4  # one for each order of the words that are named


def test_a_row_covered_by_the_rows_above_is_shadowed_and_shown() -> None:
    found = only(
        row("vip", tier="'vip'", priority="'high'"),
        row("others", tier="'normal', 'potential'", priority="'medium'"),
        row("late", sentiment="'angry'", tier="!= 'potential'", priority="'low'"),
    )
    assert (found.flaw, found.row, found.others, found.blocks) == (Flaw.SHADOWED, "late", ("vip", "others"), True)
    assert found.example is not None and found.example.seen.sentiment is Sentiment.ANGRY
    assert "规则「late」永远轮不到" in found.zh and "普通客户在微信上说「发货时间」的事，情绪愤怒" in found.zh
    assert found.en.startswith("row 'late' never fires: rows 'vip', 'others' above")


def test_a_known_and_an_unknown_time_together_are_every_time() -> None:
    day, night = row("open", open="true", priority="'high'"), row("closed", open="false", priority="'high'")
    assert findings(day, night, row("rest", priority="'low'")) == []
    assert findings(day, night, row("hours", hour="[0..23]", priority="'low'")) == [(Flaw.SHADOWED, "hours", ("open", "closed"))]


@pytest.mark.parametrize(
    "cells",
    [
        {"hour": "[22..6]"},
        {"category": "'COMPLAINT'", "intent": "'SHIP'"},
        {"keywords": "contains($, '投诉') and not contains($, '投诉')"},
        {"confidence": "> 1"},
        {"repeats": "< 0"},
    ],
)
def test_a_row_that_holds_for_nothing_is_unreachable(cells: dict[str, str]) -> None:
    found = only(row("never", cells, tier="'vip'", priority="'high'"), row("rest", priority="'low'"))
    assert (found.flaw, found.row, found.blocks) == (Flaw.UNREACHABLE, "never", True)
    assert found.example is not None and found.example.seen.tier is Tier.VIP
    assert "规则「never」的条件不可能同时成立，请修改或删除，连最接近的消息也不符合：VIP 客户" in found.zh
    assert "not even for the nearest message: VIP 客户" in found.en


def test_a_row_for_everybody_above_a_vip_row_is_a_conflict() -> None:
    found = only(
        row("rude", category="'COMPLAINT'", priority="'high'", skill="'complaint'"),
        row("vip", tier="'vip'", priority="'high'", notify="'supervisor'"),
    )
    assert (found.flaw, found.row, found.others) == (Flaw.CONFLICT, "vip", ("rude",))
    assert found.zh == "规则「vip」比上面的「rude」更紧急，却会被它盖住，请上移，例如：VIP 客户在微信上说「投诉客服」的事"


def test_a_lower_priority_above_a_higher_one_is_a_conflict() -> None:
    low, high = row("mail", channel="'email'", tags="'邮件'"), row("rude", category="'COMPLAINT'", priority="'high'")
    assert findings(low, high) == [(Flaw.CONFLICT, "rude", ("mail",))]
    assert findings(high, low) == []


def test_a_row_that_closes_the_gap_above_settles_the_conflict() -> None:
    both = row("vip-rude", tier="'vip'", category="'COMPLAINT'", priority="'high'")
    rude = row("rude", category="'COMPLAINT'", priority="'high'")
    assert findings(both, rude, row("vip", tier="'vip'", priority="'high'", notify="'supervisor'")) == []


def test_equally_urgent_rows_that_contradict_are_told_and_do_not_block() -> None:
    found = only(
        row("angry", sentiment="'angry'", priority="'high'", skill="'complaint'"),
        row("ship", intent="'SHIP'", priority="'high'", skill="'order'"),
    )
    assert (found.flaw, found.row, found.blocks) == (Flaw.EQUAL_URGENCY, "ship", False)


def test_rows_that_set_the_same_do_not_conflict() -> None:
    assert findings(row("all", repeats=">= 1", priority="'high'"), row("vip", tier="'vip'", priority="'high'")) == []


def test_what_takes_too_long_to_prove_is_said_not_to_be_proven() -> None:
    columns = input_columns(KNOWN)
    cells = [Cells({}), Cells({"tier": 1})]
    rows = [Judged(f"r{n}", each, RuleOutcome(rows=(f"r{n}",))) for n, each in enumerate(cells)]
    space = Space([columns["tier"]], cells, KNOWN, columns["intent"])
    assert [found.flaw for found in examine(rows, space, KNOWN).findings] == [Flaw.SHADOWED]
    assert [found.flaw for found in examine(rows, space, KNOWN, steps=0).findings] == [Flaw.NOT_PROVEN]


def test_a_higher_outcome_is_filled_from_a_lower_one_and_never_overridden() -> None:
    high = RuleOutcome(priority=Priority.HIGH, tags=("VIP",), rows=("a",))
    low = RuleOutcome(Action.HANDOFF, Priority.LOW, "order", None, ("VIP", "邮件"), ("supervisor",), ("b",))
    assert high.filled_from(low) == RuleOutcome(Action.HANDOFF, Priority.HIGH, "order", None, ("VIP", "邮件"), ("supervisor",), ("a", "b"))


def test_the_most_urgent_row_decides_whatever_file_it_stands_in() -> None:
    general = compile_rules(written([row("general", category="'COMPLAINT'", priority="'low'", skill="'account'", tags="'a'")]), known=KNOWN)
    vip = compile_rules(written([row("vip", tier="'vip'", priority="'high'", skill="'complaint'", tags="'b'")]), known=KNOWN)
    rude = seen(intent="RUDE", category="COMPLAINT", tier=Tier.VIP)
    wanted = RuleOutcome(priority=Priority.HIGH, skill="complaint", tags=("b", "a"), rows=("vip", "general"))
    assert combined([general, vip], rude) == combined([vip, general], rude) == wanted
    assert combined([general, vip], seen()) == RuleOutcome()


def test_of_equally_urgent_rows_the_earlier_file_decides() -> None:
    files = [compile_rules(written([row(name, priority="'low'", skill=f"'{name}'")]), known=KNOWN) for name in ("order", "account")]
    assert combined(files, seen()).skill == "order"
    assert combined(files[::-1], seen()).skill == "account"


def test_a_less_urgent_row_of_an_earlier_file_is_a_conflict_with_an_example() -> None:
    general = compile_rules(written([row("general", category="'COMPLAINT'", priority="'low'", skill="'account'")]), known=KNOWN)
    vip = compile_rules(written([row("vip", tier="'vip'", priority="'high'", skill="'complaint'")]), known=KNOWN)
    (found,) = crossings({"a": general, "b": vip}, KNOWN)
    assert (found.file, found.finding.flaw, found.finding.row, found.finding.others) == ("b", Flaw.CONFLICT, "vip", ("a: general",))
    assert found.finding.blocks and found.finding.example is not None
    assert combined([general, vip], found.finding.example.seen).rows == ("vip", "general")
    assert crossings({"a": vip, "b": general}, KNOWN) == ()
    assert [each.finding.flaw for each in crossings({"a": general, "b": vip}, KNOWN, steps=0)] == [Flaw.NOT_PROVEN]


def test_an_examination_takes_no_more_steps_than_it_is_given() -> None:
    columns = input_columns(KNOWN)
    cells = [Cells({"tier": 1 << n % 3, "repeats": (1 << 101) - 1 ^ 1 << n}) for n in range(60)]
    rows = [Judged(f"r{n}", each, RuleOutcome(rows=(f"r{n}",))) for n, each in enumerate(cells)]
    space = Space([columns["tier"], columns["repeats"]], cells, KNOWN, columns["intent"])
    for allowed in (10, 100, 1000):
        assert examine(rows, space, KNOWN, steps=allowed).left >= 0
        assert any(found.flaw is Flaw.NOT_PROVEN for found in examine(rows, space, KNOWN, steps=allowed).findings)


def test_a_file_is_compiled_once_for_the_same_names() -> None:
    text = written([row("r", tier="'vip'", priority="'high'")])
    assert compile_rules(text, known=KNOWN) is compile_rules(text, known=replace(KNOWN))
    assert compile_rules(text, known=KNOWN) is not compile_rules(text, known=replace(KNOWN, skills=frozenset({"order"})))
