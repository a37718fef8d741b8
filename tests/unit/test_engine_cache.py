"""An engine that keeps what it made of a text: what is encoded, what is counted, and what is never kept."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.fakes_core import FakeEncoder, tiny_engine, tiny_knowledge, without_entry
from yingda.domain.message import Message
from yingda.runtime import Encodings
from yingda.text.masking import mask


class CountingEncoder:
    """Counts the rows it encodes."""

    def __init__(self) -> None:
        self.rows = 0

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """As the fake encoder."""
        self.rows += len(ids)
        return FakeEncoder().run(ids)


def test_a_text_that_comes_again_is_not_encoded_again() -> None:
    encoder = CountingEncoder()
    engine = tiny_engine(encoder=encoder, cache_size=10)
    before = encoder.rows  # the index embeds wordings
    engine.answer(Message("什么时候发货"))
    engine.answer(Message("  什么时候发货  "))
    engine.classify(Message("什麼時候發貨"))  # the same text once it is normalised

    assert encoder.rows - before == 1
    assert (engine.cache_info().hits, engine.cache_info().misses, engine.cache_info().entries) == (2, 1, 1)


def test_in_a_batch_each_text_is_encoded_once() -> None:
    encoder = CountingEncoder()
    engine = tiny_engine(encoder=encoder, cache_size=10)
    engine.answer(Message("怎么取消"))
    before = encoder.rows
    engine.answer_many([Message(text) for text in ("怎么取消", "多久发", "多久发", "你好")])

    assert encoder.rows - before == 2


def test_the_time_of_a_text_that_was_known_holds_no_encoding() -> None:
    engine = tiny_engine(cache_size=10)
    first, again = (engine.answer(Message("什么时候发货")).classification.timing for _ in range(2))

    assert first.encode > 0
    assert again.encode == 0
    assert again.total > 0


def test_an_engine_that_has_masked_a_message_says_so() -> None:
    engine = tiny_engine(cache_size=10)
    for text in ("什么时候发货", "什么时候发货，电话13812345678") * 2:  # the second time it is known whether there is anything to mask
        assert engine.answer(Message(text)).masked == mask(text)
    assert tiny_engine().answer(Message("什么时候发货，电话13812345678")).masked == ""


def test_without_a_size_every_message_is_encoded() -> None:
    encoder = CountingEncoder()
    engine = tiny_engine(encoder=encoder)
    before = encoder.rows
    for _ in range(3):
        engine.answer(Message("什么时候发货"))

    assert encoder.rows - before == 3
    assert engine.cache_info().entries == 0


def test_the_bound_holds() -> None:
    engine = tiny_engine(cache_size=4)
    for number in range(20):
        engine.answer(Message(f"发{number}"))

    assert engine.cache_info().entries == 4


def test_entities_come_from_each_message_as_it_was_written() -> None:
    engine = tiny_engine(cache_size=10)
    texts = ("发货 13800138000", "发货   13800138000", "发货 １３８００１３８０００")
    found = [engine.classify(Message(text)).entities for text in texts]

    assert engine.cache_info().hits == 2
    assert found == [tiny_engine().classify(Message(text)).entities for text in texts]
    assert found[0][0].start != found[1][0].start


def test_a_customer_s_values_never_reach_another_s_reply() -> None:
    engine = tiny_engine(cache_size=10)
    text, context = "什么时候发货", {"订单号": "DD20260101777"}
    with_order = engine.answer(Message(text, context=context))
    without = engine.answer(Message(text))

    assert with_order.missing == ()
    assert without.missing == ("order_no",)
    assert without.reply == tiny_engine().answer(Message(text)).reply


def test_no_text_of_a_customer_is_kept() -> None:
    secret = "发货到幸福路八十八号找我表姐"
    engine = tiny_engine(cache_size=10)
    engine.answer(Message(secret))
    todo: list[Any] = [engine._reader._read_before, engine._impersonal, engine._writer]
    kept = set[int]()
    while todo:
        thing = todo.pop()
        if id(thing) in kept or isinstance(thing, type):
            continue
        kept.add(id(thing))
        assert not (isinstance(thing, str) and "幸福路" in thing)
        todo.extend(gc.get_referents(thing))

    assert engine.cache_info().entries == 1


def test_other_knowledge_is_another_engine_with_nothing_kept() -> None:
    before = tiny_engine(cache_size=10)
    before.answer(Message("怎么取消"))
    after = tiny_engine(without_entry(tiny_knowledge(), "cancel-how"), cache_size=10)

    assert after.cache_info().entries == 0
    assert "cancel-how" not in {each.id for each in after.answer(Message("怎么取消")).candidates}


def test_thresholds_are_not_part_of_what_is_kept() -> None:
    engine = tiny_engine(cache_size=10)
    engine.answer(Message("怎么取消"))
    engine._model = replace(engine._model, thresholds=replace(engine._model.thresholds, match=1.1))

    assert engine.answer(Message("怎么取消")).accepted is None
