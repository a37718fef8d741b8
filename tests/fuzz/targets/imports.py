"""Files of entries: bad rows are named and nothing else happens; what was read is written and read again the same."""

from __future__ import annotations

from functools import cache

from tests.fuzz.source import Source
from tests.knowledge_kit import NAMES, an_entry
from yingda.domain.records import KnowledgeError, Payload
from yingda.pack.exchange import Form, check_entry, read_form, write_form

ENTRIES = [
    an_entry("b", similar={"zh": ["=1+1", "'+x", '说"好",吗'], "en": ["@who"]}, ask=["order_no", "photo"], needs_human=True),
    an_entry("a", answer={"zh": "第一行\n\n第二行: {发货时限} #1", "en": "yes"}, ask=[], similar={}),
]
FORMS = list(Form)
SEEDS = [bytes([number]) + write_form(ENTRIES, form) for number, form in enumerate(FORMS)] + [
    b"\x00\xb1\xe0\xba\xc5,\xd2\xe2\xcd\xbc\n",
    b"\x03a: &x [*x]\n",
    b"\x03" + b"[" * 99,
    '\x02\ufeff{}\n\n{"id":1}\n[]'.encode(),
]
WORDS = [
    "question.zh",
    "answer.zh",
    "similar.zh",
    "id",
    "intent",
    "编号",
    "nlu",
    "responses",
    "utter_faq/",
    "faq/",
    "examples: |",
    "- ",
    '"""',
    "'=",
    "\\ud800",
]
MOST_BYTES = 6000


def check(data: bytes) -> None:
    """Raise what must not be."""
    source = Source(data)
    form = source.pick(FORMS)
    try:
        sheet = read_form(source.rest(), form, known=_known())
    except KnowledgeError:
        return
    good = []
    for row in sheet.rows:
        reasons = check_entry(row.payload, NAMES)
        assert all(isinstance(reason, str) and reason for reason in reasons)
        if not reasons:
            good.append(row.payload)
    if good and len({payload["id"] for payload in good}) == len(good):
        for other in (form, Form.CSV, Form.JSONL, Form.YAML):
            again = read_form(write_form(good, other), other)
            assert not again.rejected
            assert sorted(map(_flat, (one.payload for one in again.rows))) == sorted(map(_flat, good)), f"changed by {other}"


def _flat(payload: object) -> str:
    return repr(payload)


@cache
def _known() -> dict[str, Payload]:
    return {entry["id"]: entry for entry in ENTRIES}
