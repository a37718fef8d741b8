"""The engine over a shop so small that every number can be foreseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes_core import THRESHOLDS, tiny_engine, tiny_knowledge, without_entry
from yingda.domain.decision import Acceptance, Answer, Outcome, Reason
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Customer, Message, Tier

MESSAGES = ["什么时候发货", "发还是消", "不知所云", "保修多久", "盗了", "怒!发", "你好", "股", "人", "😀", "where is it"]


def answer(text: str, *, context: dict[str, str] | None = None) -> Answer:
    return tiny_engine().answer(Message(text, context=context or {}))


# ---- outcomes ----


def test_an_accepted_entry_is_answered() -> None:
    result = answer("什么时候发货")

    assert result.outcome is Outcome.ANSWERED
    assert result.faq is not None
    assert result.faq == result.accepted == result.candidates[0]
    assert result.faq.id == "ship-when"
    assert result.reply.parts.solution == "48 小时内发出。"


def test_low_match_confidence_between_two_entries_asks_back() -> None:
    result = answer("发还是消")

    assert result.outcome is Outcome.CLARIFY
    assert result.faq is None
    assert result.accepted is None
    assert result.reply.parts.solution.startswith("1. 什么时候发\n2. 怎么取消")


def test_low_match_confidence_everywhere_gets_no_answer() -> None:
    result = answer("不知所云")

    assert result.outcome is Outcome.NO_ANSWER
    assert result.faq is None
    assert result.classification.decision is Acceptance.ABSTAIN


def test_a_message_out_of_scope_gets_no_answer() -> None:
    assert answer("股").outcome is Outcome.NO_ANSWER


def test_the_match_threshold_decides() -> None:
    strict = tiny_engine(thresholds=replace(THRESHOLDS, match=1.01))

    assert strict.answer(Message("什么时候发货")).outcome is Outcome.CLARIFY


def test_a_hand_off_keeps_the_entry_it_stands_behind() -> None:
    result = answer("怒!什么时候发货")

    assert result.outcome is Outcome.HANDOFF
    assert result.handoff.reasons == (Reason.NEGATIVE_SENTIMENT,)
    assert result.handoff.priority is Priority.HIGH
    assert result.faq is None
    assert result.accepted is not None
    assert result.accepted.id == "ship-when"
    assert result.missing == ("order_no",)


def test_a_request_for_a_person_is_handed_over() -> None:
    result = answer("人")

    assert result.handoff.reasons == (Reason.REQUESTED,)
    assert result.handoff.skill == "general"


def test_a_vip_customer_has_high_priority() -> None:
    result = tiny_engine().answer(Message("怎么消", customer=Customer("1", tier=Tier.VIP)))

    assert result.handoff.priority is Priority.HIGH
    assert not result.handoff.required


# ---- what an answer carries ----


def test_candidates_come_in_falling_order_and_sum_to_at_most_1() -> None:
    for text in MESSAGES:
        confidences = [candidate.confidence for candidate in answer(text).candidates]
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) <= 1 + 1e-5  # float32


def test_every_answer_explains_the_match_and_the_decision() -> None:
    steps = answer("什么时候发货").explanation

    assert [step.step for step in steps] == ["match", "decide", "conversation"]
    assert steps[0].detail.startswith("ship-when: confidence ")
    assert "has not seen it" in answer("保修多久").explanation[0].detail


def test_missing_facts_are_asked_for_until_they_are_given() -> None:
    assert answer("什么时候发货").missing == ("order_no",)
    assert answer("什么时候发货", context={"订单号": "A1"}).missing == ()
    assert answer("DD20250101什么时候发货").missing == ()


def test_the_customers_own_language_is_believed() -> None:
    result = tiny_engine().answer(Message("什么时候发货", language="en-GB"))

    assert result.classification.language.code == "en"
    assert result.classification.language.confidence == 1.0
    assert result.reply.language == "en"


def test_sentiment_and_keywords_and_entities_come_with_the_classification() -> None:
    found = tiny_engine().classify(Message("怒！出库了吗 DD20250101"))

    assert found.sentiment.label is Sentiment.ANGRY
    assert sum(found.sentiment.scores.values()) == pytest.approx(1.0, abs=1e-5)  # float32
    assert [hit.text for hit in found.keywords] == ["出库"]
    assert [entity.text for entity in found.entities] == ["DD***0101"]


def test_offsets_of_entities_count_in_the_original_text() -> None:
    text = "\u200b！！！！！　　DD20250101"

    entity = tiny_engine().classify(Message(text)).entities[0]

    assert text[entity.start : entity.end] == "DD20250101"


def test_spelling_that_the_normaliser_evens_out_changes_nothing() -> None:
    plain, odd = answer("什么时候发货"), answer("\u200b什麼時候發貨")

    assert (odd.outcome, odd.candidates) == (plain.outcome, plain.candidates)


# ---- batches ----


def test_a_message_alone_fares_as_in_a_batch() -> None:
    engine = tiny_engine()
    messages = [Message(text) for text in MESSAGES]

    together = engine.answer_many(messages)

    for message, batched in zip(messages, together, strict=True):
        alone = engine.answer(message)
        assert alone.outcome is batched.outcome
        assert alone.reply == batched.reply
        assert [c.id for c in alone.candidates] == [c.id for c in batched.candidates]
        # float32 products in another shape differ in the last digits
        np.testing.assert_allclose([c.confidence for c in alone.candidates], [c.confidence for c in batched.candidates], atol=1e-5)


def test_answers_come_in_the_order_of_the_messages() -> None:
    engine = tiny_engine()
    forth, back = engine.answer_many([Message(t) for t in MESSAGES]), engine.answer_many([Message(t) for t in reversed(MESSAGES)])

    assert [a.outcome for a in forth] == [a.outcome for a in reversed(back)]


def test_no_message_gives_no_answer() -> None:
    assert tiny_engine().answer_many([]) == []
    assert tiny_engine().classify_many([]) == []


def test_answer_and_classify_agree_on_the_intent() -> None:
    engine = tiny_engine()

    for text in MESSAGES:
        assert engine.answer(Message(text)).classification.intent == engine.classify(Message(text)).intent


# ---- intents shown ----


@pytest.mark.parametrize("top_k", [1, 2, 3, 8])
def test_a_ranking_holds_as_many_intents_as_asked_for(top_k: int) -> None:
    found = tiny_engine().classify(Message("什么时候发货"), top_k=top_k)

    assert len(found.ranking) == top_k
    assert found.ranking[0] == found.intent


def test_more_intents_than_there_are_shows_all() -> None:
    engine = tiny_engine()

    assert len(engine.classify(Message("发"), top_k=100).ranking) == len(engine.knowledge.taxonomy.intents)


def test_an_ambiguous_message_shows_both_intents_however_few_are_asked_for() -> None:
    found = tiny_engine().classify(Message("发还是消"), top_k=1)

    assert found.decision is Acceptance.AMBIGUOUS
    assert {score.code for score in found.ranking} == {"ORDER_SHIP_TIME", "ORDER_CANCEL"}


# ---- a pack that changed since training ----


def test_an_entry_added_after_training_is_found_by_its_text() -> None:
    result = answer("保修多久")

    assert result.outcome is Outcome.ANSWERED
    assert result.faq is not None
    assert result.faq.id == "warranty-new"


def test_a_new_entry_takes_no_message_from_the_trained_ones() -> None:
    before = tiny_engine(without_entry(tiny_knowledge(), "warranty-new"))

    for text in ("什么时候发货", "怎么消", "你好"):
        assert before.answer(Message(text)).faq is not None
        assert answer(text).candidates[0].id == before.answer(Message(text)).candidates[0].id


def test_a_retired_entry_disappears() -> None:
    for text in (*MESSAGES, "旧"):
        assert "retired" not in {candidate.id for candidate in answer(text).candidates}


def test_what_a_retired_entry_answered_is_no_longer_answered() -> None:
    assert answer("旧").outcome is Outcome.NO_ANSWER


def test_an_entry_taken_out_of_the_pack_is_no_longer_answered() -> None:
    engine = tiny_engine(without_entry(without_entry(tiny_knowledge(), "warranty-new"), "ship-when"))

    result = engine.answer(Message("什么时候发货"))

    assert result.outcome is not Outcome.ANSWERED
    assert "ship-when" not in {candidate.id for candidate in result.candidates}


def test_a_pack_with_one_entry_works() -> None:
    knowledge = tiny_knowledge()
    single = replace(knowledge, faq={"ship-when": knowledge.faq["ship-when"]})

    assert tiny_engine(single).answer(Message("什么时候发货")).outcome is Outcome.ANSWERED


@pytest.mark.parametrize("text", ["\u200b", "\ufe0f", "\xad", "\x02\x03"])
def test_a_message_that_nobody_can_see_gets_no_answer_and_harms_no_other(text: str) -> None:
    seen, unseen = tiny_engine().answer_many([Message("什么时候发货"), Message(text)])

    assert seen.outcome is Outcome.ANSWERED
    assert unseen.faq is None
