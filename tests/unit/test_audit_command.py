"""The audit from end to end: one page that needs nothing else, the same for the same data, and refusals in one line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes_audit import FakeLog, Silent, audit_pack
from tests.fakes_evaluation import FakeEngine, FakeOpener, Said
from tests.pack_kit import write_pack
from training.audit.charts import plain
from training.audit.command import run
from training.audit.crossfit import QUICK
from training.audit.findings import examine
from training.audit.folder import write_folder
from training.audit.rows import pack_rows
from yingda.domain.errors import MaterialError
from yingda.pack import read_pack

LOGS = [
    *(FakeLog(f"礼品卡余额怎么用{n}", intent="SHIP", faq_known=False) for n in range(30)),
    FakeLog("<script>alert(1)</script>&\"'", intent="CANCEL"),
    FakeLog("=HYPERLINK(1)", intent="CANCEL"),
]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audit_pack(tmp_path_factory.mktemp("audit") / "pack")


def command(pack: Path, out: Path, *, logs: Sequence[FakeLog] | None = None, engine: FakeEngine | None = None) -> int:
    opener = FakeOpener(engine or FakeEngine(otherwise=Said(confidence=0.55)))
    arguments = ["--pack", str(pack), "--out", str(out), "--quick"]
    further = ["--logs", "fake", "--bundle", "fake"] if logs is not None else []
    return run([*arguments, *further], opener=opener, reader=lambda folder: logs or [])


@pytest.fixture(scope="module")
def report(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "out"
    assert command(pack, out, logs=LOGS) == 0
    return out


def page(report: Path) -> str:
    return (report / "audit.html").read_text("utf-8")


def record(report: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((report / "audit.json").read_text("utf-8")))


def test_a_message_cannot_put_markup_into_the_page(report: Path) -> None:
    assert "<script" not in page(report)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#34;&#39;" in page(report)


def test_the_page_needs_nothing_from_elsewhere(report: Path) -> None:
    addresses = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"'\s>)]+)", page(report))

    assert addresses
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in addresses)
    assert "default-src 'none'" in page(report)


def test_every_plot_says_what_it_shows(report: Path) -> None:
    images = re.findall(r"<img [^>]*>", page(report))

    assert len(images) >= 3
    assert all(re.search(r'alt="[^"]+"', image) for image in images)


def test_the_record_names_places_and_quotes_no_message(report: Path) -> None:
    text = (report / "audit.json").read_text("utf-8")

    assert record(report)["counts"]["log_messages"] == len(LOGS)
    assert record(report)["counts"]["asked_engine"] == len(LOGS)
    assert {one["row"].split(":")[0] for one in record(report)["wanted"]} == {"log"}
    assert "alert" not in text and "HYPERLINK" not in text


def test_the_list_to_label_opens_in_a_spreadsheet_without_running_anything(report: Path) -> None:
    with (report / "to_label.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))

    assert [int(row["order"]) for row in rows] == list(range(1, len(rows) + 1))
    assert "'=HYPERLINK(1)" in {row["text"] for row in rows}
    assert not [row for row in rows if row["text"].startswith(("=", "+", "-", "@"))]


def test_the_same_data_give_the_same_bytes(pack: Path, report: Path, tmp_path: Path) -> None:
    assert command(pack, tmp_path / "again", logs=LOGS) == 0

    for name in ("audit.html", "audit.json", "to_label.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes()


def test_a_pack_alone_is_audited_without_an_engine(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, tmp_path / "out") == 0

    captured = capsys.readouterr()
    assert record(tmp_path / "out")["counts"]["asked_engine"] == 0
    assert "No labelled logs were given." in page(tmp_path / "out")
    assert str(tmp_path / "out" / "audit.html") in captured.out
    assert "cross-validation" in captured.err


def test_an_earlier_audit_is_replaced_and_nothing_is_left_beside_it(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "audit.json").write_text("{}")
    (tmp_path / "out" / "old.txt").write_text("old")

    assert command(pack, tmp_path / "out") == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit.html", "audit.json", "to_label.csv"]


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("audit could not run: ")]) == 1
    return lines[-1]


def test_a_folder_with_other_files_is_left_alone(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    assert command(pack, tmp_path) == 2
    assert "holds other files; name another folder with --out" in refusal(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_label_of_another_pack_is_refused_without_quoting(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, tmp_path / "out", logs=[FakeLog("秘密", faq="elsewhere", faq_known=True)]) == 2

    said = refusal(capsys)
    assert "log:1" in said and "秘密" not in said
    assert not (tmp_path / "out").exists()


def test_too_few_messages_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(write_pack(tmp_path / "pack"), tmp_path / "out") == 2
    assert "too few" in refusal(capsys)


def test_a_missing_pack_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "nowhere", tmp_path / "out") == 2
    assert "audit could not run: " in capsys.readouterr().err


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_folder(tmp_path / "out", {"audit.json": "{}", "audit.html": "\ud800"})

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    with pytest.raises(MaterialError, match="no folder"):
        write_folder(tmp_path / "out", {"audit.json": "{}"})


def test_progress_is_counted_to_the_end(pack: Path) -> None:
    read, steps = read_pack(pack), Silent()

    examine(pack_rows(read.training), read.knowledge, {}, near_duplicate=0.75, engine=FakeEngine(), effort=QUICK, seed=1, steps=steps)

    assert steps.done == {"cross-validation": 0, "engine reads the logs": 0, "findings": 0}


def test_names_in_plots_keep_to_the_plots_font() -> None:
    assert plain("退货-how$") == "··-how·"
