"""The measurement from an acknowledged change to the engine that knows it, on a tiny shop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.bench.visibility import Measured, main, report
from tests.fakes_core import write_tiny_bundle
from yingda.live import POLL_S

MACHINE = {"processor": "x", "cores": 2}


# the tiny model knows ten characters: a drawn wording without any of them has no direction
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_every_kind_of_change_becomes_visible_and_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    given = ["--bundle", str(write_tiny_bundle(tmp_path / "b")), "--sizes", "9", "--rounds", "2", "--imported", "3", "--out", str(out)]
    assert main(given) == 0
    figures = json.loads((out / "visibility.json").read_text("utf-8"))
    row = figures["sizes"][0]
    assert 5 < row["entries"] <= 9
    for name in ("answer", "wording", "imported", "imported_elsewhere"):
        cpu, wall = row[name]
        assert cpu >= 0
        assert wall > POLL_S
    assert len(figures["bundle"]) == 64
    assert (out / "visibility.md").read_text("utf-8") == capsys.readouterr().out


def test_a_folder_without_a_bundle_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--bundle", str(tmp_path), "--out", str(tmp_path)])
    assert ended.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(("wall", "verdict"), [(1.0, "kept at every size"), (1.01, "missed at 9 entries")])
def test_the_report_says_whether_the_target_is_kept(wall: float, verdict: str) -> None:
    found = Measured(9, (0.1, 0.3), (0.1, 0.2), (0.2, 0.5), (0.4, wall), 0.2, 0.1)
    assert f"within 1 s by the clock; {verdict}." in report([found], MACHINE, "f" * 64)
