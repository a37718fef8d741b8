"""Every form of file gives the same rows, in every encoding; what is no file of messages is refused in one line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.logs_kit import HEADER, ROWS, TEXTS, imported, reasons, records, table, taken, write_sheet
from training.logs.rasa import plain
from training.logs.source import Limits
from yingda.domain.errors import MaterialError

RASA = """\
version: "3.1"
nlu:
- intent: SHIP
  examples: |
    - 我的[件](parcel)咋还没动静呀
    - 订的[鞋]{"entity": "item", "value": "shoe"}哪天能动身
- intent: faq/cancel
  examples:
    - text: |
        这单我不想要啦，撤了吧
      metadata: {sentiment: neutral}
- synonym: shoe
  examples: |
    - 鞋
"""


def file(root: Path, name: str, data: bytes) -> Path:
    path = root / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_a_table_is_read_whatever_its_delimiter(tmp_path: Path, mark: str) -> None:
    imported(tmp_path, file(tmp_path, "logs.csv", table(mark=mark).encode()))

    assert [(row.text, row.intent, row.faq, row.sentiment) for row in taken(tmp_path)] == [(t, i, f or None, s) for t, i, f, s, _ in ROWS]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_a_table_is_read_whatever_its_encoding(tmp_path: Path, encoding: str, found: str) -> None:
    record = imported(tmp_path, file(tmp_path, "logs.csv", table().encode(encoding)))

    assert [row.text for row in taken(tmp_path)] == TEXTS
    # GB18030 holds GBK, and either name is right for such a file
    assert record["files"][0]["encoding"] in ({"gbk", "gb18030"} if found == "gb18030" else {found})


def test_rare_characters_of_gb18030_are_read(tmp_path: Path) -> None:
    imported(tmp_path, file(tmp_path, "logs.csv", table(("㐂🎉发货了没有呀", "SHIP", "", "", "")).encode("gb18030")))

    assert [row.text for row in taken(tmp_path)] == ["㐂🎉发货了没有呀"]


def test_json_lines_are_read(tmp_path: Path) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records())
    imported(tmp_path, file(tmp_path, "logs.jsonl", lines.encode()))

    assert [row.source for row in taken(tmp_path)] == ["logs.jsonl:1", "logs.jsonl:2", "logs.jsonl:3"]


def test_a_json_array_is_read(tmp_path: Path) -> None:
    imported(tmp_path, file(tmp_path, "logs.json", json.dumps(records(), ensure_ascii=False).encode()))

    assert [row.text for row in taken(tmp_path)] == TEXTS


def test_a_sheet_is_read(tmp_path: Path) -> None:
    write_sheet(tmp_path / "logs.xlsx", *((*row[:4], 7.0) for row in ROWS))
    imported(tmp_path, tmp_path / "logs.xlsx")

    assert [row.text for row in taken(tmp_path)] == TEXTS
    assert taken(tmp_path)[0].source == "logs.xlsx:2"


def test_a_rasa_file_is_read_without_its_annotations(tmp_path: Path) -> None:
    mapping = "labels:\n  SHIP: {intent: SHIP}\n  faq/cancel: {faq: cancel-how}\n"
    imported(tmp_path, file(tmp_path, "nlu.yml", RASA.encode()), mapping=mapping)

    assert [(row.text, row.intent, row.faq, row.faq_known, row.source) for row in taken(tmp_path)] == [
        ("我的件咋还没动静呀", "SHIP", None, False, "nlu.yml:5"),
        ("订的鞋哪天能动身", "SHIP", None, False, "nlu.yml:6"),
        ("这单我不想要啦，撤了吧", "CANCEL", "cancel-how", True, "nlu.yml:9"),
    ]


def test_brackets_that_annotate_nothing_stay() -> None:
    assert plain("号码是[手机号] 对吧(急)") == "号码是[手机号] 对吧(急)"


def test_line_numbers_count_the_lines_of_quoted_texts(tmp_path: Path) -> None:
    data = 'text,intent\n"第一行问一下\n第二行催一下",SHIP\n空着那个,NOPE\n'
    record = imported(tmp_path, file(tmp_path, "logs.csv", data.encode()))

    assert [(row.text, row.source) for row in taken(tmp_path)] == [("第一行问一下 第二行催一下", "logs.csv:2")]
    assert record["files"][0]["reasons"]["unknown_intent"]["lines"] == [4]


def test_a_row_with_too_many_cells_is_refused_alone(tmp_path: Path) -> None:
    data = table(*ROWS, ("多", "SHIP", "", "", "1", "2"))
    record = imported(tmp_path, file(tmp_path, "logs.csv", data.encode()))

    assert reasons(record) == {"bad_row": 1}


def test_a_line_that_is_no_json_is_refused_alone(tmp_path: Path) -> None:
    good = json.dumps(records()[0])
    record = imported(tmp_path, file(tmp_path, "logs.jsonl", f"{good}\n{{nope\n[1]\n".encode()))

    assert record["files"][0]["reasons"]["bad_row"]["lines"] == [2, 3]


MEGABYTE = 1_000_000
JUNK = {
    "empty.csv": b"",
    "blank.csv": b" \n\n",
    "nul.csv": b"\0" * MEGABYTE,
    "random.csv": random.Random(1).randbytes(MEGABYTE),
    "line.csv": b"a" * 2 * MEGABYTE,
    "line.jsonl": b"a" * 2 * MEGABYTE,
    "lines.jsonl": b"junk\n" * 1000,
    "deep.json": b"[" * MEGABYTE,
    "broken.json": b"[{}",
    "object.json": b"{}",
    "line.yml": b"a" * MEGABYTE,
    "deep.yml": b"[" * MEGABYTE,
    "alias.yml": b"nlu:\n- &a {intent: x}\n- *a\n",
    "junk.xlsx": b"a" * MEGABYTE,
    "quote.csv": b'text,intent\n"' + b"aaaa,b\n" * 40_000,
    "late.csv": table().encode() * 1000 + b"\xff\xff\xff",
    "late_nul.csv": table().encode() * 9000 + b"\0",
    "messages.csv": "我的件到底什么时候发？,SHIP\n".encode(),
    "doubled.csv": b"text,text,intent\na,b,SHIP\n",
    "header.csv": b"text,intent\n",
    "unlabelled.csv": b"text,id\nhello,1\n",
    "untexted.jsonl": b'{"message": "hello", "intent": "SHIP"}\n',
    "big5.csv": "text,intent\n我的件到底什麼時候發貨呢請問客服還要等多久才會出庫,SHIP\n".encode("big5"),
    "old.xls": b"\xd0\xcf\x11\xe0",
    "noending": b"text,intent\n",
}


@pytest.mark.parametrize("name", JUNK)
def test_what_is_no_file_of_messages_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaterialError) as caught:
        imported(tmp_path, file(tmp_path, name, JUNK[name]))

    said = str(caught.value)
    assert name in said
    assert "\n" not in said
    assert len(said) < 250
    assert "到底" not in said
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="--max-megabytes"):
        imported(tmp_path, file(tmp_path, "logs.csv", b"a" * 1001), limits=Limits(max_bytes=1000))


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="--max-rows"):
        imported(tmp_path, file(tmp_path, "logs.csv", table().encode()), limits=Limits(max_rows=2))


def test_a_sheet_that_unpacks_too_large_is_refused(tmp_path: Path) -> None:
    write_sheet(tmp_path / "logs.xlsx", *((f"啊{number}" * 50, "SHIP") for number in range(500)))

    with pytest.raises(MaterialError, match="unpacks to"):
        imported(tmp_path, tmp_path / "logs.xlsx", limits=Limits(max_bytes=(tmp_path / "logs.xlsx").stat().st_size))


def test_a_column_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="no column 'mood' for sentiment"):
        imported(tmp_path, file(tmp_path, "logs.csv", table().encode()), columns={"sentiment": "mood"})


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    data = table(header=("内容", "意图", "条目", "情绪", "编号"))
    imported(tmp_path, file(tmp_path, "logs.csv", data.encode()), columns={"text": "内容", "intent": "意图", "faq": "条目"})

    assert [(row.text, row.faq, row.sentiment) for row in taken(tmp_path)] == [(text, faq or None, None) for text, _, faq, _, _ in ROWS]
    assert HEADER[0] != "内容"
