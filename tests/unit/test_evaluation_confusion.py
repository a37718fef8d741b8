"""What is taken for what, and how long it takes."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from evaluation.suites import confusion_json, examine, latency_json
from evaluation.suites.confusion import SHOWN, UNKNOWN, Mistaken, confusion
from evaluation.suites.latency import BINS, histogram
from tests.fakes_evaluation import make_judged, make_row

ORDER = make_row(intent="SHIP", category="ORDER")
SALES = make_row(intent="COUPON", category="SALES")


def test_categories_are_counted_gold_by_predicted() -> None:
    judged = [make_judged(ORDER), make_judged(ORDER), make_judged(ORDER, intent="COUPON"), make_judged(SALES, intent="COUPON")]

    found = confusion(judged)

    assert (found.gold, found.got) == (("ORDER", "SALES"), ("ORDER", "SALES"))
    assert found.counts == ((2, 1), (0, 1))


def test_a_category_that_no_label_has_is_a_column_at_the_end() -> None:
    judged = [make_judged(ORDER, intent="LOGIN"), make_judged(ORDER, intent="STRANGE"), make_judged(ORDER)]

    found = confusion(judged, {"LOGIN": "ACCOUNT"})

    assert (found.gold, found.got) == (("ORDER",), ("ORDER", "ACCOUNT", UNKNOWN))
    assert found.counts == ((1, 1, 1),)


def test_rows_without_a_labelled_intent_are_left_out() -> None:
    found = confusion([make_judged(make_row(intent=None, category=None))])

    assert (found.gold, found.counts, found.mistaken, found.pairs) == ((), (), (), 0)


def test_the_most_frequent_mistakes_come_first_with_the_rows_they_are_of() -> None:
    judged = [make_judged(ORDER, intent="B"), make_judged(SALES, intent="A"), make_judged(ORDER, intent="B"), make_judged(ORDER)]

    assert confusion(judged).mistaken == (Mistaken("SHIP", "B", 2, 3), Mistaken("COUPON", "A", 1, 1))


def test_few_mistakes_are_listed_and_all_are_counted() -> None:
    found = confusion([make_judged(ORDER, intent=f"X{number:02}") for number in range(SHOWN + 5)])

    assert (len(found.mistaken), found.pairs) == (SHOWN, SHOWN + 5)


def test_programs_can_write_down_the_whole_matrix_of_intents() -> None:
    many = [make_judged(ORDER, intent=f"X{number:02}") for number in range(SHOWN + 5)]
    judged = [*many, *(make_judged(row, intent=intent) for row in (ORDER, SALES) for intent in ("SHIP", "COUPON", "SHIP"))]

    told = confusion_json(confusion(judged))

    cells = Counter({(pair["gold"], pair["got"]): pair["rows"] for pair in told["intents"]})
    right = {intent: rows - sum(n for (gold, _), n in cells.items() if gold == intent) for intent, rows in told["intent_rows"].items()}
    whole = cells + Counter({(intent, intent): rows for intent, rows in right.items()})
    assert whole == Counter((item.row.intent, item.answer.classification.intent.code) for item in judged)


def test_the_order_of_rows_changes_nothing() -> None:
    judged = [make_judged(row, intent=intent) for row in (ORDER, SALES) for intent in ("SHIP", "COUPON", "A", "B")]

    assert confusion(judged) == confusion(judged[::-1])


def test_a_suite_has_its_confusion_ready_for_programs() -> None:
    tree = confusion_json(examine("test", [make_judged(ORDER), make_judged(ORDER, intent="A")], texts=True).confusion)

    assert json.loads(json.dumps(tree)) == tree
    assert tree["counts"] == [[1, 1]]
    assert tree["intents"] == [{"gold": "SHIP", "got": "A", "rows": 1, "of": 2}]


@pytest.mark.parametrize("times", [[2.0], [3.0] * 7, [float(ms) for ms in range(500)], [1.0] * 200 + [9000.0]])
def test_every_message_falls_into_one_bin(times: list[float]) -> None:
    found = histogram(times)

    assert (len(found.counts), sum(found.counts)) == (BINS, len(times))
    assert list(found.edges) == sorted(found.edges)
    assert found.edges[0] <= min(times) and max(times) <= found.edges[-1]


def test_the_last_bin_holds_the_slowest_hundredth() -> None:
    found = histogram([float(ms) for ms in range(1000)])

    assert found.counts[-1] == 10
    assert {round(high - low, 6) for low, high in zip(found.edges[:-2], found.edges[1:-1], strict=True)} == {round(989.01 / 19, 6)}


def test_latency_has_its_quantiles_ready_for_programs() -> None:
    tree = latency_json(examine("test", [make_judged(milliseconds=float(ms)) for ms in range(101)], texts=True).latency)

    assert {name: tree[name] for name in ("median", "p90", "p95", "p99", "maximum")} == pytest.approx(
        {"median": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "maximum": 100.0}
    )
    assert sum(tree["histogram"]["counts"]) == 101
