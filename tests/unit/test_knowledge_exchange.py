"""Entries as files: the same bytes again, broken rows named, nothing run and nothing unpacked without bound."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge_kit import an_entry
from yingda.domain.records import KnowledgeError
from yingda.pack.exchange import Form, form_of, read_form, tidy, write_form
from yingda.pack.exchange.forms import Mismatch
from yingda.pack.exchange.rasa import read_rasa

ENTRIES = [
    an_entry("b", similar={"zh": ["=1+1", "'+x", '说"好",吗', "- 横线"], "en": ["@who"]}, ask=["order_no", "photo"], needs_human=True),
    an_entry(
        "a",
        answer={"zh": "第一行\n\n第二行: {发货时限} #1 \\n", "en": "yes", "ja": "はい 😀", "zh-Hant": "可以的，請放心"},
        ask=[],
        similar={},
    ),
]


@pytest.mark.parametrize("form", Form)
def test_an_export_read_and_written_again_is_the_same_bytes(form: Form) -> None:
    first = write_form(ENTRIES, form)
    sheet = read_form(first, form)

    assert not sheet.rejected
    assert [row.payload for row in sheet.rows] == [tidy(ENTRIES[1]), tidy(ENTRIES[0])]
    assert write_form([row.payload for row in sheet.rows], form) == first


@pytest.mark.parametrize("form", [Form.CSV, Form.EXCEL])
def test_a_table_never_holds_what_a_spreadsheet_would_run(form: Form) -> None:
    data = write_form(ENTRIES, form)
    if form is Form.EXCEL:
        cells = [cell for row in openpyxl.load_workbook(BytesIO(data)).worksheets[0].iter_rows() for cell in row]
        assert all(cell.data_type != "f" for cell in cells)
        assert not any(str(cell.value or "").startswith(("=", "+", "-", "@")) for cell in cells)
    else:
        assert b',"=' not in data
        assert b"\"'=1+1" in data


def csv_of(*lines: str, encoding: str = "utf-8") -> bytes:
    return "\r\n".join(lines).encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_service_teams_own_table_is_read(encoding: str, delimiter: str) -> None:
    lines = (["编号", "意图", "问题", "答案", "相似问", "备注"], ["ship-when", "SHIP", "啥时发", "两天", "催\uff0c发", "内部"])
    sheet = read_form(csv_of(*(delimiter.join(line) for line in lines), encoding=encoding), Form.CSV)

    assert sheet.rows[0].payload["question"] == {"zh": "啥时发"}
    assert sheet.rows[0].payload["similar"] == {"zh": ["催，发"]}
    assert [(note.line, note.reason[:8]) for note in sheet.notes] == [(1, "column 6")]


def test_the_line_of_a_row_is_where_it_begins() -> None:
    data = csv_of("id,intent,question.zh,answer.zh,needs_human", 'a,SHIP,问,"一', '二"', "b,SHIP,问,答,maybe", "c,SHIP,问,答")
    sheet = read_form(data, Form.CSV)

    assert [(row.line, row.key) for row in sheet.rows] == [(2, "a"), (5, "c")]
    assert [(one.line, one.field) for one in sheet.rejected] == [(4, "needs_human")]


BAD: dict[str, tuple[Form, bytes, str]] = {
    "no encoding": (Form.CSV, b"\xff\xff\xff", "neither UTF-8 nor GBK"),
    "an open quote": (Form.CSV, csv_of("id,intent,question.zh,answer.zh", 'a,b,"c'), "close every quote"),
    "no columns": (Form.CSV, b"", "the table is empty"),
    "a column missing": (Form.CSV, csv_of("id,intent,question.zh"), "'answer.zh' is missing"),
    "a column twice": (Form.CSV, csv_of("id,intent,问题,question.zh,答案"), "stands twice"),
    "too many cells": (Form.CSV, csv_of("id,intent,问题,答案", "a,b,c,d,e"), "more cells"),
    "a cell without end": (Form.CSV, csv_of("id,intent,问题,答案", "a,b,c," + "x" * 200_000), "not a table that can be read"),
    "no workbook": (Form.EXCEL, b"PK\x03\x04", "not an Excel workbook"),
    "no JSON": (Form.JSONL, b'{"id": ', "not valid JSON"),
    "a list": (Form.JSONL, b"[1]", "expected a mapping"),
    "deep JSON": (Form.JSONL, b"[" * 100_000, "nested deeper"),
    "a name twice": (Form.JSONL, b'{"id": "a", "id": "b"}', "stands twice"),
    "no UTF-8": (Form.JSONL, "发货".encode("gbk"), "not UTF-8"),
    "no YAML": (Form.YAML, b"- id: [", "not valid YAML"),
    "YAML that grows": (Form.YAML, b"- &a [x]\n- *a", "alias"),
    "YAML that runs": (Form.YAML, b"- !!python/object/apply:os.system ['true']", "expected a mapping"),
    "deep YAML": (Form.YAML, b"- " * 50 + b"x", "nested deeper"),
    "a mapping": (Form.YAML, b"id: a", "expected a list"),
    "no Rasa": (Form.RASA, b"- a", "expected Rasa's nlu"),
    "nlu without list": (Form.RASA, b"nlu: {}", "must be a list"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_file_is_rejected_with_line_and_reason(name: str) -> None:
    form, data, expected = BAD[name]
    sheet = read_form(data, form)

    assert not sheet.rows
    assert any(expected in one.reason for one in sheet.rejected), sheet.rejected
    assert all(one.line >= 1 for one in sheet.rejected)


def workbook_of(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_formulas_are_refused_and_numbers_read_as_written() -> None:
    sheet = read_form(workbook_of(["id", "intent", "问题", "答案"], ["a", "SHIP", "=1+1", "x"], ["b", "SHIP", 7, 1.5]), Form.EXCEL)

    assert [(one.line, one.field, one.reason) for one in sheet.rejected] == [(2, "question.zh", "holds a formula; paste its value")]
    assert sheet.rows[0].payload["question"] == {"zh": "7"}
    assert sheet.rows[0].payload["answer"] == {"zh": "1.5"}


def test_a_date_of_excel_is_no_text() -> None:
    sheet = read_form(workbook_of(["id", "intent", "问题", "答案"], ["a", "SHIP", "几号发", datetime(2026, 11, 11)]), Form.EXCEL)

    assert [(one.line, one.field) for one in sheet.rejected] == [(2, "answer.zh")]
    assert "format the cell as text" in sheet.rejected[0].reason


@pytest.mark.parametrize("name", ["[Content_Types].xml", "xl/styles.xml", "xl/media/picture.png"])
def test_a_workbook_with_a_large_part_beside_its_cells_is_refused(name: str) -> None:
    stream = BytesIO(write_form([an_entry()], Form.EXCEL))
    with ZipFile(stream, "a", ZIP_DEFLATED) as archive:
        archive.writestr(f"more/{name}", b" " * (5 * 1024 * 1024))

    assert "a part beside its cells has more than 4 MiB" in read_form(stream.getvalue(), Form.EXCEL).rejected[0].reason


def test_a_workbook_that_unpacks_without_bound_is_refused() -> None:
    stream = BytesIO()
    with ZipFile(stream, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"")
        archive.infolist()[0].file_size = 2**30  # what the directory says counts: nothing is unpacked to find out

    assert "unpacks to more" in read_form(stream.getvalue(), Form.EXCEL).rejected[0].reason


def test_a_small_workbook_of_more_elements_than_memory_holds_is_refused() -> None:
    """Empty strings, which a reader of XML would keep one by one."""
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive, archive.open("xl/sharedStrings.xml", "w") as part:
        for _ in range(17):
            part.write(b"<si/>" * 1_000_000)
    assert len(stream.getvalue()) < 500_000
    assert "more cells than can be read" in read_form(stream.getvalue(), Form.EXCEL).rejected[0].reason


def test_a_file_that_is_not_the_one_meant_is_not_read() -> None:
    data = write_form(ENTRIES, Form.JSONL)

    assert read_form(data, Form.JSONL, digest=sha256(data).hexdigest().upper()).rows
    with pytest.raises(Mismatch, match="send it again"):
        read_form(data + b"\n", Form.JSONL, digest=sha256(data).hexdigest())


def test_a_files_name_tells_its_form() -> None:
    assert [form_of(f"x.{ending}") for ending in ("csv", "XLSX", "jsonl", "yml")] == [Form.CSV, Form.EXCEL, Form.JSONL, Form.YAML]
    with pytest.raises(KnowledgeError, match="use one of"):
        form_of("x.doc")


RASA = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
- intent: faq/ship_when
  examples: |
    - 什么时候发[手机](product)
    - 多久发[货]{"entity": "thing", "value": "x"}
- synonym: 货
responses:
  utter_greet:
  - text: hello
  utter_faq/ship_when:
  - text: 两天内。
  - text: 48 小时。
  - image: x.png
"""


@given(st.text(st.sampled_from('看[物](流){} "a:#-'), min_size=1, max_size=12).map(str.strip).filter(bool))
def test_wordings_that_read_like_rasas_annotations_come_back_as_they_are(text: str) -> None:
    entry = tidy(an_entry(question={"zh": text}, similar={"zh": ["怎么看[物流](详情页)"]}))
    exported = write_form([entry], Form.RASA)
    sheet = read_form(exported, Form.RASA)

    assert [row.payload for row in sheet.rows] == [entry]
    assert write_form([row.payload for row in sheet.rows], Form.RASA) == exported


def test_a_rasa_file_without_intents_and_responses_is_said_to_hold_nothing() -> None:
    sheet = read_form(b"version: '3.1'\nstories: []\n", Form.RASA)

    assert sheet.rows == ()
    assert [note.reason for note in sheet.notes] == ["holds neither nlu nor responses; export those of the retrieval intents from Rasa"]


def test_rasas_retrieval_intents_are_entries_and_the_rest_is_noted() -> None:
    sheet = read_form(RASA.encode(), Form.RASA, known={"ship-when": an_entry(ask=["photo"])})

    assert [row.payload for row in sheet.rows] == [
        tidy(an_entry(question={"zh": "什么时候发手机"}, similar={"zh": ["多久发货"]}, answer={"zh": "两天内。"}, ask=["photo"]))
    ]
    assert [note.line for note in sheet.notes] == [3, 10, 12, 16, 17]


def test_rasas_examples_and_responses_may_stand_in_two_files() -> None:
    nlu, responses = RASA.split("responses:")
    sheet = read_rasa([nlu.encode(), f"responses:{responses}".encode()], known={})

    assert sheet.rows[0].payload["answer"] == {"zh": "两天内。"}
    assert "intent" not in sheet.rows[0].payload


def test_json_lines_keep_a_separator_inside_a_text() -> None:
    sheet = read_form(json.dumps(an_entry("a"), ensure_ascii=False).replace("发货", "发\u2028货").encode(), Form.JSONL)

    assert len(sheet.rows) == 1


@pytest.mark.parametrize(("what", "bit"), [("encrypted", 0x01), ("a patch", 0x20), ("strongly encrypted", 0x40)])
def test_a_workbook_whose_parts_are_of_a_kind_nobody_reads_is_refused(what: str, bit: int) -> None:
    data = bytearray(write_form(ENTRIES, Form.EXCEL))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= bit
            at = data.find(mark, at + 1)

    sheet = read_form(bytes(data), Form.EXCEL)

    assert (sheet.rows, [row.reason[:12] for row in sheet.rejected]) == ((), ["not an Excel"])
