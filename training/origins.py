"""What a bundle was made from, for its manifest: rows of each part, and the log datasets that took part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.examples import read_examples
from training.logs.dataset import read_dataset, read_facts, version_of
from training.params import PrepareParams

PARTS = ("fit", "select", "calibrate", "entries")


def origins(data: Path, prepare: PrepareParams) -> dict[str, Any]:
    """Rows by part of the split in ``data``, and the datasets of ``prepare`` that are there; raises MaterialError."""
    rows = {part: len(read_examples(data / f"{part}.jsonl")) for part in PARTS}
    logs = [_log(folder, weak=folder in prepare.weak_logs) for folder in (*prepare.logs, *prepare.weak_logs) if folder.is_dir()]
    return {"rows": rows, "logs": logs}


def _log(folder: Path, *, weak: bool) -> dict[str, Any]:
    """Name, version, rows, sources and licence (None where nobody stated it); no path and no text."""
    facts = read_facts(folder)
    return {
        "name": folder.name,
        "version": version_of(str(facts["rows_sha256"])),
        "rows": len(read_dataset(folder)),
        "sources": [Path(source["file"]).name for source in facts["sources"]],
        "licence": facts.get("licence"),
        "weak": weak,
    }
