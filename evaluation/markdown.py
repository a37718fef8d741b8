"""The report for people: a page to read and a screen to glance at."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

from evaluation.metrics import Measure
from evaluation.report import Report
from evaluation.suites import METRICS, SuiteResult
from evaluation.suites.suite import SLICED

_GLANCE = {
    "intent": "intent_accuracy",
    "top-1": "faq_top1",
    "match": "match_accuracy",
    "bound": "match_accuracy_lower_bound",
    "cover": "coverage",
    "wrong": "wrong_automatic_answers",
    "refuse": "out_of_scope_refusal",
    "mood": "sentiment_macro_f1",
}


def to_markdown(report: Report) -> str:
    """The whole report as Markdown."""
    lines = [*_head(report), *_gates(report), *_measures(report)]
    for result in report.suites:
        lines += [*_slices(result), *_mistakes(result)]
    return "\n".join([*lines, *_definitions(), *_run(report)]) + "\n"


def to_screen(report: Report) -> str:
    """Gates, then the main figures of each suite on one line."""
    lines = [f"{result.verdict:<9} {result.gate}: {result.detail}" for result in report.gates]
    width = min(44, max(len(result.name) for result in report.suites))
    lines += ["", f"{'suite':<{width}}  rows" + "".join(f"{title:>7}" for title in _GLANCE)]
    for result in report.suites:
        figures = "".join(f"{_figure(result.measures[metric]):>7}" for metric in _GLANCE.values())
        lines.append(f"{result.name[-width:]:<{width}} {result.rows:>5}{figures}")
    return "\n".join([*lines, "", f"{report.verdict} (bundle {report.bundle.version})"]) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# Evaluation: {report.verdict}\n"
    yield f"Bundle {report.bundle.version}, SHA-256 `{report.bundle.sha256}`.  "
    yield f"Pack `{report.pack_digest}`.\n"
    yield from _table(("file", "SHA-256"), ((name, f"`{digest}`") for name, digest in report.files.items()))


def _gates(report: Report) -> Iterator[str]:
    yield "## Gates\n"
    rows = ((str(result.gate), result.verdict.value, result.detail) for result in report.gates)
    yield from _table(("gate", "verdict", "found"), rows)


def _measures(report: Report) -> Iterator[str]:
    yield "## Figures\n"
    yield "In brackets the two-sided 95 % Wilson interval; n counts the rows that enter a figure.\n"
    titles = ("metric", *(f"{result.name} ({result.rows} rows)" for result in report.suites))
    yield from _table(titles, ((name, *(_cell(s.measures[name]) for s in report.suites)) for name in METRICS))


def _slices(result: SuiteResult) -> Iterator[str]:
    for by in dict.fromkeys(part.by for part in result.slices):
        yield f"## {result.name} by {by}\n"
        parts = [part for part in result.slices if part.by == by]
        rows = ((part.value, str(part.rows), *(_figure(part.measures[name]) for name in SLICED)) for part in parts)
        yield from _table((by, "rows", *SLICED), rows)


def _mistakes(result: SuiteResult) -> Iterator[str]:
    if not result.mistakes:
        return
    yield f"## {result.name}: the surest wrong matches\n"
    texts = any(wrong.text is not None for wrong in result.mistakes)
    titles = ("where", *(["text"] if texts else []), "label", "match", "confidence", "accepted")
    rows = (
        (
            wrong.place,
            *([wrong.text or ""] if texts else []),
            wrong.gold or "none",
            wrong.got,
            f"{wrong.confidence:.3f}",
            "yes" if wrong.accepted else "no",
        )
        for wrong in result.mistakes
    )
    yield from _table(titles, rows)


def _definitions() -> Iterator[str]:
    yield "## Definitions\n"
    for name, metric in METRICS.items():
        yield f"- `{name}`: {inspect.getdoc(metric)}"
    yield ""


def _run(report: Report) -> Iterator[str]:
    yield "## This run\n"
    yield "Informative: latency is engine time a message, one message at a time.\n"
    environment = report.environment
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    yield f"Commit {environment.commit or 'unknown'}; Python {environment.python}; {packages}.\n"
    rows = ((s.name, f"{s.latency.median:.2f}", f"{s.latency.p99:.2f}") for s in report.suites)
    yield from _table(("suite", "median ms", "p99 ms"), rows)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(titles)
    yield _line(["---"] * len(titles))
    yield from (_line(row) for row in rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def _cell(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return _figure(measure) if measure.value is None else f"{_figure(measure)}, n {measure.n}"
    return f"{_figure(measure)} [{measure.low:.3f}, {measure.high:.3f}], n {measure.n}"


def _figure(measure: Measure) -> str:
    return "–" if measure.value is None else f"{measure.value:.3f}"
