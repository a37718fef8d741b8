"""Facts that customers call by a name the shop knows: carriers of the retail pack, and a shop's own goods."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.fakes_core import tiny_knowledge
from tests.pack_kit import RETAIL
from yingda.domain.errors import PackError
from yingda.domain.knowledge import Policy
from yingda.pack import read_knowledge
from yingda.pack.mistakes import MistakeLog
from yingda.pack.policy import read_policy
from yingda.pack.source import read_yaml
from yingda.understand.entities import find_entities
from yingda.understand.named import NamedFacts


@cache
def retail() -> NamedFacts:
    return NamedFacts(read_knowledge(RETAIL))


def carriers(text: str) -> list[str]:
    return [entity.text for entity in find_entities(text, retail()) if entity.type == "carrier"]


@pytest.mark.parametrize(
    ("text", "carrier"),
    [
        *(
            ("顺丰到哪了", "顺丰"),
            ("圆通快递一直不动", "圆通"),
            ("是中通送的", "中通"),
            ("申通丢件了", "申通"),
            ("韵达 上周三发的", "韵达"),
        ),
        *(
            ("发京东行吗", "京东快递"),
            ("京东物流", "京东快递"),
            ("走邮政", "邮政"),
            ("EMS寄的", "EMS"),
            ("ems", "EMS"),
            ("极兔速递", "极兔"),
        ),
        *(("德邦送货上门吗", "德邦"), ("順豐快遞", "顺丰"), ("SF Express please", "顺丰"), ("顺丰SF1234567890123", "顺丰")),
    ],
)
def test_a_carrier_is_known_by_its_names(text: str, carrier: str) -> None:
    assert carriers(text) == [carrier]


@pytest.mark.parametrize(
    "text",
    [
        "运输途中通知我",
        "集中通过",
        "京东上更便宜",
        "邮政编码填啥",
        "EMS按摩仪",
        "systems",
        "items",
        "UPS电源有吗",
        "SF1234567890123",
        "普通快递",
    ],
)
def test_what_only_looks_like_a_carrier_is_none(text: str) -> None:
    assert carriers(text) == []


def test_an_identifier_that_holds_a_carriers_letters_stays_one() -> None:
    found = find_entities("EMS123456789012", retail())

    assert [entity.type for entity in found] == ["tracking_no"]


def test_goods_that_the_shop_names_are_known_by_all_their_names() -> None:
    knowledge = tiny_knowledge()
    policy = replace(knowledge.policy, context={"商品名称": ""}, spoken={"商品名称": {"云杉保温杯": ("保温杯", "水杯")}})
    templates = replace(knowledge.templates, context_of={"product": "商品名称"})
    named = NamedFacts(replace(knowledge, policy=policy, templates=templates))

    assert [(each.type, each.text) for each in find_entities("那个水杯漏水", named)] == [("product", "云杉保温杯")]


def test_without_names_nothing_is_named() -> None:
    assert list(NamedFacts(tiny_knowledge()).find("顺丰")) == []


def read(root: Path, more: str) -> Policy:
    (root / "policy.yaml").write_text(f"version: 1\nvalues: {{店铺: 云杉}}\ncontext: {{物流公司: 快递}}\n{more}", "utf-8")
    log = MistakeLog()
    tree = read_yaml(root, "policy.yaml", log)
    assert tree is not None
    policy = read_policy(tree, log)
    log.raise_if_any()
    return policy


def test_names_are_read_as_they_are_written(tmp_path: Path) -> None:
    policy = read(tmp_path, "spoken:\n  物流公司:\n    顺丰: [顺丰速运, SF Express]\n    圆通: []\nunspoken: [顺丰车]\n")

    assert policy.spoken == {"物流公司": {"顺丰": ("顺丰速运", "SF Express"), "圆通": ()}}
    assert policy.unspoken == ("顺丰车",)


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ("spoken:\n  快递员:\n    老王: []\n", 5, "unknown context variable '快递员'"),
        ("spoken:\n  物流公司:\n    顺丰: [圆通]\n    圆通: []\n", 7, "duplicate name '圆通'"),
        ("spoken:\n  物流公司:\n    顺丰: [顺]\n", 6, "name '顺' is too short"),
        ("spoken:\n  物流公司:\n    '顺丰{x}': []\n", 6, "unknown variable"),
        ("spoken:\n  物流公司:\n    顺丰: 速运\n", 6, "field '顺丰' must be"),
        ("spoken: [顺丰]\n", 4, "field 'spoken' must be"),
        ("unspoken: 途中通\n", 4, "field 'unspoken' must be"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, more: str, line: int, said: str) -> None:
    with pytest.raises(PackError) as caught:
        read(tmp_path, more)

    assert [(each.line, said in each.detail) for each in caught.value.mistakes] == [(line, True)]
