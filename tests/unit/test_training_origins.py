"""What the manifest says of the material and of the machine."""

from __future__ import annotations

import platform
from pathlib import Path

from training.examples import Example, write_examples
from training.logs.dataset import LogRow, digest_of, rows_text, version_of
from training.origins import PARTS, origins
from training.params import PrepareParams
from training.processor import processor_name


def dataset(folder: Path, rows: int) -> Path:
    text = rows_text(
        LogRow(text=f"多久发货 {n}", intent="SHIP", faq=None, faq_known=False, sentiment=None, also=(), source=f"a.csv:{n}")
        for n in range(rows)
    )
    folder.mkdir()
    (folder / "rows.jsonl").write_text(text, "utf-8")
    facts = f'{{"format": 1, "rows_sha256": "{digest_of(text)}", "sources": [{{"file": "a.csv", "sha256": "0"}}]}}'
    (folder / "dataset.json").write_text(facts, "utf-8")
    return folder


def split_into(data: Path) -> Path:
    for rows, part in enumerate(PARTS, start=1):
        write_examples(data / f"{part}.jsonl", [Example("多久发货", 0, 0, 0)] * rows)
    return data


def prepare_of(logs: tuple[Path, ...], weak: tuple[Path, ...] = ()) -> PrepareParams:
    return PrepareParams(pack=Path("pack"), logs=logs, weak_logs=weak, selection_share=0.1, calibration_share=0.1, near_duplicate=0.8)


def test_rows_are_counted_by_part(tmp_path: Path) -> None:
    assert origins(split_into(tmp_path / "data"), prepare_of(())) == {
        "rows": {"fit": 1, "select": 2, "calibrate": 3, "entries": 4},
        "logs": [],
    }


def test_log_datasets_are_named_without_their_place(tmp_path: Path) -> None:
    logs, weak = (dataset(tmp_path / "april", 2),), (dataset(tmp_path / "guesses", 3), tmp_path / "not-there")

    found = origins(split_into(tmp_path / "data"), prepare_of(logs, weak))["logs"]

    assert [(log["name"], log["rows"], log["sources"], log["licence"], log["weak"]) for log in found] == [
        ("april", 2, ["a.csv"], None, False),
        ("guesses", 3, ["a.csv"], None, True),
    ]
    assert found[0]["version"] == version_of(digest_of((tmp_path / "april" / "rows.jsonl").read_text("utf-8")))
    assert str(tmp_path) not in str(found)


def test_the_processor_is_what_linux_calls_it(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some Maker X1\nmodel name\t: Some Maker X1\n", "utf-8")

    assert processor_name(tmp_path / "cpuinfo") == "Some Maker X1"


def test_where_linux_does_not_say_the_kind_of_processor_is_given(tmp_path: Path) -> None:
    assert processor_name(tmp_path / "nowhere") == (platform.machine() or None)
