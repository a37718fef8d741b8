"""The intent that is found least, which figures over all rows hide."""

from __future__ import annotations

import pytest

from evaluation.outcomes import Judged
from evaluation.suites.answers import faq_top1, wrong_automatic_answers
from evaluation.suites.least_found import FEWEST_ROWS, least_found_intent, least_found_language, most_misled_language
from tests.fakes_evaluation import ENTRIES, make_judged, make_row
from yingda.domain.decision import Outcome


def rows(intent: str, *, right: int, wrong: int = 0) -> list[Judged]:
    """Rows of ``intent`` whose best entry is right, then some where it is another intent's."""
    own = next(entry for entry, code in ENTRIES.items() if code == intent)
    other = next(entry for entry, code in ENTRIES.items() if code != intent)
    row = make_row(intent=intent, faq=own)
    return [make_judged(row, entry=own)] * right + [make_judged(row, entry=other)] * wrong


def test_a_lost_intent_shows_though_the_figure_over_all_rows_is_high() -> None:
    judged = [*rows("SHIP", right=390), *rows("CANCEL", right=0, wrong=10)]

    assert faq_top1(judged).value == pytest.approx(0.975)
    assert (least_found_intent(judged).value, least_found_intent(judged).n) == (0.0, 10)


def test_it_is_the_lowest_of_all_intents() -> None:
    judged = [*rows("SHIP", right=18, wrong=2), *rows("CANCEL", right=12, wrong=8), *rows("COUPON", right=20)]

    assert least_found_intent(judged).value == pytest.approx(0.6)


def test_intents_with_few_rows_do_not_decide() -> None:
    judged = [*rows("SHIP", right=20), *rows("CANCEL", right=0, wrong=FEWEST_ROWS - 1)]

    assert least_found_intent(judged).value == pytest.approx(1.0)


def test_intents_with_few_rows_are_looked_at_together() -> None:
    judged = [*rows("SHIP", right=20), *rows("CANCEL", right=1, wrong=5), *rows("COUPON", right=2, wrong=4)]

    assert least_found_intent(judged).value == pytest.approx(0.25)
    assert least_found_intent(judged).n == 12


def test_rows_without_an_entry_or_an_intent_do_not_count() -> None:
    unanswerable = [make_judged(make_row(faq=None))] * 20 + [make_judged(make_row(intent=None))] * 20

    assert least_found_intent(unanswerable).value is None
    assert least_found_intent([*unanswerable, *rows("SHIP", right=10)]).n == 10


def test_without_an_intent_of_enough_rows_there_is_no_figure() -> None:
    found = least_found_intent(rows("SHIP", right=FEWEST_ROWS - 1))

    assert (found.value, found.n) == (None, 0)


def test_the_order_of_rows_does_not_matter() -> None:
    judged = [*rows("SHIP", right=10, wrong=10), *rows("CANCEL", right=6, wrong=6)]

    assert least_found_intent(judged) == least_found_intent(judged[::-1])
    assert least_found_intent(judged).n == 20, "of two that are found alike, the one with more rows"


def language(name: str | None, *, right: int = 0, wrong: int = 0, held: int = 0) -> list[Judged]:
    """Rows of a language that are answered rightly, answered wrongly, or not answered though the best entry is right."""
    row = make_row(language=name)
    silent = make_judged(row, accepted=False, outcome=Outcome.NO_ANSWER)
    return [*[make_judged(row)] * right, *[make_judged(row, entry="cancel-how")] * wrong, *[silent] * held]


def test_a_lost_language_shows_though_the_figure_over_all_languages_is_high() -> None:
    judged = [*(item for name in "abcdefghijkl" for item in language(name, right=18)), *language("ar", wrong=17, right=1)]

    assert faq_top1(judged).value == pytest.approx(217 / 234)
    assert least_found_language(judged).value == pytest.approx(1 / 18)
    assert least_found_language(judged).n == 18


def test_a_language_that_is_answered_wrongly_shows_though_the_share_over_all_is_low() -> None:
    judged = [*(item for name in "abcdefghijkl" for item in language(name, held=20)), *language("ja", right=15, wrong=5)]

    assert wrong_automatic_answers(judged).value == pytest.approx(5 / 260)
    assert (most_misled_language(judged).value, most_misled_language(judged).n) == (0.25, 20)


def test_rows_of_no_marked_language_are_no_language() -> None:
    assert least_found_language(language(None, right=20)).n == 0
    assert most_misled_language(language(None, wrong=20)).value is None


def test_languages_with_few_rows_are_looked_at_together() -> None:
    judged = [*language("de", right=20), *language("fr", right=5, wrong=1), *language("es", right=4, wrong=2)]

    assert least_found_language(judged).value == pytest.approx(0.75)
    assert most_misled_language(judged).value == pytest.approx(0.25)
