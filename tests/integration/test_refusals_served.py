"""Who refuses a person is not handed over, and who asks for one is: the shipped networks with the word lists of the retail pack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from yingda.assemble import open_engine
from yingda.domain.message import Message
from yingda.domain.takeover import Reason
from yingda.engine import Engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    yield open_engine(ROOT / "models/current", pack=ROOT / "data/packs/retail")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "我没让你转人工",
            "我没有要转人工",
            "人工不用",
            "转人工就不必了，多久到账",
            "转人工取消",
            "取消转人工",
            "毋须转人工",
            "人工先不用",
        ),
        *("谁让你转人工了", "不会投诉你们的，就问问运费", "账号没被盗", "我的号没有被盗，就问下怎么改密码", "I didn't ask for an agent"),
        *("客服在吗", "报警器怎么用", "烟雾报警器有货吗", "周末人工客服在吗", "订单被客服取消了，怎么回事"),
    ],
)
def test_who_refuses_is_not_handed_over(engine: Engine, text: str) -> None:
    assert engine.answer(Message(text)).handoff.reasons == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (text, Reason.REQUESTED)
            for text in ("不用机器人，转人工", "不要机器人回复了，要人工", "你不会转人工吗", "怎么还没转人工", "没有人工吗")
        ),
        *((text, Reason.REQUESTED) for text in ("为什么不给我转人工", "不转人工我就投诉", "不是让你转人工吗", "我要取消订单转人工")),
        *((text, Reason.REQUESTED) for text in ("我想找客服", "人工客服在吗", "客服呢人呢", "我要找人工取消", "转人工算了")),
        *(
            (text, Reason.COMPLAINT)
            for text in ("不投诉不行了", "不得不投诉", "不会是不让投诉吧", "我要起诉", "我要起诉你们", "我要报警", "法院见")
        ),
        *((text, Reason.SECURITY) for text in ("账号被盗了没人管", "号没被盗，但是我的钱被盗刷了", "我号没被盗吧")),
    ],
)
def test_who_asks_for_a_person_gets_one(engine: Engine, text: str, reason: Reason) -> None:
    assert reason in engine.answer(Message(text)).handoff.reasons
