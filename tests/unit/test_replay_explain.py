"""Why an answer was given: decided once more, with the smallest changes that flip it, each proved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_core import tiny_engine, tiny_knowledge, without_entry
from tests.privacy_kit import a_vault
from tests.replay_store_kit import START, TALKS, hold
from tests.rules_kit import row, written
from yingda.decide.counterfactual import Decided, Flip
from yingda.domain.conversation import NEW, ConversationState, released
from yingda.domain.decision import Answer
from yingda.domain.message import Customer, Message, Tier
from yingda.engine import Engine
from yingda.replay.explain import Basis, Because, Explained, Replayed, TextRead, explain_turn, fired_rules, flips_of
from yingda.replay.originals import Originals
from yingda.replay.variants import with_rules
from yingda.store.memory import VolatileMemory
from yingda.store.records import Masked, StoredTurn

RULES = written([row("vip-first", tier='"vip"', intent='"ORDER_CANCEL"', action='"handoff"', priority='"high"')])


@cache
def engine() -> Engine:
    """The tiny shop with one rule of its own."""
    return with_rules(tiny_engine(), "rules/vip.json", RULES)


def turns(memory: VolatileMemory) -> list[StoredTurn]:
    return list(memory.turns_since(START))


@cache
def talked(tier: Tier | None = None) -> VolatileMemory:
    memory = VolatileMemory()
    hold(engine(), memory, tier=tier)
    return memory


def explained(conversation: str, number: int, *, tier: Tier | None = None, by: Engine | None = None) -> Explained:
    memory = talked(tier)
    return explain_turn(by or engine(), memory, memory.turns(conversation)[number])


def names(found: Explained) -> dict[str, Flip]:
    assert found.would_flip is not None
    return {flip.name: flip for flip in reversed(found.would_flip)}


def test_every_stored_turn_is_decided_the_same_again_unless_its_text_was_masked() -> None:
    memory = talked()
    found = {turn.text: explain_turn(engine(), memory, turn).replayed for turn in turns(memory)}

    assert len(found) > 12
    assert {text for text, how in found.items() if how is not Replayed.IDENTICAL} <= {text for text in found if "〔" in text}


def test_thresholds_and_limits_in_force_are_told() -> None:
    found = explained("calm", 1)

    assert found.thresholds == {"match": 0.7, "intent": 0.6, "ambiguity": 0.4, "clarify": 0.6, "angry": 0.6, "angry_beside": 0.0}
    assert found.limits == {"repeats": 3, "dissatisfied": 2, "out_of_scope": 2, "undecided": 2, "requests": 2}


def test_a_third_repeat_would_have_been_answered_with_one_less_before() -> None:
    flip = names(explained("again", 2))["repeats_so_far"]

    assert (flip.before.reasons, flip.now, flip.then) == (("repeated_question",), 2, 1)
    assert flip.after.outcome == "answered"


def test_a_conversation_that_a_person_gave_back_is_explained_from_there() -> None:
    found = explained("person", 2)

    assert found.replayed is Replayed.IDENTICAL
    assert "hand_off_stands" not in names(found)
    assert "hand_off_stands" in names(explained("person", 1))


def test_a_rule_that_fired_is_named_with_what_it_sets_and_would_flip() -> None:
    found = explained("calm", 2, tier=Tier.VIP)

    assert [(rule.id, rule.document, rule.description) for rule in found.rules] == [("vip-first", "rules/vip.json", "vip-first")]
    assert found.rules[0].sets == {"action": "handoff", "priority": "high"}
    assert names(found)["rule vip-first"].after.outcome == "answered"
    assert names(found)["tier"].after.reasons == ()


def test_rules_are_named_in_records_that_told_them_in_a_line_of_words() -> None:
    turn = talked(Tier.VIP).turns("calm")[2]
    old = replace(turn, answer={**turn.answer, "explanation": [{"step": "match", "detail": "x"}, {"step": "rule", "detail": "a, b fired"}]})
    new = replace(turn, answer={**turn.answer, "explanation": [{"step": "rule", "id": row_id, "fired": row_id != "c"} for row_id in "abc"]})

    assert [rule.id for rule in fired_rules(old, None)] == ["a", "b"]
    assert fired_rules(new, None) == fired_rules(old, None)


def test_other_knowledge_tells_what_was_stored_and_what_today_would_decide() -> None:
    found = explained("calm", 2, tier=Tier.VIP, by=tiny_engine(without_entry(replace(tiny_knowledge(), digest="other"), "hello")))

    assert found.replayed is Replayed.OTHER_VERSIONS
    assert (found.basis, found.because) == (Basis.TODAY, Because.NOT_REPRODUCED)
    assert found.today is not None and found.today.outcome == "answered", "the rule for VIP customers is gone"
    assert found.would_flip and all(flip.before == found.today for flip in found.would_flip)
    assert found.limits is None
    assert found.thresholds is not None
    assert [(rule.id, rule.document) for rule in found.rules] == [("vip-first", None)]


def test_the_knowledge_of_then_explains_what_it_decided_whatever_is_in_use_now() -> None:
    memory, now = talked(Tier.VIP), tiny_engine(without_entry(replace(tiny_knowledge(), digest="other"), "hello"))
    turn = memory.turns("calm")[2]

    found = explain_turn(now, memory, turn, then=engine())

    assert found == replace(explain_turn(engine(), memory, turn), basis=Basis.REBUILT)
    assert found.replayed is Replayed.IDENTICAL and found.because is None


def test_another_bundle_is_said_to_be_the_reason() -> None:
    memory = talked()
    turn = memory.turns("calm")[2]
    other = replace(turn, facts=replace(turn.facts, bundle="f" * 64))

    found = explain_turn(engine(), memory, other, then=engine())

    assert (found.basis, found.because, found.replayed) == (Basis.TODAY, Because.OTHER_BUNDLE, Replayed.OTHER_VERSIONS)
    assert all("模型包" in each.chinese() or "知识" in each.chinese() for each in Because)


def test_a_name_that_is_not_stored_changes_the_wording_alone() -> None:
    memory = VolatileMemory()
    hold(engine(), memory, {"c": ("怎么取消",)})
    (turn,) = turns(memory)
    named = replace(turn, answer={**turn.answer, "reply": {**turn.answer["reply"], "text": "王女士好"}})

    found = explain_turn(engine(), memory, named)

    assert found.replayed is Replayed.SAME_DECISION
    assert found.would_flip


@pytest.mark.parametrize(("text", "how"), [("怎么取消", Replayed.DIFFERS), ("〔手机号〕怎么取消", Replayed.TEXT_MASKED)])
def test_an_answer_that_does_not_come_again_says_why(text: str, how: Replayed) -> None:
    memory = VolatileMemory()
    hold(engine(), memory, {"c": ("怎么取消",)})
    (turn,) = turns(memory)
    other = replace(turn, text=Masked(text), answer={**turn.answer, "outcome": "no_answer", "faq": None})

    found = explain_turn(engine(), memory, other)

    assert (found.replayed, found.would_flip) == (how, None)


def test_without_its_original_a_masked_message_is_explained_as_far_as_it_comes_to_the_same() -> None:
    memory = talked()
    (phone,), number = memory.turns("phone"), memory.turns("facts")[1]

    same, other = (explain_turn(engine(), memory, turn) for turn in (phone, number))

    assert (same.replayed, same.text_read) == (Replayed.SAME_DECISION_MASKED, TextRead.MASKED)
    assert same.would_flip and all(flip.before.entry == phone.facts.faq for flip in same.would_flip)
    assert (other.replayed, other.would_flip) == (Replayed.TEXT_MASKED, None), "an order number was answered, which is not there"


@cache
def sealed() -> VolatileMemory:
    memory = VolatileMemory()
    hold(engine(), memory, vault=a_vault())
    return memory


def test_with_its_original_every_turn_is_decided_the_same_again_and_nothing_of_the_original_is_told() -> None:
    memory, originals = sealed(), Originals(a_vault())
    found = {turn.turn_id: explain_turn(engine(), memory, turn, original=originals.of) for turn in turns(memory)}

    assert {each.replayed for each in found.values()} == {Replayed.IDENTICAL}
    assert all(each.would_flip is not None and each.text_read is TextRead.ORIGINAL for each in found.values())
    assert (originals.opened, originals.unreadable) == (2, 0), "only what was masked is opened"
    assert not any(secret in repr(found) for secret in ("13800138000", "DD20260001"))


def test_an_original_that_cannot_be_opened_is_as_if_it_were_not_kept() -> None:
    memory, originals = sealed(), Originals(a_vault("another"))
    (phone,) = memory.turns("phone")
    assert phone.sealed is not None

    altered = replace(phone, sealed={**phone.sealed, "text": "AAAA"})
    found = [explain_turn(engine(), memory, phone, original=originals.of), explain_turn(engine(), memory, altered, original=originals.of)]
    with_key = Originals(a_vault())
    found.append(explain_turn(engine(), memory, altered, original=with_key.of))

    assert {each.replayed for each in found} == {Replayed.SAME_DECISION_MASKED}
    assert (originals.unreadable, with_key.unreadable) == (2, 1)


def test_versions_that_did_not_decide_a_message_never_read_its_original() -> None:
    memory, originals = sealed(), Originals(a_vault())
    (phone,) = memory.turns("phone")
    today = tiny_engine(without_entry(replace(tiny_knowledge(), digest="other"), "hello"))

    found = explain_turn(today, memory, phone, original=originals.of)

    assert (found.basis, found.text_read, originals.opened) == (Basis.TODAY, TextRead.MASKED, 0)
    assert explain_turn(today, memory, phone, then=engine(), original=originals.of).replayed is Replayed.IDENTICAL


def test_an_answer_of_another_form_is_no_error() -> None:
    memory = VolatileMemory()
    hold(engine(), memory, {"c": ("怎么取消",)})
    (turn,) = turns(memory)

    assert explain_turn(engine(), memory, replace(turn, answer={"outcome": "answered"})).replayed is Replayed.DIFFERS


def decided_by_engine(message: Message, state: ConversationState) -> Decided:
    (answer,) = engine().answer_many([message], [state])
    handoff = answer.handoff
    reasons = tuple(map(str, handoff.reasons))
    return Decided(
        str(answer.outcome), answer.faq.id if answer.faq else None, reasons, handoff.skill, str(handoff.priority), handoff.notify
    )


def moved(flip: Flip, message: Message, state: ConversationState) -> tuple[Message, ConversationState] | None:
    """The message and state with the change made, where the change is one of theirs."""
    if flip.name == "tier":
        return replace(message, customer=Customer("u-1", tier=Tier(str(flip.then)))), state
    if flip.name == "hand_off_stands":
        return message, released(state)
    if flip.name.endswith("_so_far"):
        count: dict[str, Any] = {flip.name.removesuffix("_so_far"): int(flip.then)}
        return message, replace(state, **count)
    return None


@given(st.lists(st.sampled_from([text for texts in TALKS.values() for text in texts if text != "RELEASE"]), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_each_flip_of_a_message_or_its_conversation_flips_the_engine_itself(texts: list[str]) -> None:
    state, told = NEW, []
    for minute, text in enumerate(texts):
        message = Message(text, customer=Customer("u-1"), at=START + timedelta(minutes=minute))
        answer: Answer = engine().answer_many([message], [state])[0]
        found = flips_of(engine(), message, state, answer)
        assert found is not None
        assert [flip.size for flip in found] == sorted(flip.size for flip in found)
        for flip in found:
            other = moved(flip, message, state)
            # an entry chosen anew may lack a fact, which the engine then asks for
            told += [(flip, decided_by_engine(*other))] if other and flip.after.outcome != "answered" else []
        state = answer.state
    assert [flip.after for flip, _ in told] == [again for _, again in told]
