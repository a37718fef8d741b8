"""The measurement of a replay: the store it makes, the command it runs, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from evaluation.bench.replay import CHANGES, Measured, draw_texts, main, report
from tests.fakes_core import write_tiny_bundle

MACHINE = {"processor": "x", "cores_used": 2, "versions": {"yingda": "1"}}


def test_texts_are_as_many_and_as_different_as_asked() -> None:
    pool = [f"问题{number}" for number in range(20)]
    texts = draw_texts(pool, 100, 0.5, Random(1))

    assert (len(texts), len(set(texts))) == (100, 50)
    assert texts == draw_texts(pool, 100, 0.5, Random(1))
    assert len(draw_texts(pool, 1000, 0.9, Random(1))) == 1000, "a small pool is repeated the more"


@pytest.mark.parametrize(("seconds", "verdict"), [(600.0, "kept"), (601.0, "missed with faq")])
def test_the_report_says_whether_the_target_is_kept(seconds: float, verdict: str) -> None:
    found = [Measured(change, 100_000, 0.4, "2", took, 5.0, 400, 7, 1) for change, took in (("rules", 500.0), ("faq", seconds))]

    assert f"100,000 messages in 600 s on 2 cores; {verdict}." in report(found, MACHINE)


def test_a_small_replay_runs_to_the_end_from_a_store_that_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in ("什么时候发货", "怎么取消", "谢谢", "不知所云")]
    (texts / "train-1.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    store, out, bundle = tmp_path / "s.db", tmp_path / "out", str(write_tiny_bundle(tmp_path / "b"))
    given = ["--bundle", bundle, "--store", str(store), "--out", str(out), "--workers", "1"]

    assert main([*given, "--messages", "30", "--texts", str(texts)]) == 0
    (first,) = json.loads((out / "replay.json").read_text("utf-8"))["runs"]
    assert main([*given, "--messages", "99", "--texts", "nowhere", "--changes", *CHANGES, "--other", bundle]) == 0, (
        "the store is there already"
    )

    again, faq, same = json.loads((out / "replay.json").read_text("utf-8"))["runs"]
    assert (first["messages"], first["code"]) == (again["messages"], again["code"]) == (30, 1)
    assert first["changed"] == again["changed"] > 0
    assert (faq["messages"], faq["changed"] > 0) == (30, True)
    assert (same["messages"], same["changed"], same["code"]) == (30, 0, 0)
    assert "| rules | 30 | 40 % |" in (out / "replay.md").read_text("utf-8")
    with pytest.raises(SystemExit):
        main([*given, "--store", str(tmp_path / "new.db"), "--texts", str(tmp_path)])
    assert "holds no train-*.jsonl" in capsys.readouterr().err


def test_a_change_of_the_bundle_needs_another(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--changes", "bundle"])
    assert "--other" in capsys.readouterr().err
