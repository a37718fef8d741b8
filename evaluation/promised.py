"""What the promised error budget costs: every budget of the manifest held against test rows, and coverage by intent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evaluation.errors import EvaluationError
from evaluation.examination import Examination
from evaluation.metrics import Measure, share, share_lower_bound
from evaluation.outcomes import Judged
from evaluation.tables import interval_cell, table
from yingda.bundle import MANIFEST

NAME = "promise"
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "wrong_accepted": "Share of accepted matches that are wrong: what the error budget promises to bound.",
        "intents_never_matched": "Share of the intents with labelled entries of whose messages not one gets a match accepted.",
    }
)


@dataclass(frozen=True, slots=True)
class Price:
    """An error budget and the threshold that keeps it on calibration rows; above 1 nothing is accepted."""

    error_budget: float
    threshold: float


def read_prices(bundle: Path) -> tuple[Price, ...]:
    """The budgets that the manifest of ``bundle`` lists; none for a bundle made before there was such a list.

    Raises EvaluationError where the list has another form, and where another threshold serves than the one that was promised.
    """
    path = bundle / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        _check_served(manifest, path)
        return tuple(Price(float(fields["error_budget"]), float(fields["threshold"])) for fields in manifest.get("promise_prices", []))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EvaluationError(f"{path}: it or its promise_prices cannot be read; rebuild the bundle with `dvc repro`") from error


def _check_served(manifest: Mapping[str, Any], path: Path) -> None:
    """A threshold set by hand keeps no promise, whatever the test rows say of it: calibration found the one that does."""
    served = manifest.get("thresholds", {})
    for name, told in manifest.get("promise", {}).items():
        if isinstance(told, dict) and name in served and served[name] != told["threshold"]:
            serves, promised = served[name], told["threshold"]
            raise EvaluationError(
                f"{path}: serves the threshold {serves} for {name}, and the promise was made for {promised}; rebuild it with `dvc repro`"
            )


def examine_promise(prices: Sequence[Price], judged: Sequence[Judged]) -> Examination:
    """What each of ``prices`` gives on ``judged``, the rows they are verified on.

    The thresholds come from calibration rows by Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052); nothing here is
    chosen on the rows it is shown for. A manifest without such a list gives no table.
    """
    kept = [_kept(price, judged) for price in prices]
    by_intent = _by_intent(judged)
    silent = [found["covered"].value == 0 for found in by_intent.values()]
    return Examination(
        name=NAME,
        measures={
            "wrong_accepted": share([not row.accepted_right for row in judged if row.accepted]),
            "intents_never_matched": share(silent),
        },
        facts={
            "budgets": [{name: _plain(value) for name, value in found.items()} for found in kept],
            "intents": {intent: {name: _plain(value) for name, value in found.items()} for intent, found in by_intent.items()},
        },
        page=tuple(_page(kept, by_intent)),
    )


def _kept(price: Price, judged: Sequence[Judged]) -> dict[str, Any]:
    threshold = price.threshold
    accepted = [row for row in judged if row.best_confidence >= threshold]
    right, bound = share([row.best_right for row in accepted]), share_lower_bound([row.best_right for row in accepted])
    return {
        "error_budget": price.error_budget,
        "threshold": threshold,
        "covered": share([row.best_confidence >= threshold for row in judged if row.row.faq is not None]),
        "right": right,
        "bound": bound,
        "verdict": _verdict(price.error_budget, right, bound),
    }


def _verdict(budget: float, right: Measure, bound: Measure) -> str:
    """Whether these rows show, at 95 % confidence, that the budget is kept; "broken" when even the share itself exceeds it."""
    if right.value is None or bound.value is None:
        return "nothing accepted"
    if bound.value >= 1 - budget:
        return "kept"
    return "broken" if right.value < 1 - budget else "kept on these rows, too few to be sure"


def _by_intent(judged: Sequence[Judged]) -> dict[str, dict[str, Measure]]:
    """Coverage and match accuracy at the served threshold, by labelled intent, the least covered first."""
    wanted: dict[str, list[Judged]] = {}
    for row in judged:
        if row.row.faq is not None and row.row.intent is not None:
            wanted.setdefault(row.row.intent, []).append(row)
    found = {
        intent: {
            "covered": share([row.accepted for row in rows]),
            "right": share([row.accepted_right for row in rows if row.accepted]),
            "cost": share([row.best_right and not row.accepted for row in rows]),
        }
        for intent, rows in wanted.items()
    }
    return dict(sorted(found.items(), key=lambda item: (item[1]["covered"].value or 0.0, item[0])))


def _page(kept: Sequence[Mapping[str, Any]], by_intent: Mapping[str, Mapping[str, Measure]]) -> Iterator[str]:
    if kept:
        yield "Thresholds were chosen on calibration rows, one for each budget, by Learn then Test (Angelopoulos et al. 2021,"
        yield "arXiv:2110.01052); the figures are those of the test rows, which chose nothing. The budget bounds wrong matches among those"
        yield "accepted; what is then answered passes further checks, so automatic answers are no worse."
        yield ""
        titles = ("error budget", "threshold", "coverage", "match accuracy", "its lower bound", "the promise on test rows")
        yield from table(titles, (_price_cells(found) for found in kept))
    else:
        yield "This bundle lists no thresholds for other budgets; `dvc repro` makes one that does."
        yield ""
    yield "At the served threshold, by labelled intent, the least covered first. The cost of the promise is the share of messages whose"
    yield "best entry was the right one and was not sure enough:"
    yield ""
    rows = (
        (intent, str(found["covered"].n), *(interval_cell(found[name]) for name in ("covered", "right", "cost")))
        for intent, found in by_intent.items()
    )
    yield from table(("intent", "rows", "coverage", "match accuracy", "cost"), rows)


def _price_cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    threshold = f"{found['threshold']:.4f}" if found["threshold"] <= 1 else "none"
    bound = found["bound"].value
    return (
        f"{found['error_budget']:.0%}",
        threshold,
        interval_cell(found["covered"]),
        interval_cell(found["right"]),
        "–" if bound is None else f"{bound:.3f}",
        found["verdict"],
    )


def _plain(value: object) -> object:
    """A measure as its fields for JSON; anything else as it is."""
    if not isinstance(value, Measure):
        return value
    fields = {"value": value.value, "n": value.n, "low": value.low, "high": value.high}
    return {name: round(found, 6) if isinstance(found, float) else found for name, found in fields.items()}
