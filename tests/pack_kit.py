"""A small pack without mistakes, and how tests spoil it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from yingda.domain.errors import PackError
from yingda.pack import read_pack

RETAIL = Path(__file__).parents[1] / "data" / "packs" / "retail"

TAXONOMY = """\
version: 1
language: zh
categories:
  - code: ORDER
    zh: 订单
    en: Order
    intents:
      - {code: SHIP, zh: 发货, en: dispatch, kind: consult, priority: medium, skill: order, is: "何时发", not: "到哪了"}
      - {code: CANCEL, zh: 取消, kind: consult, priority: high, skill: order, is: 不要了, not: 退货, answerable: false}
      - {code: OUT_OF_SCOPE, zh: 超出范围, kind: none, priority: low, skill: order, is: "闲聊", not: "业务"}
"""
POLICY = """\
version: 1
values:
  店铺名称: 小店
  客服时间: 9:00
  发货时限: 48 小时
context:
  订单号: 客户的订单编号
"""
FAQ = """\
- id: ship-when
  intent: SHIP
  question:
    zh: "什么时候发货"
    en: "When do you ship?"
  similar:
    zh: ["多久发", "催发货"]
  answer:
    zh: "{发货时限}内发出，订单 {订单号}。"
    en: "Within {发货时限}."
  ask: [order_no]
  needs_human: true

- id: cancel-how
  intent: CANCEL
  question: {zh: 怎么取消}
  similar: {zh: []}
  answer: {zh: 点取消}
"""
KEYWORDS = """\
version: 1
keywords:
  - {term: 发货, synonyms: [出库, 发貨呢], intents: [SHIP]}
  - {term: 取消, intents: [CANCEL, SHIP]}
"""
_PART = '{greeting: &, confirm: &, solution: {zh: "$", en: "{候选问题}{称呼}"}, next: &, closing: &}'
_ZH = {"answered": "{答案}", "answered_missing": "{答案}{所需信息}", "smalltalk": "{答案}"}
TEMPLATES = """\
id: default
version: "1.0"
facts:
  order_no: {zh: 订单号, en: order number}
context_of: {order_no: 订单号}
outcomes:
""" + "".join(
    f"  {name}: {_PART.replace('&', '''{zh: '', en: ''}''').replace('$', _ZH.get(name, '{称呼}'))}\n"
    for name in (
        "answered",
        "answered_missing",
        "smalltalk",
        "clarify",
        "handoff",
        "no_answer",
    )
)
TRAIN = """\
{"text": "啥时候发", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}
{"text": "不要了 怎么还没发", "intent": "CANCEL", "faq": "cancel-how", "also": ["ship-when"], "sentiment": "angry"}
{"text": "今天下雨", "intent": "OUT_OF_SCOPE", "faq": null, "sentiment": "neutral"}
"""
TEST = '{"text": "几时出库", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral", "style": "plain"}\n'

FILES: Mapping[str, str] = {
    "taxonomy.yaml": TAXONOMY,
    "policy.yaml": POLICY,
    "faq-order.yaml": FAQ,
    "keywords.yaml": KEYWORDS,
    "templates.yaml": TEMPLATES,
    "utterances/train-1.jsonl": TRAIN,
    "utterances/test-1.jsonl": TEST,
}


def write_pack(root: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """A small pack without mistakes; ``changes`` replaces or adds files, None leaves one out."""
    for name, content in {**FILES, **(changes or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def changed(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {name: FILES[name].replace(old, new, 1)}


def mistakes_of(root: Path, changes: Mapping[str, str | bytes | None]) -> list[str]:
    """Every mistake of the changed pack as ``file:line: detail``."""
    with pytest.raises(PackError) as caught:
        read_pack(write_pack(root, changes))
    return [str(mistake) for mistake in caught.value.mistakes]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def row(text: str, /, **changes: object) -> str:
    fields = {"text": text, "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral", **changes}
    return json.dumps(fields, ensure_ascii=False) + "\n"
