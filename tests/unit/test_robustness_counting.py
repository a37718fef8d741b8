"""What counts as a failure, and how failures are counted and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import evaluation
from evaluation.examination import Examination
from evaluation.gates import Verdict, check, read_gates
from evaluation.robustness.cases import Case, CaseKind
from evaluation.robustness.examine import examine_robustness, workload
from evaluation.robustness.fate import Failure, Fate
from evaluation.robustness.invariance import DRAWN, FEWEST_TESTS, Invariance, Perturbed, draw
from evaluation.robustness.metrics import METRICS
from evaluation.robustness.page import SHOWN, in_turn
from evaluation.robustness.perturbations import PERTURBATIONS, perturb
from evaluation.robustness.trials import Trial
from tests.fakes_evaluation import FakeEngine, Said, make_answer, make_judged, make_row
from yingda.domain.decision import Handoff, Outcome, Reason
from yingda.domain.knowledge import Intent, Priority, Sentiment, Taxonomy

GATES = Path(evaluation.__file__).with_name("gates.yaml")
WRONG = Said(entry="coupon-use")
SILENCED = {"accepted": False, "outcome": Outcome.CLARIFY}
SILENT = Said(accepted=False, outcome=Outcome.CLARIFY)
HANDED_OVER = Said(outcome=Outcome.HANDOFF)
NOTHING_KNOWN = Taxonomy(1, (), {})


@dataclass
class Ticks:
    """Counts its calls."""

    count: int = 0

    def __call__(self) -> None:
        self.count += 1


def perturbed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Perturbed:
    return Perturbed("emoji", make_judged(**before), make_judged(make_row("多久发货😊"), **after))


def trial(case: Case, *said: Said) -> Trial:
    return Trial(case, tuple(make_answer(one) for one in said))


@pytest.mark.parametrize(
    ("before", "after", "fate"),
    [
        ({}, {}, Fate.RIGHT),
        ({}, {"entry": "coupon-use"}, Fate.WRONG),
        ({}, {"accepted": False, "outcome": Outcome.CLARIFY}, Fate.SILENT),
        ({}, {"accepted": False, "outcome": Outcome.NO_ANSWER}, Fate.SILENT),
        ({}, {"outcome": Outcome.HANDOFF}, Fate.SILENT),
        ({}, {"entry": "coupon-use", "outcome": Outcome.HANDOFF}, Fate.SILENT),
        ({"outcome": Outcome.HANDOFF}, {"outcome": Outcome.HANDOFF}, Fate.RIGHT),
        ({"outcome": Outcome.HANDOFF}, {}, Fate.RIGHT),
        ({"outcome": Outcome.HANDOFF}, {"accepted": False, "outcome": Outcome.HANDOFF}, Fate.SILENT),
    ],
)
def test_fate_of_a_perturbed_message(before: Mapping[str, Any], after: Mapping[str, Any], fate: Fate) -> None:
    assert perturbed(before, after).fate is fate


@pytest.mark.parametrize(
    ("expects", "said", "fate"),
    [
        ({"answers": ("ship-when",)}, Said(), Fate.RIGHT),
        ({"answers": ("ship-when",)}, WRONG, Fate.WRONG),
        ({"answers": ("ship-when",)}, SILENT, Fate.SILENT),
        ({"answers": ("ship-when",)}, HANDED_OVER, Fate.SILENT),
        ({"never": ("ship-when",)}, Said(), Fate.WRONG),
        ({"never": ("ship-when",)}, WRONG, Fate.RIGHT),
        ({"never": ("ship-when",)}, SILENT, Fate.RIGHT),
        ({"never": ("ship-when",)}, HANDED_OVER, Fate.RIGHT),
        ({"outcome_not": (Outcome.HANDOFF,)}, HANDED_OVER, Fate.WRONG),
        ({"outcome_not": (Outcome.HANDOFF,)}, SILENT, Fate.RIGHT),
        ({"outcome_not": (Outcome.ANSWERED, Outcome.CLARIFY)}, Said(), Fate.WRONG),
        ({"outcome_not": (Outcome.ANSWERED, Outcome.CLARIFY)}, SILENT, Fate.SILENT),
        ({"outcome_not": (Outcome.ANSWERED, Outcome.CLARIFY)}, HANDED_OVER, Fate.RIGHT),
    ],
)
def test_fate_of_a_case(expects: Mapping[str, Any], said: Said, fate: Fate) -> None:
    case = Case("a", CaseKind.TIME, ("好",), **expects)

    assert trial(case, said).fate is fate


@pytest.mark.parametrize(
    ("expects", "moods", "fate"),
    [
        ({"stays_upset": True}, (Sentiment.NEGATIVE, Sentiment.NEGATIVE), Fate.RIGHT),
        ({"stays_upset": True}, (Sentiment.NEUTRAL, Sentiment.ANGRY), Fate.RIGHT),
        ({"stays_upset": True}, (Sentiment.NEGATIVE, Sentiment.NEUTRAL), Fate.WRONG),
        ({"stays_upset": True}, (Sentiment.NEUTRAL, Sentiment.POSITIVE), Fate.WRONG),
        ({"stays_upset": True}, (Sentiment.NEUTRAL, Sentiment.NEUTRAL), Fate.SILENT),
        ({"stays_calm": True}, (Sentiment.ANGRY, Sentiment.NEGATIVE), Fate.RIGHT),
        ({"stays_calm": True}, (Sentiment.NEUTRAL, Sentiment.NEGATIVE), Fate.WRONG),
    ],
)
def test_a_mood_may_not_move_against_what_was_added(expects: Mapping[str, Any], moods: tuple[Sentiment, ...], fate: Fate) -> None:
    case = Case("a", CaseKind.MOOD, ("没到", "没到，气人"), **expects)

    assert trial(case, *(Said(sentiment=mood) for mood in moods)).fate is fate


@pytest.mark.parametrize(("reason", "fate"), [(Reason.NEEDS_HUMAN, Fate.RIGHT), (Reason.NEGATIVE_SENTIMENT, Fate.SILENT)])
def test_a_person_is_right_where_the_pack_leaves_the_entry_to_one(reason: Reason, fate: Fate) -> None:
    case = Case("a", CaseKind.TIME, ("丢了怎么办",), answers=("ship-when",))
    handed_over = replace(make_answer(HANDED_OVER), handoff=Handoff(True, (reason,), None, Priority.LOW))

    assert Trial(case, (handed_over,)).fate is fate
    assert Trial(replace(case, answers=("cancel-how",)), (handed_over,)).fate is Fate.SILENT


@pytest.mark.parametrize(
    ("first", "second", "fate"),
    [
        (Said(), SILENT, Fate.RIGHT),
        (HANDED_OVER, SILENT, Fate.RIGHT),
        (Said(), Said(), Fate.WRONG),
        (SILENT, Said(), Fate.WRONG),
        (SILENT, SILENT, Fate.SILENT),
        (WRONG, SILENT, Fate.SILENT),
    ],
)
def test_a_pair_is_right_when_the_first_message_is_heard_and_the_second_undoes_it(first: Said, second: Said, fate: Fate) -> None:
    case = Case("a", CaseKind.NEGATION, ("我要退", "我不退"), never=("ship-when",))

    assert trial(case, first, second).fate is fate


def test_a_pair_about_an_outcome_or_a_calm_mood_is_heard_by_what_was_done_first() -> None:
    complaint = Case("a", CaseKind.NEGATION, ("我要投诉", "我不投诉"), outcome_not=(Outcome.HANDOFF,))
    calm = Case("b", CaseKind.MOOD, ("没到", "没到，谢谢"), stays_calm=True)

    assert [trial(complaint, first, SILENT).heard for first in (HANDED_OVER, Said())] == [True, False]
    assert [trial(calm, first, SILENT).heard for first in (Said(), SILENT)] == [True, False]


@pytest.mark.parametrize("dead", [SILENT, Said(accepted=False, outcome=Outcome.NO_ANSWER), replace(SILENT, outcome=Outcome.HANDOFF), WRONG])
def test_an_engine_that_does_the_same_to_every_message_holds_no_pair(dead: Said) -> None:
    cases = [
        Case("negation", CaseKind.NEGATION, ("我要取消", "我不取消了"), never=("cancel-how",)),
        Case("time", CaseKind.TIME, ("我要发货", "发货不急"), answers=("ship-when",), never=("cancel-how",)),
        Case("person", CaseKind.NEGATION, ("我要投诉", "我不投诉"), outcome_not=(Outcome.HANDOFF,)),
        Case("upset", CaseKind.MOOD, ("没到", "没到，气人"), stays_upset=True),
    ]

    found = examine_robustness(FakeEngine(otherwise=dead), [], cases, tick=Ticks())

    assert found.measures["directional"].value == pytest.approx(0)
    assert found.measures["directional"].n == 4


def test_the_same_messages_are_drawn_whatever_their_order() -> None:
    rows = [make_row(f"第{number}单多久发货", place=f"test-1.jsonl:{number}") for number in range(DRAWN + 30)]

    drawn = draw(rows, NOTHING_KNOWN)

    assert len(drawn) == DRAWN
    assert drawn == draw(rows[::-1], NOTHING_KNOWN)
    assert drawn != tuple(rows[:DRAWN])


def test_only_chinese_messages_with_an_entry_that_are_no_small_talk_are_drawn() -> None:
    talk = Intent("HELLO", "GENERAL", {"zh": "问候"}, "none", Priority.LOW, "presales", "", "")
    good = make_row("多久发货")
    others = [
        make_row("where is it"),
        make_row("这是 mixed", language="en"),
        make_row("天气", faq=None),
        make_row("你好", intent="HELLO"),
    ]

    assert draw([*others, good], Taxonomy(1, (), {"HELLO": talk})) == (good,)


def test_only_messages_that_are_got_right_are_perturbed_and_every_one_ticks() -> None:
    rows = [make_row("多久发货呀", place="t:1"), make_row("哪天发货呀", place="t:2"), make_row("几号发货呀", place="t:3")]
    ticks = Ticks()

    found = examine_robustness(FakeEngine({"哪天发货呀": WRONG, "几号发货呀": SILENT}), rows, [], tick=ticks)

    invariance = found.facts["invariance"]
    assert (invariance["drawn"], invariance["best_right"], invariance["perturbed"]) == (3, 2, 1)
    assert found.measures["invariance"].n == len(perturb("多久发货呀"))
    assert found.measures["invariance_all"].n == len(perturb("多久发货呀")) + len(perturb("几号发货呀"))
    assert ticks.count == workload(rows, [], NOTHING_KNOWN)


def test_shares_count_hard_and_soft_failures_apart() -> None:
    row = make_row("多久发货呀，急用")
    variants = perturb(row.text)
    engine = FakeEngine({variants["emoji"]: WRONG, variants["story"]: SILENT, variants["polite"]: HANDED_OVER})

    found = examine_robustness(engine, [row], [], tick=Ticks())

    n = len(variants)
    assert found.measures["invariance"].value == pytest.approx((n - 1) / n)
    assert found.measures["invariance_kept"].value == pytest.approx((n - 3) / n)
    kinds = {item["kind"]: item for item in found.facts["invariance"]["perturbations"]}
    assert list(kinds) == list(PERTURBATIONS)
    assert kinds["emoji"]["wrong"]["value"] == pytest.approx(1)
    assert kinds["story"]["silent"]["value"] == pytest.approx(1)
    assert kinds["story"]["best_right"]["value"] == pytest.approx(1)
    assert (kinds["width"]["tests"], kinds["width"]["right"]["value"]) == (1, pytest.approx(1))


CHANGES = {f"第{number}单请问一下，多久发货呀": perturb(f"第{number}单请问一下，多久发货呀") for number in range(40)}
"""Messages long enough for every change but a homophone, which some have not."""


def shipped(metric: str, examination: Examination) -> Verdict:
    """What the shipped gate on ``metric`` makes of ``examination``."""
    return next(found.verdict for found in check(read_gates(GATES), [], [examination]) if found.gate.metric == metric)


def examined(says: Mapping[str, Said], cases: Sequence[Case] = ()) -> Examination:
    return examine_robustness(FakeEngine(says), [make_row(text, place=text) for text in CHANGES], cases, tick=Ticks())


@pytest.mark.parametrize("kind", sorted({name for variants in CHANGES.values() for name in variants} - {"story"}))
def test_an_engine_that_falls_silent_at_one_kind_of_change_is_refused_though_the_figure_over_all_is_kept(kind: str) -> None:
    found = examined({variants[kind]: SILENT for variants in CHANGES.values() if kind in variants})

    assert shipped("least_kept", found) is Verdict.FAILED
    assert shipped("invariance_kept", found) is Verdict.PASSED
    assert found.measures["least_kept"].value == 0
    assert {example.said.partition(",")[0] for example in found.examples["least_kept"]} == {kind}


def test_an_engine_that_no_longer_reads_a_long_story_is_refused_for_it() -> None:
    found = examined({variants["story"]: SILENT for variants in CHANGES.values()})

    assert shipped("story_kept", found) is Verdict.FAILED
    assert (shipped("invariance_kept", found), shipped("least_kept", found)) == (Verdict.PASSED, Verdict.PASSED)


def test_changes_with_few_tests_are_looked_at_together() -> None:
    kinds = ("emoji", "polite")
    tests = tuple(perturbed({}, SILENCED if number % 2 else {}) for number in range(FEWEST_TESTS))
    halves = tuple(replace(test, perturbation=kinds[place % 2]) for place, test in enumerate(tests))

    assert len(Invariance(1, 1, 1, halves).least_kept()) == FEWEST_TESTS
    assert Invariance(1, 1, 1, halves[1:]).least_kept() == ()
    assert Invariance(1, 1, 1, tuple(replace(test, perturbation="story") for test in tests)).least_kept() == ()


def test_silence_at_written_cases_is_no_wrong_deed_and_a_wrong_deed_is_refused_as_one() -> None:
    pairs = [Case(f"n{n}", CaseKind.NEGATION, (f"我要取消{n}", f"我不取消{n}"), never=("cancel-how",)) for n in range(24)]
    single = [Case(f"s{n}", CaseKind.TIME, (f"几号发{n}",), answers=("ship-when",)) for n in range(76)]
    heard = {case.texts[0]: Said(entry="cancel-how") for case in pairs}
    silent = {case.text: SILENT for case in single[:20]}
    deaf = {case.text: Said(entry="cancel-how") for case in pairs[:13]}

    quiet, wrong = (examined({**heard, **more}, [*pairs, *single]) for more in (silent, deaf))

    assert (quiet.measures["written_wrong"].value, wrong.measures["written_wrong"].value) == (0, 0.13)
    assert (shipped("written_wrong", quiet), shipped("written_wrong", wrong)) == (Verdict.PASSED, Verdict.FAILED)
    assert shipped("minimum_function", wrong) is Verdict.PASSED
    assert wrong.examples["written_wrong"][0].text == "我不取消0"


def test_a_wrong_answer_where_none_was_given_before_counts_among_all_alone() -> None:
    row = make_row("多久发货呀，急用")
    variants = perturb(row.text)
    hesitant = replace(SILENT, confidence=0.5)
    lost = replace(SILENT, entry="coupon-use")
    engine = FakeEngine({row.text: hesitant, variants["emoji"]: WRONG, variants["story"]: lost, variants["polite"]: SILENT})

    found = examine_robustness(engine, [row], [], tick=Ticks())

    n = len(variants)
    assert found.measures["invariance"].value is None
    assert found.measures["invariance_all"].value == pytest.approx((n - 1) / n)
    assert found.measures["best_kept"].value == pytest.approx((n - 2) / n)
    assert [failure["kind"] for failure in found.facts["invariance"]["failures"]] == ["emoji"]
    kinds = {item["kind"]: item for item in found.facts["invariance"]["perturbations"]}
    assert (kinds["emoji"]["tests"], kinds["emoji"]["invariance_all"]["value"]) == (0, pytest.approx(0))


def test_a_failure_shows_both_texts_what_was_expected_and_what_came() -> None:
    row = make_row("多久发货呀", place="test-1.jsonl:7", also=("cancel-how",))
    after = perturb(row.text)["story"]

    found = examine_robustness(FakeEngine({after: WRONG}), [row], [], tick=Ticks())

    told = {
        "kind": "story",
        "name": "test-1.jsonl:7",
        "fate": "wrong",
        "before": row.text,
        "after": after,
        "expected": "answered, ship-when or cancel-how",
        "came": "answered, coupon-use (0.99)",
    }
    assert found.facts["invariance"]["failures"] == [told]
    assert any(all(value in line for value in told.values()) for line in found.page)


def test_pairs_are_directional_and_single_messages_minimum_function_tests() -> None:
    cases = [
        Case("pair", CaseKind.NEGATION, ("我要取消", "我不取消了"), never=("cancel-how",)),
        Case("bad-pair", CaseKind.NEGATION, ("我要用券", "我不用券了"), never=("coupon-use",)),
        Case("unheard", CaseKind.NEGATION, ("我要退", "我不退"), never=("cancel-how",)),
        Case("mood", CaseKind.MOOD, ("没到", "没到，气人"), stays_upset=True),
        Case("single", CaseKind.TIME, ("几号发",), answers=("ship-when",)),
        Case("silent", CaseKind.TIME, ("几时发",), answers=("ship-when",), never=("coupon-use",), outcome_not=(Outcome.NO_ANSWER,)),
    ]
    cancel = Said(entry="cancel-how")
    engine = FakeEngine({"我要取消": cancel, "我不用券了": WRONG, "几时发": SILENT, "没到": Said(sentiment=Sentiment.NEGATIVE)})
    ticks = Ticks()

    found = examine_robustness(engine, [], cases, tick=ticks)

    assert [found.measures[name].n for name in ("directional", "directional_heard", "minimum_function")] == [4, 2, 2]
    assert [found.measures[name].value for name in ("directional", "directional_heard", "minimum_function")] == pytest.approx(
        [1 / 4, 1 / 2, 1 / 2]
    )
    assert found.measures["invariance"].value is None
    assert [item["kind"] for item in found.facts["cases"]["kinds"]] == ["negation", "time", "mood"]
    assert [(item["name"], item["fate"]) for item in found.facts["cases"]["failures"]] == [
        ("bad-pair", "wrong"),
        ("unheard", "silent"),
        ("mood", "wrong"),
        ("silent", "silent"),
    ]
    mood, silent = found.facts["cases"]["failures"][2:]
    assert mood["came"] == "answered, ship-when (0.99); mood neutral after negative"
    assert silent["expected"] == "ship-when; not coupon-use; outcome not no_answer"
    assert (silent["before"], silent["came"]) == (None, "clarify, best ship-when (0.99)")
    assert ticks.count == workload([], cases, NOTHING_KNOWN) == 10


def test_measures_are_those_with_a_definition_and_a_second_run_finds_the_same() -> None:
    rows = [make_row("多久发货呀，急用")]
    cases = [Case("single", CaseKind.TIME, ("几号发",), answers=("cancel-how",))]

    one, other = (examine_robustness(FakeEngine(), rows, cases, tick=Ticks()) for _ in range(2))

    assert one == other
    assert one.name == "robustness"
    assert list(one.measures) == list(METRICS)


def test_the_page_shows_hard_failures_first_and_every_kind_in_turn() -> None:
    rows = [make_row(f"第{number}单多久发货呀", place=f"t:{number}") for number in range(30)]
    variants = [perturb(row.text) for row in rows]
    says = {one["story"]: SILENT for one in variants} | {one["emoji"]: SILENT for one in variants} | {variants[0]["polite"]: WRONG}

    page = examine_robustness(FakeEngine(says), rows, [], tick=Ticks()).page

    shown = [line.split(" | ")[:2] for line in page if line.startswith(("| wrong |", "| silent |"))]
    assert len(shown) == SHOWN
    assert shown[0] == ["| wrong", "polite"]
    assert {kind for _, kind in shown[1:3]} == {"emoji", "story"}
    assert f"Failures: {SHOWN} of 61 are shown, hard ones first.\n" in page


def test_the_page_says_when_nothing_failed_and_when_there_are_no_cases() -> None:
    page = examine_robustness(FakeEngine(), [make_row()], [], tick=Ticks()).page

    assert "No test failed.\n" in page
    assert "The pack has no written cases.\n" in page
    assert any("CheckList" in line for line in page)


def test_turns_end_when_all_are_told() -> None:
    def failure(kind: str, name: str) -> Failure:
        return Failure(kind, name, Fate.WRONG, None, "", "", "")

    found = in_turn([failure("a", "1"), failure("a", "2"), failure("b", "3"), failure("a", "4")])

    assert [item.name for item in found] == ["1", "3", "2", "4"]
    assert in_turn([]) == []
