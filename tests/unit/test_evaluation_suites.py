"""Which rows a metric counts, and what it calls right."""

from __future__ import annotations

import pytest

from evaluation.errors import EvaluationError
from evaluation.outcomes import Judged, judge
from evaluation.suites import METRICS, examine
from evaluation.suites.mistakes import SHOWN
from tests.fakes_evaluation import FakeEngine, Said, make_judged, make_row
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Sentiment

NO_ENTRY = make_row(faq=None)
OFF_TOPIC = make_row(intent="OUT_OF_SCOPE", faq=None)


def measure(name: str, *judged: Judged) -> tuple[float | None, int]:
    measured = METRICS[name](list(judged))
    return measured.value, measured.n


def test_an_entry_of_also_is_right() -> None:
    row = make_row(faq="cancel-how", also=("ship-when",))

    assert measure("faq_top1", make_judged(row)) == (1.0, 1)
    assert measure("match_accuracy", make_judged(row)) == (1.0, 1)


def test_an_entry_of_also_is_right_where_none_is_asked_for() -> None:
    row = make_row(faq=None, also=("ship-when",))

    assert measure("match_accuracy", make_judged(row)) == (1.0, 1)
    assert measure("faq_top1", make_judged(row)) == (None, 0)


def test_a_match_for_a_message_without_an_entry_is_wrong() -> None:
    assert measure("match_accuracy", make_judged(NO_ENTRY)) == (0.0, 1)
    assert measure("wrong_automatic_answers", make_judged(NO_ENTRY)) == (1.0, 1)


def test_match_accuracy_leaves_out_what_was_not_accepted() -> None:
    refused = make_judged(accepted=False, outcome=Outcome.NO_ANSWER)

    assert measure("match_accuracy", make_judged(), refused) == (1.0, 1)


def test_top1_counts_matches_that_were_not_accepted() -> None:
    assert measure("faq_top1", make_judged(accepted=False, outcome=Outcome.CLARIFY)) == (1.0, 1)


def test_coverage_counts_accepted_matches_of_answerable_rows() -> None:
    refused = make_judged(accepted=False, outcome=Outcome.NO_ANSWER)

    assert measure("coverage", make_judged(), refused, make_judged(NO_ENTRY)) == (0.5, 2)


def test_automatic_coverage_counts_what_no_person_answers_of_answerable_rows() -> None:
    wrong = make_judged(entry="cancel-how")

    assert measure("automatic_coverage", wrong, make_judged(outcome=Outcome.HANDOFF), make_judged(NO_ENTRY)) == (0.5, 2)


def test_a_match_that_goes_to_a_person_is_accepted_but_not_automatic() -> None:
    handed_over = make_judged(entry="cancel-how", outcome=Outcome.HANDOFF)

    assert measure("match_accuracy", handed_over) == (0.0, 1)
    assert measure("automatic_accuracy", handed_over) == (None, 0)
    assert measure("wrong_automatic_answers", handed_over) == (0.0, 1)


def test_the_lower_bound_is_of_accepted_matches() -> None:
    value, n = measure("match_accuracy_lower_bound", make_judged())

    assert value == pytest.approx(0.05)
    assert n == 1


def test_refusal_counts_out_of_scope_rows_alone() -> None:
    clarified = make_judged(OFF_TOPIC, outcome=Outcome.CLARIFY)

    assert measure("out_of_scope_refusal", clarified, make_judged(OFF_TOPIC), make_judged(NO_ENTRY)) == (0.5, 2)


def test_rows_without_an_intent_count_for_entries_and_mood_only() -> None:
    row = make_row(intent=None)

    assert measure("intent_accuracy", make_judged(row)) == (None, 0)
    assert measure("intent_macro_f1", make_judged(row)) == (None, 0)
    assert measure("intent_ece", make_judged(row)) == (None, 0)
    assert measure("faq_top1", make_judged(row)) == (1.0, 1)
    assert measure("sentiment_macro_f1", make_judged(row)) == (1.0, 1)


def test_calibration_of_matches_includes_rows_without_an_entry() -> None:
    value, n = measure("match_ece", make_judged(NO_ENTRY, confidence=0.8))

    assert value == pytest.approx(0.8)
    assert n == 1


def test_negative_and_angry_are_one_class_for_recall() -> None:
    angry = make_judged(make_row(sentiment=Sentiment.ANGRY), sentiment=Sentiment.NEGATIVE)
    missed = make_judged(make_row(sentiment=Sentiment.NEGATIVE), sentiment=Sentiment.NEUTRAL)
    calm = make_judged(sentiment=Sentiment.ANGRY)

    assert measure("displeased_recall", angry, missed, calm) == (0.5, 2)


def test_slices_add_up_to_the_suite() -> None:
    styles = ("plain", "typo", "typo", None)
    result = examine("test", [make_judged(make_row(style=style)) for style in styles], texts=True)

    assert [(part.by, part.value, part.rows) for part in result.slices if part.by == "style"] == [
        ("style", "plain", 1),
        ("style", "typo", 2),
        ("style", "unmarked", 1),
    ]


def test_the_surest_mistakes_come_first_and_are_few() -> None:
    wrong = [make_judged(entry="cancel-how", confidence=number / 100) for number in range(50)]

    result = examine("test", [*wrong, make_judged()], texts=True)

    assert len(result.mistakes) == SHOWN
    assert (result.mistakes[0].confidence, result.mistakes[0].got) == (0.49, "cancel-how")


def test_texts_are_left_out_where_they_may_not_be_quoted() -> None:
    result = examine("real", [make_judged(entry="cancel-how")], texts=False)

    assert [wrong.text for wrong in result.mistakes] == [None]


def test_latency_is_the_engines_own_time() -> None:
    result = examine("test", [make_judged(milliseconds=float(ms)) for ms in range(101)], texts=True)

    assert result.latency.median == pytest.approx(50.0)
    assert result.latency.p99 == pytest.approx(99.0)


def test_every_row_is_judged_once_and_in_order() -> None:
    engine = FakeEngine({"二": Said(entry="cancel-how")})
    ticks: list[None] = []

    judged = judge(engine, [make_row("一"), make_row("二")], tick=lambda: ticks.append(None))

    assert [(item.row.text, item.best_right) for item in judged] == [("一", True), ("二", False)]
    assert len(ticks) == 2


def test_every_metric_has_a_definition_of_one_line() -> None:
    assert all(metric.__doc__ and "\n" not in metric.__doc__ for metric in METRICS.values())


@pytest.mark.parametrize("said", [Said(confidence=float("nan")), Said(intent_confidence=float("inf"))])
def test_a_confidence_that_is_no_number_ends_the_evaluation(said: Said) -> None:
    with pytest.raises(EvaluationError, match=r"^test-1\.jsonl:1: a confidence of the engine is no number; rebuild the bundle"):
        judge(FakeEngine(otherwise=said), [make_row()], tick=lambda: None)
