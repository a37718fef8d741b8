"""The table of lexical units counts what it says, and never opens an evaluation file."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from evaluation.bench.lexical import SERVED, find, main, ways
from yingda.domain.knowledge import FaqEntry, Sentiment, Utterance
from yingda.pack import read_training
from yingda.retrieve.lexical import characters

PACK = Path(__file__).parents[2] / "data/packs/retail"


def entry(id_: str, question: str) -> FaqEntry:
    return FaqEntry(id=id_, intent="A", question={"zh": question}, similar={}, answer={"zh": "好"})


def said(text: str, faq: str, *also: str) -> Utterance:
    return Utterance(text=text, intent="A", faq=faq, sentiment=Sentiment.NEUTRAL, also=also)


def test_an_entry_counts_as_found_where_it_or_a_further_right_one_is_first() -> None:
    entries = {"fee": entry("fee", "运费多少钱"), "invoice": entry("invoice", "发票怎么开"), "size": entry("size", "尺码怎么选")}
    messages = [said("运费贵吗", "fee"), said("发票", "fee", "invoice"), said("发票抬头", "size")]

    found = find("ours", characters, entries, messages)

    assert (found.messages, found.recall_at_1, found.recall_at_10) == (3, 0.6667, 1.0)


def test_the_served_way_is_among_those_measured() -> None:
    assert ways()[SERVED] is characters


def test_it_measures_a_pack_without_its_evaluation_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = shutil.copytree(PACK, tmp_path / "pack")
    for path in [*pack.glob("utterances/test-*"), pack / "utterances/multilingual.jsonl", *pack.glob("conversations/*")]:
        path.unlink()

    assert main(["--pack", str(pack), "--out", str(tmp_path), "--every", "500"]) == 0

    written = json.loads((tmp_path / "lexical.json").read_text("utf-8"))
    assert [row["units"] for row in written["rows"]] == list(ways())
    asked = sum(row.faq is not None for rows in read_training(PACK).training.values() for row in rows)
    assert all(row["messages"] == math.ceil(asked / 500) for row in written["rows"])
    assert (tmp_path / "lexical.md").read_text("utf-8") == capsys.readouterr().out


def test_a_folder_without_a_pack_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--pack", str(tmp_path / "nowhere"), "--out", str(tmp_path)])
    assert "name one with --pack" in capsys.readouterr().err
