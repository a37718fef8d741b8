"""With a cache, however small, an engine answers as without, whatever comes and in whatever order, batch and thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_core import tiny_engine
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Answer, Timing
from yingda.domain.message import Channel, Customer, Message
from yingda.engine import Engine

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
NO_TIME = Timing(0.0, 0.0, 0.0, 0.0)
PLAIN = tiny_engine()

_SHOP = ("什么时候发货", "多久发", "怎么取消", "你好", "谢谢", "号被盗了", "转人工", "不用转人工", "我要投诉", "股票", "怒怒", "没解决")
_ODD = ("2", "第一个", "订单号 DD20250101123", "发货 13800138000", "ＤＤ20250101123", "發貨", "多久发  ", "那多久", "hello", "😡", "\u200b")
TEXTS = st.sampled_from((*_SHOP, *_ODD))
MESSAGES = st.builds(
    Message,
    TEXTS,
    channel=st.sampled_from(Channel),
    language=st.sampled_from((None, None, "en", "zh-CN")),
    customer=st.sampled_from((None, Customer("c"), Customer("c", "王小明", "male"), Customer("c", "赵方便", "女"))),
    context=st.sampled_from(({}, {"订单号": "DD20250101123"}, {"订单号": "{x}"})),
    at=st.sampled_from((None, AT, AT + timedelta(hours=12), AT.replace(month=10, day=1))),
)
TALKS = st.lists(MESSAGES, min_size=1, max_size=4)


def untimed(answer: Answer) -> Answer:
    return replace(answer, classification=replace(answer.classification, timing=NO_TIME))


def talk(engine: Engine, messages: list[Message]) -> list[Answer]:
    state, answers = NEW, []
    for message in messages:
        answer = engine.answer_many([message], [state])[0]
        state = answer.state
        answers.append(untimed(answer))
    return answers


def talk_together(engine: Engine, talks: list[list[Message]]) -> list[list[Answer]]:
    """Each round of all conversations in one batch."""
    states: list[ConversationState] = [NEW] * len(talks)
    answers: list[list[Answer]] = [[] for _ in talks]
    for turn in range(max(map(len, talks))):
        live = [number for number, messages in enumerate(talks) if turn < len(messages)]
        batch = engine.answer_many([talks[number][turn] for number in live], [states[number] for number in live])
        for number, answer in zip(live, batch, strict=True):
            states[number] = answer.state
            answers[number].append(untimed(answer))
    return answers


@settings(max_examples=60, deadline=None)
@given(st.lists(TALKS, min_size=1, max_size=5), st.integers(0, 12))
def test_answers_are_those_of_an_engine_that_keeps_nothing(talks: list[list[Message]], size: int) -> None:
    expected, cached = [talk(PLAIN, messages) for messages in talks], tiny_engine(cache_size=size)

    assert [talk(cached, messages) for messages in talks] == expected
    assert talk_together(cached, talks) == expected
    assert cached.cache_info().entries <= size


@settings(max_examples=10, deadline=None)
@given(st.lists(TALKS, min_size=2, max_size=6), st.integers(1, 6))
def test_two_threads_sharing_a_cache_get_the_same_answers(talks: list[list[Message]], size: int) -> None:
    expected, cached = [talk(PLAIN, messages) for messages in talks], tiny_engine(cache_size=size)
    with ThreadPoolExecutor(2) as pool:
        once, again = (pool.map(lambda messages: talk(cached, messages), each) for each in (talks, reversed(talks)))
        assert list(once) == expected
        assert list(again) == expected[::-1]


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=8))
def test_a_text_is_read_alone_as_among_others_bit_for_bit(texts: list[str]) -> None:
    cached = tiny_engine(cache_size=100)
    cached.read(texts[: len(texts) // 2] or texts)
    together = cached.read(texts)
    for row, text in enumerate(texts):
        alone = PLAIN.read([text])
        assert alone.intents[0].tobytes() == together.intents[row].tobytes()
        assert alone.embeddings[0].tobytes() == together.embeddings[row].tobytes()
        assert alone.entries[0].tobytes() == together.entries[row].tobytes()
