"""The table: our figures beside published ones, each with its source. It holds figures alone, never a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from training.benchmark.sets import FLOOR, HUMAN, SETS, DataSet, Published

_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "f1": "F1 of same",
    "spearman": "Spearman",
    "auroc": "AUROC",
    "ece": "ECE",
    "threshold": "threshold",
    "in_scope_accuracy": "in-scope accuracy",
    "out_of_scope_recall": "out-of-scope recall",
    "in_scope_accuracy_by_dev_accuracy": "in-scope accuracy, threshold by accuracy on dev",
    "out_of_scope_recall_by_dev_accuracy": "out-of-scope recall, threshold by accuracy on dev",
    "in_scope_accuracy_without_threshold": "in-scope accuracy, nothing rejected",
    "accuracy_encoder_alone": "accuracy, encoder alone",
    "accuracy_ngrams_alone": "accuracy, n-grams alone",
    "accuracy_before_training": "accuracy, base weights",
    "spearman_before_training": "Spearman, base weights",
}
_HIDDEN = ("_low", "_high")
_INTRO = """\
The recipe of the shipped models on public data sets{size}: one encoder fine-tuned with class prototypes and an intent head, a character
n-gram view, their fusion and its confidence fitted on rows that no view saw. In brackets the two-sided 95 % Wilson interval; it
knows the test rows' number alone, not how much a training varies. Figures in percent, but Spearman, AUROC and thresholds.
"""
_LICENCE = """\
Simple system: TF-IDF of character n-grams and a linear SVM, run once on the same files. Published figures are their authors'.
Sets without a stated licence are used for this benchmark only: neither their rows nor anything made of these is distributed.
"""


def to_markdown(records: Sequence[Mapping[str, Any]], shipped_layers: int) -> str:
    """The page: a table of all sets, then each with all of its figures and what others published.

    ``shipped_layers`` is the depth of the shipped encoder; where one here had another, the page says so.
    """
    intro = _INTRO.format(size=_size(records, shipped_layers))
    lines = ["# Public benchmarks", "", *_trial(records), intro, *_summary(records), _LICENCE]
    for record in records:
        lines += list(_section(record, SETS[record["name"]]))
    return "\n".join(lines).rstrip() + "\n"


def _trial(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows := {record["trial_rows"] for record in records} - {None}:
        yield f"**A trial on at most {max(rows)} rows of each part: these figures say nothing about the recipe.**\n"


def _size(records: Sequence[Mapping[str, Any]], shipped: int) -> str:
    sizes = sorted({training["layers"] for record in records for training in record["trainings"]})
    if not sizes or sizes == [shipped]:
        return ""
    layers = " and ".join(map(str, sizes))
    return f", but **with {layers} layers; the shipped encoder has {shipped}**"


def _summary(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    titles = ("set", "task", "rows judged", "figure", "ours", "target", "simple system", "human", "best published", "ECE", "licence")
    yield from table(titles, (row for record in records for row in _rows(record, SETS[record["name"]])))


def _rows(record: Mapping[str, Any], dataset: DataSet) -> Iterator[Sequence[str]]:
    figures, targets = record["figures"], dataset.targets or {}
    for metric in dict.fromkeys((dataset.metric, *targets)):
        theirs = [found for found in dataset.published if found.metric == metric]
        floor = [found for found in theirs if found.system == FLOOR]
        machines = [found for found in theirs if found.system not in (HUMAN, FLOOR)]
        yield (
            dataset.name,
            f"{dataset.task}, {dataset.language}",
            str(record["judged"]),
            _NAMES[metric],
            f"**{_value(metric, figures)}**",
            _target(metric, figures, targets),
            _percent(metric, floor[0].percent / 100) if floor else "–",
            *(_brief(found) for found in (_best(found for found in theirs if found.system == HUMAN), _best(machines))),
            _value("ece", figures),
            dataset.licence or "none stated",
        )


def _target(metric: str, figures: Mapping[str, float], targets: Mapping[str, float]) -> str:
    if metric not in targets:
        return "–"
    return f"{_percent(metric, targets[metric])}, {'met' if figures[metric] >= targets[metric] else 'missed'}"


def _best(found: Iterable[Published]) -> Published | None:
    return max(found, key=lambda one: one.percent, default=None)


def _brief(found: Published | None) -> str:
    if found is None:
        return "–"
    name = "" if found.system == HUMAN else f" {found.system}"
    return f"{_percent(found.metric, found.percent / 100)}{name}{f' ({found.differs})' if found.differs else ''}"


def _section(record: Mapping[str, Any], dataset: DataSet) -> Iterator[str]:
    yield f"## {dataset.name}\n"
    yield f"{_protocol(record, dataset)} {dataset.note}".strip() + "\n"
    shown = [name for name in record["figures"] if not name.endswith(_HIDDEN) and name in _NAMES]
    ours = [("ours", _NAMES[name], _value(name, record["figures"]), "this run") for name in shown]
    theirs = [
        (
            found.system,
            _NAMES[found.metric],
            _percent(found.metric, found.percent / 100),
            "; ".join(filter(None, (found.source, found.differs))),
        )
        for found in dataset.published
    ]
    yield from table(("system", "figure", "value", "source"), [*ours, *theirs])


def _protocol(record: Mapping[str, Any], dataset: DataSet) -> str:
    trainings = record["trainings"]
    first = trainings[0]
    # a training that was paused took longer by the clock than its work did, and one on a GPU works elsewhere than in this process
    unit, field = ("processor minutes", "cpu_seconds") if first["device"] == "cpu" else ("minutes", "seconds")
    minutes = sum(training[field] for training in trainings) / 60
    part = f", judged by the first {len(trainings)} of {whole} folds alone" if len(trainings) < (whole := record.get("folds", 1)) else ""
    return (
        f"{dataset.scheme.capitalize()}{part}; trained on {first['fitted_on']:,} rows, calibrated on {first['calibrated_on']:,}, "
        f"judged on {record['judged']:,}; {first['layers']} layers, {first['epochs']} epochs, {first['precision']}, "
        f"{minutes:.0f} {unit} of training on {first['device']}. Rows: SHA-256 `{record['data_sha256'][:12]}`."
    )


def _value(name: str, figures: Mapping[str, float]) -> str:
    text = _percent(name, figures[name])
    if f"{name}_low" not in figures:
        return text
    return f"{text} [{_percent(name, figures[f'{name}_low'])}, {_percent(name, figures[f'{name}_high'])}]"


def _percent(name: str, value: float) -> str:
    if name.startswith(("spearman", "auroc", "threshold")):
        return f"{value:.3f}"
    return f"{100 * value:.1f}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table, then an empty one."""
    yield _line(titles)
    yield _line(["---"] * len(titles))
    yield from (_line(row) for row in rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
