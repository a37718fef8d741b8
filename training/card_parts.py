"""The tables and sentences of the model card; every figure comes from a report, the manifest or a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.studies import shown, table
from yingda.bundle import CARD

SUITES: Mapping[str, str] = {"test": "Chinese test files", "multilingual": "Multilingual test file"}
"""Suites of the report that the card shows, and what people call them."""

WATTS_A_CORE = 12.0
"""Power of a busy core, assumed: the default of the Green Algorithms calculator (L. Lannelongue, J. Grealey, M. Inouye,
"Green Algorithms: quantifying the carbon footprint of computation", Advanced Science 8 (2021))."""

_USES = {
    "fit": "training",
    "entries": "training: the wordings of the FAQ entries",
    "select": "chooses the epoch",
    "calibrate": "fusion, temperatures, thresholds",
}
_NOTHING: Mapping[str, Any] = {"value": None}


@dataclass(frozen=True, slots=True)
class Titled:
    """A table under its heading."""

    title: str
    table: str


def interval(measure: Mapping[str, Any]) -> str:
    """``0.967 [0.948, 0.979]``, without an interval where there is none; a dash for what could not be computed."""
    if measure["value"] is None:
        return "–"
    return f"{measure['value']:.3f}" + (f" [{measure['low']:.3f}, {measure['high']:.3f}]" if "low" in measure else "")


def splits_table(manifest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Rows by part and what a part is used for; empty for a manifest that does not say."""
    parts = manifest.get("data", {}).get("rows", {})
    tests = {SUITES[name]: suite["rows"] for name, suite in report["suites"].items() if name in SUITES}
    if not parts:
        return ""
    used = [[f"`{name}`", shown(rows), _USES.get(name, "")] for name, rows in parts.items()]
    return table(["part", "rows", "use"], [*used, *([name, shown(rows), "evaluation only"] for name, rows in tests.items())])


def logs_table(manifest: Mapping[str, Any]) -> str:
    """One line a log dataset that took part; empty where none did."""
    rows = [
        [
            log["name"],
            f"`{log['version']}`",
            shown(log["rows"]),
            "; ".join(log["sources"]) or "–",
            log["licence"] or "not stated",
            "training alone" if log["weak"] else "as the pack's rows",
        ]
        for log in manifest.get("data", {}).get("logs", [])
    ]
    return table(["dataset", "version", "rows", "sources", "licence", "use"], rows) if rows else ""


def calibration_table(report: Mapping[str, Any]) -> str:
    """Calibration errors and AURC by suite and file; empty for a report without them."""
    found = [(name, part, facts) for name in SUITES for part, facts in report["suites"].get(name, {}).get("calibration", {}).items()]
    if not found:
        return ""
    heads = list(found[0][2]["heads"])
    rows = [
        [name, part, shown(facts["rows"]), *(interval(facts["heads"][head]["ece"]) for head in heads), _area(facts)]
        for name, part, facts in found
    ]
    return table(["suite", "part", "rows", *(f"ECE of {head}" for head in heads), "AURC of match"], rows)


def slice_tables(report: Mapping[str, Any]) -> Iterator[Titled]:
    """A table for each way of slicing each suite."""
    for name, title in SUITES.items():
        parts = report["suites"].get(name, {}).get("slices", [])
        for by in dict.fromkeys(part["by"] for part in parts):
            chosen = [part for part in parts if part["by"] == by]
            metrics = list(chosen[0]["measures"])
            rows = [
                [part["value"], shown(part["rows"]), *(interval(part["measures"].get(metric, _NOTHING)) for metric in metrics)]
                for part in chosen
            ]
            yield Titled(f"{title} by {by}", table([by, "rows", *metrics], rows))


def time_text(training: Mapping[str, Any]) -> str:
    """How long training took and, on a CPU, about how much energy; needs ``seconds``."""
    processor = f" of {training['processor']}" if training.get("processor") else ""
    threads = f" on {training['threads']} cores{processor}" if "threads" in training else ""
    text = f"Training took {training['seconds']:,.0f} seconds{threads}."
    if training["device"] != "cpu" or "cpu_seconds" not in training:
        return text
    hours = training["cpu_seconds"] / 3600
    return (
        f"{text} Energy was not measured. An estimate: {training['cpu_seconds']:,.0f} CPU seconds at\n"
        f"an assumed {WATTS_A_CORE:g} W a busy core (the default of Green Algorithms, Lannelongue et al. 2021) are about\n"
        f"{hours * WATTS_A_CORE:,.1f} Wh, without memory, cooling and earlier trials."
    )


def hashes_table(manifest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """SHA-256 of the bundle, of what it was made from, of its files and of the test files."""
    made = {"bundle": report["bundle"]["sha256"], "training rows": manifest["data_sha256"], "knowledge": manifest["knowledge_sha256"]}
    files = {f"`{name}`": facts["sha256"] for name, facts in manifest["files"].items() if name != CARD}
    tests = {f"`{name}` (evaluation)": digest for name, digest in report["files"].items()}
    return table(["what", "SHA-256"], [[name, f"`{digest}`"] for name, digest in {**made, **files, **tests}.items()])


def pruning_text(check: Mapping[str, Any], kept: int) -> str:
    """How the base weights were checked, and what pruning the vocabulary cost."""
    if "pruning" not in check:
        return "The base encoder was taken from the hub as it is; its vocabulary was not pruned."
    rows = [
        [f"{name} ({e['messages']})", f"{e['mean_cosine']:.4f}", f"{e['nearest_entry_whole']:.3f}", f"{e['nearest_entry_pruned']:.3f}"]
        for name, e in check["pruning"].items()
    ]
    return (
        f"The converted weights agree with the {check['reference']} on {check['checked']} pack sentences: "
        f"least cosine {check['least_cosine']}. The vocabulary was pruned from {check['pieces_whole']:,} to {kept:,} pieces "
        "(scripts and letters of zh, en, ja, ko, fr, de, es, pt, ru, ar, th, vi, id). Effect on the untrained encoder, "
        "on training messages drawn at random:\n\n"
        + table(["messages", "mean cosine to whole vocabulary", "nearest entry, whole", "nearest entry, pruned"], rows)
    )


def export_text(export: Mapping[str, Any]) -> str:
    """What exporting and rounding changed; the headlines only where the bundle holds their proof."""
    proof = f"\n\n{_proof_text(export['proof'])}" if "proof" in export else ""
    return (
        f"Export: the float graph differs from torch by at most {export['float_max_difference']:.1g}; cosine of int8 to torch\n"
        f"embeddings mean {export['int8_mean_cosine']}, least {export['int8_min_cosine']} on {export['messages']} rows that the\n"
        f"encoder did not see; there the encoder alone finds the right class for {export['float_match_accuracy']:.3f} in float32\n"
        f"and {export['int8_match_accuracy']:.3f} in int8.{proof}"
    )


def _proof_text(proof: Mapping[str, Any]) -> str:
    """Every headline in float32 and int8."""
    rows = [[name, shown(one["rows"]), *_sides(one)] for name, one in proof["headlines"].items()]
    return (
        f"Every headline on {proof['rows']} calibration rows, which neither network nor n-gram view saw, each side with numbers fitted to\n"
        f"itself on other rows; export fails where int8 loses more than {100 * proof['allowed_loss']:g} points. In brackets the 95 %\n"
        "interval of a paired bootstrap. What is called own is counted at the threshold that each side chooses for itself, where chance\n"
        "moves coverage by points: it is told, not judged.\n\n" + table(["measure", "rows", "float32", "int8", "lost, points"], rows)
    )


def _sides(one: Mapping[str, Any]) -> list[str]:
    if one["float32"] is None or one["int8"] is None:
        return ["–", "–", "–"]
    spread = f" [{100 * one['low']:+.2f}, {100 * one['high']:+.2f}]" if one["low"] is not None else ""
    return [f"{one['float32']:.3f}", f"{one['int8']:.3f}", f"{100 * one['loss']:+.2f}{spread}"]


def _area(facts: Mapping[str, Any]) -> str:
    curve = facts["risk_coverage"]
    return "–" if curve is None else f"{curve['aurc']:.3f}"
