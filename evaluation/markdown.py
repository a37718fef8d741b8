"""The report for people: a page to read and a screen to glance at."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from evaluation.examination import Examination, Example
from evaluation.gates import EXAMINATIONS, GateResult, Side, Verdict
from evaluation.metrics import Measure
from evaluation.report import Report
from evaluation.suites import HEADLINES, METRICS, SuiteResult
from evaluation.suites.calibration import HEADS, Calibration
from evaluation.tables import figure, interval_cell, table

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

_LONGEST = 40  # characters of a message on the screen
_FULLY_TOLD = 4
"""Gates that did not pass up to which all of their messages to read, and all that there is to say, fit on the screen."""
SCREEN = 40
"""Lines of a screen that nobody has to scroll."""
_BELOW = 5
"""Lines below the gates besides those of the suites."""


def to_markdown(report: Report, *, diagrams: Collection[str] = ()) -> str:
    """The whole report as Markdown; ``diagrams`` names the pictures beside it."""
    lines = [*_head(report), *_gates(report), *_measures(report), *_calibrations(report.suites), *_diagrams(diagrams)]
    for found in report.examinations:
        lines += [*_examination(found)]
    for result in report.suites:
        lines += [*_slices(result), *_mistakes(result)]
    return "\n".join([*lines, *_definitions(), *_run(report)]) + "\n"


def to_screen(report: Report, page: Path | None = None) -> str:
    """One screen: the gates that did not pass, each with its margin and messages to read, the others as a count, then the main
    figures of each suite on one line, and last the verdict with the path of ``page``.

    With more than a few such gates each tells one message, as far as the screen goes; the page has all.
    """
    lines = _told(report.gates, room=SCREEN - _BELOW - len(report.suites))
    counts = Counter(result.verdict for result in report.gates)
    passed = f"passed    {counts[Verdict.PASSED]} of {len(report.gates)} gates"
    lines.append(passed + (f", {counts[Verdict.SKIPPED]} skipped for want of rows" if counts[Verdict.SKIPPED] else ""))
    width = min(44, max(len(result.name) for result in report.suites))
    lines += ["", f"{'suite':<{width}}  rows" + "".join(f"{title:>7}" for title in _GLANCE)]
    for result in report.suites:
        figures = "".join(f"{figure(result.measures[metric]):>7}" for metric in _GLANCE.values())
        lines.append(f"{result.name[-width:]:<{width}} {result.rows:>5}{figures}")
    read = "" if page is None else f"; to read: {page}"
    return "\n".join([*lines, "", f"{report.verdict} (bundle {report.bundle.version}){read}"]) + "\n"


def _told(results: Sequence[GateResult], *, room: int) -> list[str]:
    """The failed gates, then the undecided, the widest miss first, on ``room`` lines unless the gates alone take more."""
    order = (Verdict.FAILED, Verdict.UNDECIDED)
    shut = [found for verdict in order for found in sorted(results, key=lambda found: found.margin or 0.0) if found.verdict is verdict]
    if len(shut) <= _FULLY_TOLD:
        return [line for result in shut for line in (_line(result, _missed(result)), *map(_example, result.examples))]
    with_example = {id(result) for result in [result for result in shut if result.examples][: max(room - len(shut), 0)]}
    told = ((_line(result, _missed(result).partition(";")[0]), id(result) in with_example, result.examples) for result in shut)
    return [line for gate, has_room, examples in told for line in (gate, *map(_example, examples[:1] if has_room else ()))]


def _line(result: GateResult, said: str) -> str:
    return f"{result.verdict:<9} {result.gate}: {said}"


def _example(example: Example) -> str:
    return f"          {_quoted(example)}"


def _missed(result: GateResult) -> str:
    """Figure and margin, then what else there is to say."""
    if result.margin is None or result.margin >= 0:
        return result.detail
    found, mark, more = result.detail.partition(";")
    return f"{found}, misses by {-100 * result.margin:.2f} points{mark}{more}"


def _quoted(example: Example) -> str:
    """``test-1.jsonl:12 “怎么改地址” order-change expected: …``, without the text where it may not be shown."""
    text = "" if example.text is None else f" “{_shortened(example.text)}”"
    return f"{example.place}{text} {example.said}"


def _shortened(text: str) -> str:
    """``text`` on one line, without what would steer a terminal."""
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _head(report: Report) -> Iterator[str]:
    yield f"# Evaluation: {report.verdict}\n"
    yield f"Bundle {report.bundle.version}, SHA-256 `{report.bundle.sha256}`.  "
    yield f"Pack `{report.pack_digest}`.\n"
    yield from table(("file", "SHA-256"), ((name, f"`{digest}`") for name, digest in report.files.items()))


def _gates(report: Report) -> Iterator[str]:
    yield "## Gates\n"
    yield "The last column tells of a share what its rows can decide: an engine that is truly beyond it fails with a chance of 80 %.\n"
    rows = ((str(result.gate), result.verdict.value, _missed(result), _refused(result)) for result in report.gates)
    yield from table(("gate", "verdict", "found", "refuses"), rows)
    for result in report.gates:
        if result.verdict in (Verdict.FAILED, Verdict.UNDECIDED) and result.examples:
            yield f"### {result.gate}\n"
            yield from table(("where", "text", "what came"), ((each.place, each.text or "", each.said) for each in result.examples))


def _refused(result: GateResult) -> str:
    """``below 0.842``: the true share from which on the gate's rows refuse an engine."""
    if result.refuses is None:
        return "–"
    return f"{'below' if result.gate.side is Side.AT_LEAST else 'above'} {result.refuses:.3f}"


def _measures(report: Report) -> Iterator[str]:
    yield "## Figures\n"
    yield "In brackets the two-sided 95 % Wilson interval; n counts the rows that enter a figure.\n"
    titles = ("metric", *(f"{result.name} ({result.rows} rows)" for result in report.suites))
    yield from table(titles, ((name, *(_cell(s.measures[name]) for s in report.suites)) for name in METRICS))


def _calibrations(suites: Sequence[SuiteResult]) -> Iterator[str]:
    yield "## Calibration\n"
    yield "Expected calibration error of each confidence with its 95 % bootstrap interval, which takes away what few rows add to the"
    yield "error: a small error may lie above it. AURC is the area under risk over coverage of match confidence; lower is better.\n"
    titles = ("suite", "part", "rows", *(f"ECE of {name}" for name in HEADS), "AURC")
    yield from table(titles, (_calibration_cells(result.name, found) for result in suites for found in result.calibrations))


def _calibration_cells(suite: str, found: Calibration) -> Sequence[str]:
    area = "–" if found.selection is None else f"{found.selection.area:.3f}"
    return (suite, found.part, str(found.rows), *(interval_cell(found.heads[name].error) for name in HEADS), area)


def _diagrams(names: Collection[str]) -> Iterator[str]:
    yield "## Diagrams\n"
    if not names:
        yield "Left out, for matplotlib is not installed: `pip install matplotlib`, then evaluate again.\n"
    for name in sorted(names):
        yield f"![{name.partition('.')[0].replace('-', ' ').capitalize()}]({name})\n"


def _examination(found: Examination) -> Iterator[str]:
    yield f"## {found.name.capitalize()}\n"
    meanings = EXAMINATIONS[found.name]
    yield from table(
        ("metric", "found", "what it is"), ((name, _cell(measure), meanings[name]) for name, measure in found.measures.items())
    )
    yield from found.page
    yield ""


def _slices(result: SuiteResult) -> Iterator[str]:
    for by in dict.fromkeys(part.by for part in result.slices):
        yield f"## {result.name} by {by}\n"
        parts = [part for part in result.slices if part.by == by]
        rows = ((part.value, str(part.rows), *(interval_cell(part.measures[name]) for name in HEADLINES)) for part in parts)
        yield from table((by, "rows", *HEADLINES), rows)


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
    yield from table(titles, rows)


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
    yield from table(("suite", "median ms", "p99 ms"), rows)
    yield "Seconds that this evaluation took, by the clock and of CPU time; the clock also counts what else the machine did.\n"
    took = ((name, f"{part.wall_s:.1f}", f"{part.cpu_s:.1f}") for name, part in report.took.items())
    yield from table(("part", "wall s", "CPU s"), took)


def _cell(measure: Measure) -> str:
    return figure(measure) if measure.value is None else f"{interval_cell(measure)}, n {measure.n}"
