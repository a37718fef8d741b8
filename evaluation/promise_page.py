"""What the report says about the promise, as lines of Markdown without the heading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import floor
from typing import Any

from evaluation.metrics import Measure
from evaluation.tables import interval_cell, table

_COVERAGE = {"coverage": "covered", "match accuracy": "right", "answered automatically": "automatic", "cost": "cost"}


def write_page(facts: Mapping[str, Any]) -> Iterator[str]:
    """The served budget, traffic, every listed budget, and coverage by intent; ``facts`` are those of the examination."""
    yield from _served(facts["served"])
    yield from _automatic(**facts["automatic"])
    yield from _traffic(facts["traffic"])
    yield from _budgets(facts["budgets"])
    yield from _intents(facts["overall"], facts["intents"])


def _served(served: Mapping[str, Any] | None) -> Iterator[str]:
    if served is None:
        yield "The manifest names no budget that this bundle serves.\n"
        return
    wrong = served["wrong"]
    yield f"The budget that serves is {served['error_budget']:g}: of accepted matches no larger share may be wrong."
    if wrong.value is None:
        yield "No match was accepted.\n"
        return
    yield f"Of the {wrong.n} accepted on these rows {round(wrong.value * wrong.n)} are wrong, a share of {wrong.value:.4f}."
    yield {
        "kept": "At 95 % confidence that shows the budget to be kept.\n",
        "broken": "At 95 % confidence that shows the budget to be exceeded: the promise is broken.\n",
    }.get(
        served["verdict"],
        "That is no evidence against the budget, and does not show it to be kept either: at 95 % confidence these rows show that "
        f"at most {served['at_most']:.4f} are wrong.\n",
    )
    yield "Thresholds were chosen on calibration rows, by Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052). The budget is less"
    yield "innocent: the default one and settings before it were chosen knowing how the pack's own test files come out, so read their"
    yield "bounds as somewhat optimistic, and measure on messages that chose nothing (`--extra FILE`).\n"


def _automatic(*, right: Measure, bound: Measure) -> Iterator[str]:
    yield "Accepted matches are what the budget bounds, not automatic answers. These passed further checks, which makes them fewer and"
    if right.value is None or bound.value is None:
        yield "not always safer. Here there is none.\n"
        return
    yield f"not always safer: of {right.n} automatic answers {right.n - round(right.value * right.n)} are wrong, and the one-sided 95 %"
    yield f"lower bound of their accuracy is {bound.value:.3f}.\n"


def _traffic(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    yield "A share of accepted matches depends on the traffic: the more messages no entry answers, the more of what is accepted is wrong."
    yield "With both kinds of messages handled as on these rows, it would be in expectation:\n"
    rows = (
        (
            f"{mixed.unanswerable:.1%}" + (" (these rows)" if mixed.unanswerable == found["own"] else ""),
            f"{mixed.accepted:.3f}",
            "–" if mixed.wrong is None else f"{mixed.wrong:.4f}",
        )
        for mixed in found["mixtures"]
    )
    yield from table(("messages that no entry answers", "accepted, of all messages", "wrong, of those accepted"), rows)
    if found["holds_up_to"] is not None:
        yield f"In expectation the served budget holds up to {floor(100 * found['holds_up_to'])} % of such messages.\n"


def _budgets(kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not kept:
        yield "This bundle lists no thresholds for other budgets; `dvc repro` makes one that does.\n"
        return
    yield "What each budget that the manifest lists would give; the cost is the share of answerable messages whose best entry was the"
    yield "right one and was not sure enough:\n"
    titles = ("error budget", "threshold", "coverage", "cost", "match accuracy", "its lower bound", "the promise on test rows")
    yield from table(titles, (_price_cells(found) for found in kept))


def _intents(overall: Mapping[str, Measure], by_intent: Mapping[str, Mapping[str, Measure]]) -> Iterator[str]:
    yield "At the served threshold, over all answerable messages and by labelled intent, the least covered first:\n"
    rows = (
        (intent, str(found["covered"].n), *(interval_cell(found[name]) for name in _COVERAGE.values()))
        for intent, found in (("all", overall), *by_intent.items())
    )
    yield from table(("intent", "rows", *_COVERAGE), rows)


def _price_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    threshold = f"{found['threshold']:.4f}" if found["threshold"] <= 1 else "none"
    bound = found["bound"].value
    return (
        f"{found['error_budget']:.0%}",
        threshold,
        interval_cell(found["covered"]),
        interval_cell(found["cost"]),
        interval_cell(found["right"]),
        "–" if bound is None else f"{bound:.3f}",
        found["verdict"],
    )
