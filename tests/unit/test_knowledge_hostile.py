"""Payloads that somebody sends to see what happens: refused at save, with a reason that says what to do."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.knowledge_kit import NAMES, an_entry
from yingda.domain.records import RecordId, RecordKind
from yingda.pack.exchange import check_entry
from yingda.store.knowledge.plain import mistakes_of_key, mistakes_of_shape


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def reasons_of(payload: Any) -> list[str]:
    """What the store says: what any record must be, then what an entry must be."""
    return mistakes_of_shape(payload) or partial(check_entry, names=NAMES)(payload)


def zh(text: str) -> dict[str, Any]:
    return {"answer": {"zh": text}}


HOSTILE: dict[str, tuple[Any, str]] = {
    "no mapping": (["x"], "payload: must be a mapping"),
    "a thousand levels": ({"answer": nested(1000)}, "nested deeper"),
    "endless": (endless(), "nested deeper"),
    "a million values": ({"answer": ["x"] * 1_000_000}, "larger than"),
    "a megabyte of text": (an_entry(**zh("长" * 1_000_000)), "larger than"),
    "not a number": (an_entry(weight=float("nan")), "finite number"),
    "infinity": (an_entry(weight=float("inf")), "finite number"),
    "a thousand digits": (an_entry(weight=10**1000), "finite number"),
    "bytes": (an_entry(answer={"zh": b"x"}), "holds a bytes"),
    "an object": (an_entry(answer=object()), "holds a object"),
    "a field without name": ({"": 1}, "name is blank"),
    "a field named by a number": ({1: 1}, "not a text"),
    "half a character": (an_entry(**zh("\ud800")), "invisible or control"),
    "a null byte": (an_entry(**zh("a\x00b")), "invisible or control"),
    "an escape sequence": (an_entry(**zh("\x1b[2J发货")), "invisible or control"),
    "text turned around": (an_entry(**zh("\u202egnihtemos")), "invisible or control"),
    "zero width": (an_entry(question={"zh": "发\u200b货"}), "invisible or control"),
    "an attribute of Python": (an_entry(**zh("{__class__}")), "variable"),
    "a path of attributes": (an_entry(**zh("{发货时限.__class__.__mro__}")), "variable"),
    "a format": (an_entry(**zh("{发货时限:>999999999}")), "variable"),
    "a conversion": (an_entry(**zh("{发货时限!r}")), "variable"),
    "a position": (an_entry(**zh("{0}")), "variable"),
    "nothing in braces": (an_entry(**zh("{}")), "variable"),
    "an open brace": (an_entry(**zh("{发货时限")), "not balanced"),
    "braces in braces": (an_entry(**zh("{{发货时限}}")), "not balanced"),
    "a variable in a question": (an_entry(question={"zh": "{发货时限}"}), "customers do not write"),
    "an intent of nobody's": (an_entry(intent="ADMIN"), "unknown intent 'ADMIN'"),
    "out of scope": (an_entry(intent="OUT_OF_SCOPE"), "cannot answer OUT_OF_SCOPE"),
    "a fact of nobody's": (an_entry(ask=["password"]), "unknown fact 'password'"),
    "no answer": (an_entry(answer={"zh": "  "}), "is empty"),
    "no Chinese answer": (an_entry(answer={"en": "Yes"}), "no text for language 'zh'"),
    "an answer that is a list": (an_entry(answer=["x"]), "must be a mapping"),
    "a flag that is a text": (an_entry(needs_human="false"), "must be true or false"),
    "no language": (an_entry(answer={"zh": "好", "../../etc": "x"}), "is no language code"),
    "a field of nobody's": (an_entry(script="import os"), "unknown field 'script'"),
    "a path as id": (an_entry("../../etc/passwd"), "letters a-z"),
    "an answer too long": (an_entry(**zh("长" * 2001)), "at most 2,000"),
    "a question too long": (an_entry(question={"zh": "长" * 201}), "at most 200"),
    "a question of two lines": (an_entry(question={"zh": "一\n二"}), "line break"),
    "too many wordings": (an_entry(similar={"zh": [f"问法{n}" for n in range(201)]}), "more than 200 wordings"),
    "wordings without question": (an_entry(similar={"fr": ["bonjour"]}), "no question in that language"),
    "a mobile number": (an_entry(**zh("请打 13800138000 找我")), "personal data (手机号)"),
    "an identity number": (an_entry(**zh("身份证 11010519491231002X")), "personal data (身份证号)"),
    "a name": (an_entry(**zh("收件人是王建国，请写他")), "personal data (姓名)"),
    "an address": (an_entry(**zh("寄到杭州市西湖区文三路 138 号 2 幢 301 室")), "personal data (地址)"),
    "a number in a question": (an_entry(similar={"zh": ["我的电话13800138000怎么改"]}), "personal data (手机号)"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_payload_is_refused_with_its_reason(name: str) -> None:
    payload, expected = HOSTILE[name]
    reasons = reasons_of(payload)

    assert any(expected in reason for reason in reasons), reasons
    assert all(": " in reason for reason in reasons)
    assert not any("13800138000" in reason or "王建国" in reason for reason in reasons)


def test_an_honest_payload_passes() -> None:
    assert reasons_of(an_entry()) == []
    assert reasons_of(an_entry(answer={"zh": "热线 400-000-0000，{发货时限}内 👨‍👩‍👧 https://shop.example"}, similar={})) == []


@pytest.mark.parametrize("key", ["", "A", "a b", "../x", "a/b", "a" * 65, "-a", "发货", "a\n"])
def test_an_id_that_no_address_could_hold_is_refused(key: str) -> None:
    assert mistakes_of_key(RecordId(RecordKind.FAQ, key))


def test_keywords_and_policy_values_are_named_in_any_script() -> None:
    assert mistakes_of_key(RecordId(RecordKind.POLICY, "退货天数")) == []
    assert mistakes_of_key(RecordId(RecordKind.KEYWORD, "\u202e")) != []
