"""The measurement of rules: what it draws is valid, outcomes agree, and the report says what was found."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from evaluation.bench.rules import Measured, draw_messages, draw_rows, main, measure, report
from tests.fakes_core import write_tiny_bundle
from tests.rules_kit import KNOWN

MACHINE = {"processor": "x", "cores_used": 1, "versions": {"zen-engine": "2"}}


def test_what_is_drawn_is_the_same_each_time() -> None:
    assert draw_rows(5, KNOWN, Random(1)) == draw_rows(5, KNOWN, Random(1))
    assert draw_messages(5, KNOWN, Random(1)) == draw_messages(5, KNOWN, Random(1))


def test_zen_and_our_table_decide_alike_and_more_rows_than_a_file_holds_are_several_files() -> None:
    found = measure(210, KNOWN, messages=40, seed=3)

    assert (found.rows, found.files, found.messages, found.disagree) == (210, 2, 40, 0)
    assert found.fired > 0
    assert all(least <= median <= late for least, median, late in (found.zen_us, found.compiled_us, found.remembered_us))


@pytest.mark.parametrize(("median", "verdict"), [(200.0, "kept"), (200.1, "missed")])
def test_the_report_says_whether_the_budget_is_kept(median: float, verdict: str) -> None:
    row = Measured(100, 1, (1.0, 2.0, 3.0), (1.0, median, 300.0), (1.0, 1.0, 1.0), 5.0, 40, 0.5, 0)

    assert f"200 µs a message with 100 rows; {verdict} (median {median:g} µs)" in report([row], MACHINE)


def test_the_command_writes_both_reports_and_says_when_there_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_tiny_bundle(tmp_path / "b")

    assert main(["--bundle", str(bundle), "--out", str(tmp_path / "out"), "--sizes", "5", "--messages", "10"]) == 0
    assert json.loads((tmp_path / "out/rules.json").read_text("utf-8"))["rows"][0]["disagree"] == 0
    assert "not decided alike" in (tmp_path / "out/rules.md").read_text("utf-8")
    with pytest.raises(SystemExit) as left:
        main(["--bundle", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert left.value.code == 2
    assert "no readable bundle" in capsys.readouterr().err
