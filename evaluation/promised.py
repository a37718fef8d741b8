"""What the promised error budget costs: every budget of the manifest held against test rows, and coverage by intent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evaluation.errors import EvaluationError
from evaluation.examination import Examination
from evaluation.metrics import Measure, clopper_pearson_lower, clopper_pearson_upper, share, share_lower_bound
from evaluation.outcomes import Judged
from evaluation.promise_page import write_page
from evaluation.suites.against import against
from evaluation.suites.answers import automatic_accuracy, automatic_accuracy_lower_bound
from evaluation.traffic import SHARES, mixture
from yingda.bundle import MANIFEST

NAME = "promise"
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "wrong_accepted": "Share of accepted matches that are wrong: what the error budget promises to bound.",
        "served_budget_exceeded": (
            "By how much more than the served budget is surely wrong: the one-sided 95 % Clopper-Pearson lower bound of wrong_accepted "
            "less that budget, 0 where it is lower. Above 0 the rows are evidence that the promise is broken."
        ),
        "intents_never_matched": "Share of the intents with labelled entries of whose messages not one gets a match accepted.",
    }
)


@dataclass(frozen=True, slots=True)
class Price:
    """An error budget and the threshold that keeps it on calibration rows; above 1 nothing is accepted."""

    error_budget: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Promised:
    """What a manifest promises: the budget that is served, None where it names none, and the prices of those it lists."""

    prices: tuple[Price, ...] = ()
    served: Price | None = None


def read_promised(bundle: Path) -> Promised:
    """The promise of ``bundle`` and its price list; nothing for a bundle made before there was such a list.

    Raises EvaluationError where the list has another form, and where another threshold serves than the one that was promised.
    """
    path = bundle / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        _check_served(manifest, path)
        prices = tuple(Price(float(fields["error_budget"]), float(fields["threshold"])) for fields in manifest.get("promise_prices", []))
        return Promised(prices, _served(manifest.get("promise", {})))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EvaluationError(f"{path}: it or its promise_prices cannot be read; rebuild the bundle with `dvc repro`") from error


def _served(promise: Mapping[str, Any]) -> Price | None:
    if "match" not in promise:
        return None
    return Price(float(promise["error_budget"]), float(promise["match"]["threshold"]))


def _check_served(manifest: Mapping[str, Any], path: Path) -> None:
    """A threshold set by hand keeps no promise, whatever the test rows say of it: calibration found the one that does."""
    served = manifest.get("thresholds", {})
    for name, told in manifest.get("promise", {}).items():
        if isinstance(told, dict) and name in served and served[name] != told["threshold"]:
            serves, promised = served[name], told["threshold"]
            raise EvaluationError(
                f"{path}: serves the threshold {serves} for {name}, and the promise was made for {promised}; rebuild it with `dvc repro`"
            )


def examine_promise(promised: Promised, judged: Sequence[Judged]) -> Examination:
    """What the served budget and each of the listed ones give on ``judged``, public rows that they are held against.

    The thresholds come from calibration rows by Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052); none is chosen on
    the rows it is shown for. A manifest without such a list gives no table.
    """
    accepted = [not row.accepted_right for row in judged if row.accepted]
    by_intent = _by_intent(judged)
    wrong = against(judged, texts=True)["match_accuracy"]
    facts = {
        "served": None if promised.served is None else _served_facts(promised.served, accepted),
        "automatic": {"right": automatic_accuracy(judged), "bound": automatic_accuracy_lower_bound(judged)},
        "traffic": _traffic(promised.served, judged),
        "budgets": [_kept(price, judged) for price in promised.prices],
        "overall": _coverage([row for row in judged if row.row.faq is not None]),
        "intents": by_intent,
    }
    return Examination(
        name=NAME,
        measures={
            "wrong_accepted": share(accepted),
            "served_budget_exceeded": _exceeded(promised.served, accepted),
            "intents_never_matched": share([found["covered"].value == 0 for found in by_intent.values()]),
        },
        facts=_plain(facts),
        page=tuple(write_page(facts)),
        missing="the bundle's manifest names no budget that it serves" if promised.served is None else "",
        examples={"wrong_accepted": wrong, "served_budget_exceeded": wrong},
    )


def _exceeded(served: Price | None, wrong: Sequence[bool]) -> Measure:
    """An exact binomial test of "no more than the budget is wrong": the bound exceeds the budget when it is rejected at 5 %."""
    if served is None or not wrong:
        return Measure(None, 0)
    return Measure(max(0.0, clopper_pearson_lower(sum(wrong), len(wrong)) - served.error_budget), len(wrong))


def _served_facts(served: Price, wrong: Sequence[bool]) -> dict[str, Any]:
    return {
        "error_budget": served.error_budget,
        "threshold": served.threshold,
        "wrong": share(wrong),
        "at_most": clopper_pearson_upper(sum(wrong), len(wrong)) if wrong else None,
        "verdict": _verdict(served.error_budget, wrong),
    }


def _traffic(served: Price | None, judged: Sequence[Judged]) -> dict[str, Any] | None:
    """Accepted and wrong by the share of messages that no entry answers; None where the rows hold only one kind of message."""
    found = mixture(judged)
    if found is None:
        return None
    return {
        "own": found.own,
        "mixtures": [found.at(unanswerable) for unanswerable in sorted({*SHARES, found.own})],
        "holds_up_to": None if served is None else found.holds_up_to(served.error_budget),
    }


def _kept(price: Price, judged: Sequence[Judged]) -> dict[str, Any]:
    threshold = price.threshold
    right = [row.best_right for row in judged if row.best_confidence >= threshold]
    wanted = [row for row in judged if row.row.faq is not None]
    return {
        "error_budget": price.error_budget,
        "threshold": threshold,
        "covered": share([row.best_confidence >= threshold for row in wanted]),
        "cost": share([row.best_right and row.best_confidence < threshold for row in wanted]),
        "right": share(right),
        "bound": share_lower_bound(right),
        "verdict": _verdict(price.error_budget, [not found for found in right]),
    }


def _verdict(budget: float, wrong: Sequence[bool]) -> str:
    """What these rows show, each way by a one-sided exact test at 5 %: that the budget is kept, that it is not, or neither."""
    count, rows = sum(wrong), len(wrong)
    if not rows:
        return "nothing accepted"
    if clopper_pearson_upper(count, rows) <= budget:
        return "kept"
    if clopper_pearson_lower(count, rows) > budget:
        return "broken"
    return "kept on these rows, too few to be sure" if count <= budget * rows else "missed on these rows, which may be chance"


def _by_intent(judged: Sequence[Judged]) -> dict[str, dict[str, Measure]]:
    """Coverage and match accuracy at the served threshold, by labelled intent, the least covered first."""
    wanted: dict[str, list[Judged]] = {}
    for row in judged:
        if row.row.faq is not None and row.row.intent is not None:
            wanted.setdefault(row.row.intent, []).append(row)
    found = {intent: _coverage(rows) for intent, rows in wanted.items()}
    return dict(sorted(found.items(), key=lambda item: (item[1]["covered"].value or 0.0, item[0])))


def _coverage(rows: Sequence[Judged]) -> dict[str, Measure]:
    """Of answerable ``rows``: accepted, right among those, sent without a person, and right without being accepted."""
    return {
        "covered": share([row.accepted for row in rows]),
        "right": share([row.accepted_right for row in rows if row.accepted]),
        "automatic": share([row.automatic for row in rows]),
        "cost": share([row.best_right and not row.accepted for row in rows]),
    }


def _plain(value: Any) -> Any:
    """``value`` for JSON: measures as their fields, numbers no finer than the runtime rounds."""
    if isinstance(value, Measure):
        return _plain({"value": value.value, "n": value.n, "low": value.low, "high": value.high})
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {name: found if name == "threshold" else _plain(found) for name, found in value.items()}
    if isinstance(value, list):
        return [_plain(found) for found in value]
    return round(value, 6) if isinstance(value, float) else value
