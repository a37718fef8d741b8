"""The life of a record, its names and its times."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.knowledge_kit import ANNA, BO, START, a_draft, a_version, faq, hours
from yingda.domain.records import Draft, NotAllowed, NothingBefore, Refused, Signed, Status, Version, VersionName
from yingda.store.knowledge import lifecycle
from yingda.store.knowledge.difference import difference
from yingda.store.knowledge.lifecycle import TRANSITIONS, Action
from yingda.store.knowledge.timeline import effective, first_needed, next_change, publications

# ---- names ----


@pytest.mark.parametrize("text", ["V1.0-物流查询模板", "V0.0-a", "V12.34-双11 预售", "V9999.9999-" + "长" * 40])
def test_a_version_name_is_read_as_it_is_written(text: str) -> None:
    assert str(VersionName.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "1.0-a", "v1.0-a", "V1-a", "V01.0-a", "V1.0", "V1.0-", "V1.0- a", "V1.0-a ", "V1.0-a\nb", "V10000.0-a", "V1.0-" + "长" * 41],
)
def test_another_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match=r"V1\.0-物流查询模板"):
        VersionName.parse(text)


def test_the_next_name_is_suggested() -> None:
    assert lifecycle.suggest_name(None, "发货") == "V1.0-发货"
    assert lifecycle.suggest_name(a_version(name="V1.9-发货"), "x") == "V1.10-发货"
    assert lifecycle.suggest_name(a_version(status=Status.DRAFT, name="V1.9-发货"), "x") == "V1.9-发货"


def test_a_new_version_cannot_take_an_older_name() -> None:
    with pytest.raises(Refused, match=r"use V2\.1-发货"):
        lifecycle.saved(a_version(name="V2.0-发货"), a_draft(name="V2.0-发货"), ANNA, at=START, title="x")


# ---- steps ----


def test_steps_that_the_table_does_not_name_are_refused() -> None:
    steps: dict[Action, Callable[[Version], Version]] = {
        Action.REVIEW: lambda head: lifecycle.reviewed(head, BO, at=START, two_people=False),
        Action.RETURN: lambda head: lifecycle.returned(head, BO, at=START),
        Action.PUBLISH: lambda head: lifecycle.published(head, BO, at=START, two_people=False),
        Action.RETIRE: lambda head: lifecycle.retired(head, BO, at=START),
    }
    for status in Status:
        for action, step in steps.items():
            if action in TRANSITIONS[status]:
                assert step(a_version(status=status)).status is TRANSITIONS[status][action]
            else:
                with pytest.raises(NotAllowed, match=f"cannot {action}: faq/ship-when is {status}"):
                    step(a_version(status=status))


@pytest.mark.parametrize("reviewer", ["anna", " Anna ", "ANNA"])
def test_with_roles_nobody_reviews_their_own_text(reviewer: str) -> None:
    with pytest.raises(NotAllowed, match="somebody other than the author"):
        lifecycle.reviewed(a_version(status=Status.DRAFT), Signed(reviewer), at=START, two_people=True)


def test_without_roles_the_author_may_review() -> None:
    assert lifecycle.reviewed(a_version(status=Status.DRAFT), ANNA, at=START, two_people=False).reviewer == "anna"


def test_editing_a_reviewed_text_takes_the_review_away() -> None:
    edited = lifecycle.saved(a_version(status=Status.REVIEWED, reviewer="bo"), a_draft(), BO, at=START, title="x")

    assert (edited.status, edited.reviewer, edited.number, edited.author) == (Status.DRAFT, None, 1, "bo")


@pytest.mark.parametrize(
    "by", [Signed(""), Signed("  "), Signed("a" * 65), Signed("a\nb"), Signed("anna", "x" * 501), Signed("anna", "a\x00b")]
)
def test_who_and_why_must_be_readable(by: Signed) -> None:
    with pytest.raises(Refused):
        lifecycle.retired(a_version(), by, at=START)


def test_a_rollback_passes_over_a_text_that_has_ended() -> None:
    history = [a_version(1), a_version(2, effective_until=hours(4)), a_version(3)]

    assert lifecycle.rolled_back(history, ANNA, at=hours(3.5)).payload == {"text": "p2"}
    assert lifecycle.rolled_back(history, ANNA, at=hours(5)).payload == {"text": "p1"}
    with pytest.raises(NothingBefore):
        lifecycle.rolled_back(history[1:], ANNA, at=hours(5))


# ---- times ----


def test_times_without_offset_or_in_the_wrong_order_are_refused() -> None:
    naive = START.replace(tzinfo=None)
    for draft in (
        Draft(faq(), {}, None, naive, None),
        Draft(faq(), {}, None, hours(2), hours(2)),
        Draft(faq(), {}, None, None, hours(-1)),
    ):
        with pytest.raises(Refused, match="effective_"):
            lifecycle.saved(None, draft, ANNA, at=START, title="x")


def test_a_text_whose_time_has_passed_is_not_published() -> None:
    with pytest.raises(Refused, match="has passed"):
        lifecycle.published(a_version(status=Status.REVIEWED, effective_until=hours(2)), BO, at=hours(3), two_people=False)


def test_the_newest_text_in_force_speaks_and_its_end_uncovers_the_one_below() -> None:
    sheets = [a_version(1), a_version(2, effective_from=hours(5), effective_until=hours(8))]

    assert [version and version.revision for version in (effective(sheets, hours(h)) for h in (0, 1, 5, 8))] == [None, 1, 2, 1]
    assert [next_change(sheets, hours(h)) for h in (0, 1, 5, 8)] == [hours(1), hours(5), hours(8), None]
    assert [first_needed(sheets, hours(h)) for h in (2, 9)] == [1, 1]
    assert first_needed([*sheets, a_version(9)], hours(9)) == 9


def test_retiring_ends_all_and_a_rollback_takes_one_away() -> None:
    assert publications([a_version(1), a_version(2, Status.RETIRED)]) == []
    kept = publications([a_version(1), a_version(2), a_version(3, undoes=2)])
    assert [version.revision for version in kept] == [1, 3]


# ---- differences ----


def test_lists_of_texts_differ_by_what_came_and_went() -> None:
    changes = difference({"similar": {"zh": ["a", "b"]}, "n": 1, "same": None}, {"similar": {"zh": ["b", "c"]}, "n": True, "same": None})

    assert [str(change) for change in changes] == ["~ n: 1 → true", "- similar.zh: a", "+ similar.zh: c"]


def test_another_order_is_a_difference_and_the_same_is_none() -> None:
    assert [str(change) for change in difference({"a": ["x", "y"]}, {"a": ["y", "x"]})] == ["~ a: x | y → y | x"]
    assert difference({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": None}]}}) == ()
