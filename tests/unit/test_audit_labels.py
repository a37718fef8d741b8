"""Planted label errors come first; right labels, further right entries and the engine's word are respected."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes_audit import INTENT_OF, audit_rows, mislabelled
from tests.fakes_evaluation import FakeEngine, Said
from training.audit.conflicts import close_wordings, rivals
from training.audit.crossfit import QUICK, CrossFit, cross_fit, text_features
from training.audit.labels import Suspect, find_suspects, forgiving
from training.audit.opinions import Opinion, ask, unseen
from training.audit.rows import AuditRow
from yingda.domain.knowledge import FaqEntry

PLANTED = sorted(random.Random(4).sample(range(180), 12))


def fitted(rows: Sequence[AuditRow], *, groups: Sequence[int] | None = None) -> CrossFit:
    features = text_features([row.plain for row in rows])
    numbers = np.asarray(groups if groups is not None else range(len(rows)), np.int32)
    return cross_fit(rows, features, numbers, {}, effort=QUICK, seed=1)


def suspects(rows: Sequence[AuditRow], opinions: Mapping[int, Opinion] | None = None) -> list[Suspect]:
    return find_suspects(rows, fitted(rows), INTENT_OF, opinions or {})


def test_planted_label_errors_fill_the_top_ranks() -> None:
    right = audit_rows()

    found = suspects(mislabelled(right, PLANTED))

    first = found[:8]
    assert len(first) == 8  # of 12 planted
    assert len({one.row for one in first} & set(PLANTED)) >= 7  # precision at 8 of 0.875 or more; by chance it would be 0.07
    assert [one.quality for one in found] == sorted(one.quality for one in found)
    hits = [one for one in first if one.row in PLANTED]
    assert all(one.suggested == right[one.row].label != one.given for one in hits)


def test_right_labels_raise_hardly_any_doubt() -> None:
    assert len(suspects(audit_rows())) <= 2  # of 180


def test_a_further_right_entry_is_no_error() -> None:
    right = audit_rows()
    wrong = mislabelled(right, PLANTED)
    for number in PLANTED:
        wrong[number] = replace(wrong[number], also=(str(right[number].label),))

    assert not {one.row for one in suspects(wrong)} & set(PLANTED)


def test_an_intent_without_entry_is_judged_by_its_intent() -> None:
    logs = [replace(row, label=None, is_log=True) for row in audit_rows(each=3, seed=9)]
    logs[0] = replace(logs[0], intent="LOGIN")
    rows = [*audit_rows(), *logs]

    found = [one for one in suspects(rows) if rows[one.row].is_log]

    assert [(one.row, one.given, one.suggested) for one in found] == [(180, "LOGIN", "SHIP")]


def test_a_label_the_engine_stands_by_is_not_listed() -> None:
    rows = mislabelled(audit_rows(), PLANTED)
    agrees = {n: Opinion(str(rows[n].intent), str(rows[n].label), {str(rows[n].label): 0.9}, 0.8) for n in PLANTED[:4]}

    found = {one.row for one in suspects(rows, agrees)}

    assert not found & set(PLANTED[:4])
    assert len(found & set(PLANTED[4:])) >= 5


def test_a_second_opinion_is_shown_and_counts() -> None:
    rows = mislabelled(audit_rows(), PLANTED)
    number = PLANTED[0]
    alone = next(one for one in suspects(rows) if one.row == number)
    doubts = {number: Opinion("X", alone.suggested, {str(rows[number].label): 0.3, alone.suggested: 0.6}, 0.3)}

    found = next(one for one in suspects(rows, doubts) if one.row == number)

    assert found.engine == alone.suggested
    assert found.quality == pytest.approx((alone.quality + (0.3 - 0.6 + 1) / 2) / 2, abs=1e-3)  # both are rounded


def test_the_engine_is_asked_about_log_messages_it_was_not_trained_on_alone() -> None:
    pack = audit_rows(each=2)
    rows = list(pack)
    rows += [replace(pack[0], place="log:1", is_log=True), replace(pack[1], place="log:2", plain="新的话", text="新的话", is_log=True)]

    numbers = unseen(rows, {pack[0].plain}, limit=10, seed=1)
    opinions = ask(FakeEngine({"新的话": Said(confidence=0.7)}), rows, numbers)

    assert numbers == [len(rows) - 1]
    assert opinions[numbers[0]].label == "ship-when"
    assert opinions[numbers[0]].margin == pytest.approx(0.4)


def test_an_unsure_engine_says_that_no_entry_fits() -> None:
    rows = [replace(row, is_log=True) for row in audit_rows(each=1)]

    opinions = ask(FakeEngine(otherwise=Said(confidence=0.2)), rows, unseen(rows, set(), limit=2, seed=1))

    assert len(opinions) == 2
    assert {opinion.label for opinion in opinions.values()} == {"none:SHIP"}


def test_a_message_does_not_help_to_judge_itself() -> None:
    rows = audit_rows()
    lone = AuditRow("train-1.jsonl:999", "龘靐齉", "龘靐齉", "SHIP", "ship-when", (), False)
    copies = [*rows, *[lone] * 6]

    together = fitted(copies, groups=[*range(180), *[180] * 6])
    apart = fitted(copies, groups=range(186))

    column = together.number()["ship-when"]
    assert together.probabilities[180, column] < 0.4 < 0.9 < apart.probabilities[180, column]


def test_probabilities_are_the_same_for_a_seed() -> None:
    rows = audit_rows()

    np.testing.assert_array_equal(fitted(rows).probabilities, fitted(rows).probabilities)


def test_probabilities_of_further_right_entries_go_to_the_label() -> None:
    row = AuditRow("train-1.jsonl:1", "x", "x", "A", "a", ("b",), False)
    fit = CrossFit(("a", "b", "c"), np.asarray([[0.2, 0.5, 0.3]], np.float32))

    np.testing.assert_allclose(forgiving([row], fit), [[0.7, 0.0, 0.3]], atol=1e-6)


def entry(name: str, *texts: str) -> FaqEntry:
    return FaqEntry(name, INTENT_OF.get(name, "X"), {"zh": texts[0]}, {"zh": texts[1:]}, {"zh": "。"})


def test_mistaken_entries_are_shown_in_both_directions() -> None:
    rows = [AuditRow(f"t:{n}", str(n), str(n), "A", label, (), False) for n, label in enumerate(["a", "a", "a", "b", "b", "c"])]
    best = ["b", "a", "b", "a", "b", "a"]
    fit = CrossFit(("a", "b", "c"), np.asarray([[0.8 if name == got else 0.1 for name in "abc"] for got in best], np.float32))

    found = rivals(rows, fit, {name: entry(name, name) for name in "abc"})

    assert [(pair.first, pair.second, pair.first_as_second, pair.second_as_first) for pair in found] == [("a", "b", (0, 2), (3,))]
    assert found[0].share == pytest.approx(3 / 5)


def test_wordings_shared_by_two_entries_are_found() -> None:
    entries = {
        "a": entry("a", "怎么申请退款到账", "退款啥时候到"),
        "b": entry("b", "怎么申请退款到帐", "换个颜色"),
        "c": entry("c", "开电子发票", "开电子发票"),
    }

    found = close_wordings(entries)

    assert [(pair.first, pair.second, pair.first_text, pair.second_text) for pair in found] == [
        ("a", "b", "怎么申请退款到账", "怎么申请退款到帐")
    ]
