"""Which clauses of a message only frame its question, and which never go."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.pack_kit import RETAIL
from yingda.decide.framing import Framing, framing_of
from yingda.domain.errors import PackError
from yingda.domain.handoff import Framing as FramingWords
from yingda.domain.handoff import Words
from yingda.pack.handoff import read_handoff
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import read_yaml
from yingda.text.normalise import normalise


@cache
def retail() -> Framing:
    log = MistakeLog()
    tree = read_yaml(RETAIL, "handoff.yaml", log)
    assert tree is not None
    policy = read_handoff(tree, log)
    log.raise_if_any()
    return framing_of(policy.words)


def question(text: str) -> str:
    return retail().question(normalise(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("不用转人工，运费多少", "运费多少"),
        ("先别转人工 我想知道怎么退货", "怎么退货"),
        ("不需要人工客服了，什么时候发", "什么时候发"),
        ("那就先不用转人工了。保修多久", "保修多久"),
        ("人工就不用了，发票怎么开", "发票怎么开"),
        ("不用转人工你直接告诉我运费", "运费"),
        ("換個問題 能開發票嗎", "能开发票吗"),
        ("另外问一下保修多久", "保修多久"),
        ("对了 运费多少", "运费多少"),
        ("还有个事，怎么改地址", "怎么改地址"),
        ("再问下几天到", "几天到"),
        ("你好，客服在吗 我就想问发货了吗", "发货了吗"),
        ("亲请问包邮吗", "包邮吗"),
        ("你好呀~ 有货吗", "有货吗"),
        ("麻烦问下有货吗", "有货吗"),
        ("请问怎么退", "怎么退"),
        ("运费多少，不用转人工", "运费多少"),
        ("什么时候发？直接告诉我就行", "什么时候发?"),
        ("Hi, where is my parcel", "where is my parcel"),
        ("I don't need a human, where is my order", "where is my order"),
        ("One more question: can you tell me the return address", "the return address"),
    ],
)
def test_the_question_is_what_remains(text: str, expected: str) -> None:
    assert question(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("你好", "你好，在吗", "亲，请问在吗", "不用转人工", "不用转人工了，谢谢", "换个问题", "请问", "hello there"),
        *("你好，2", "请问？", "你好！！"),  # nothing of substance would be left
    ],
)
def test_a_frame_alone_stays_as_it_is(text: str) -> None:
    assert question(text) == normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        *("不要退货了", "不用开发票了，直接发", "别发顺丰，发京东", "不是投诉，就是问问运费", "没解决，怎么退"),
        *("转人工，我要退货", "找人工 问一下运费", "怎么不转人工", "还不转人工，运费多少"),
        *(
            "客服电话多少",
            "你好慢啊怎么还没发",
            "人工费多少",
            "不要人工费吧",
            "不用人工审核行不行",
            "还有货吗",
            "另外一个订单呢",
            "早上发的货呢",
        ),
        *("想问的不是怎么续，是怎么退", "hide my order", "history of my orders"),
    ],
)
def test_matter_requests_and_refusals_of_the_matter_stay(text: str) -> None:
    assert question(text) == normalise(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("请问下单以后能改吗", "下单以后能改吗"), ("请问下周到吗", "下周到吗"), ("请问一下单子到哪了", "一下单子到哪了")]
)
def test_a_lead_never_takes_the_head_of_a_word(text: str, expected: str) -> None:
    assert question(text) == expected


@pytest.mark.parametrize("text", ["不想找人工，我要投诉你们", "你好，给我转人工", "请问账号被盗了怎么办", "亲，没解决"])
def test_a_request_or_complaint_is_in_what_remains(text: str) -> None:
    whole, rest = normalise(text), question(text)

    assert rest != whole
    assert rest.startswith(("我要投诉", "给我转人工", "账号被盗", "没解决"))


def test_a_policy_without_framing_words_still_knows_a_refused_person() -> None:
    bare = framing_of(Words(framing=FramingWords()))

    assert bare.question("不用转人工,运费多少") == "运费多少"
    assert bare.question("你好,运费多少") == "你好,运费多少"


def test_a_mistake_in_the_framing_words_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "handoff.yaml").write_text("version: 1\nwords:\n  framing:\n    leads: [请问, 请问]\n    tails: [谢谢]\n", "utf-8")
    log = MistakeLog()
    tree = read_yaml(tmp_path, "handoff.yaml", log)
    assert tree is not None
    read_handoff(tree, log)

    with pytest.raises(PackError) as refused:
        log.raise_if_any()
    assert [(mistake.line, "tails" in mistake.detail) for mistake in refused.value.mistakes] == [(4, False), (5, True)]
