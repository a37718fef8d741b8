"""Where the turns of a replay come from: files and the store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.replay_kit import START, as_record, make_answer, replayed, turn, verified
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.message import Tier
from yingda.domain.takeover import Reason
from yingda.replay.giving_way import finish
from yingda.replay.history import past_turns, stored_turns
from yingda.replay.records import ReplayError, Seen, read_turns
from yingda.replay.verify import verify
from yingda.store.memory import VolatileMemory, Write
from yingda.store.records import HandoffOpened, Masked, StoredTurn, TurnFacts


def line(**other: Any) -> str:
    return json.dumps({"turn_id": "1", "at": "2026-11-01T09:00:00+08:00", "text": "嗯", **other}, ensure_ascii=False)


def test_turns_are_read_from_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "turns.jsonl"
    record = as_record(make_answer("嗯", NEW))
    path.write_text(
        "\n".join((line(tier="vip", answer=record, context={"订单号": "1"}), "", line(turn_id="2", conversation_id="c"))), "utf-8"
    )

    first, second = read_turns(path)

    assert first.served == Seen.of(make_answer("嗯", NEW))
    assert first.message().customer is not None
    assert first.tier is Tier.VIP
    assert second.conversation_id == "c"
    assert second.served is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "1: no past turn; give turn_id, at and text"),
        ("[]", "1: no past turn"),
        (line(at="2026-11-01T09:00:00"), "1: at has no offset"),
        (line(at="yesterday"), "1: no past turn"),
        (line(text=""), "1: text is empty or blank"),
        (line(text=7), "1: no past turn"),
        (line(channel="fax"), "1: no past turn"),
        (line(answer={"outcome": "answered"}), "1: no past turn"),
        (line() + "\n" + line(), "2: turn_id stands in line 1 too"),
    ],
)
def test_a_line_that_is_no_turn_is_told_with_its_number_and_never_repeated(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "turns.jsonl"
    path.write_text(text, "utf-8")

    with pytest.raises(ReplayError) as caught:
        read_turns(path)

    assert str(caught.value).startswith(f"{path}:{told}")
    assert "嗯" not in str(caught.value)


def stored(memory: VolatileMemory, conversation: str, number: int, text: str, **facts: Any) -> None:
    """Decide and keep one message as the service does."""
    state, version = memory.recall(conversation)
    answer = make_answer(text, state)
    told = StoredTurn(
        turn_id=f"{conversation}-{number}",
        conversation_id=conversation,
        message_id=None,
        digest="",
        at=START + timedelta(minutes=number),
        text=Masked(text),
        state=answer.state,
        answer=as_record(answer),
        facts=TurnFacts(str(answer.outcome), answer.classification.intent.code, "ORDER", "neutral", bundle="b", knowledge="k", **facts),
    )
    opened = HandoffOpened((Reason.REQUESTED,), told.at, {}) if answer.state.standing and not state.standing else None
    memory.remember(told, version=version, handoff=opened)


def test_stored_turns_replay_as_they_were_decided() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "嗯", channel="app", tier="vip")
    stored(memory, "a", 2, "人工")
    memory.release("a", by="agent", at=START + timedelta(minutes=3))
    stored(memory, "a", 4, "怎么取消")
    stored(memory, "~message/9", 5, "嗯")
    turns = past_turns(memory, since=START)

    assert [(turn.turn_id, turn.conversation_id, turn.released) for turn in turns] == [
        ("a-1", "a", False),
        ("a-2", "a", False),
        ("a-4", "a", True),
        ("~message/9-5", None, False),
    ]
    assert verify(verified(turns), bundle="b", knowledge="k").deviating == ()


def test_a_turn_that_was_answered_in_another_script_replays_in_it() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "嗯")
    kept = memory.turns("a")[0]
    told = {**kept.answer, "classification": {**kept.answer["classification"], "language": {"code": "zh", "confidence": 1.0}}}
    again = replace(kept, turn_id="b-1", conversation_id="b", answer=told, state=replace(kept.state, language="zh-Hant"))
    memory.remember(again, version=0)

    assert [turn.language for turn in past_turns(memory, since=START)][-1] == "zh-Hant"


def test_a_window_into_a_conversation_knows_what_was_before() -> None:
    memory = VolatileMemory()
    for number in (1, 2, 3):
        stored(memory, "a", number, "嗯")
    turns = past_turns(memory, since=START + timedelta(minutes=2), until=START + timedelta(minutes=3))

    assert [turn.turn_id for turn in turns] == ["a-2"]
    assert turns[0].before is not None
    assert turns[0].before.undecided == 1
    assert verify(verified(turns), bundle="b", knowledge="k").holds


def test_idle_time_is_no_release_by_a_person() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "人工")
    last, (state, version) = memory.turns("a")[0], memory.recall("a")
    later = [replace(last, turn_id=f"a-{n}", at=START + timedelta(days=3, minutes=n), state=replace(state, standing=None)) for n in (2, 3)]
    writes = [Write(later[0], version, idle_since=last.at), Write(later[1], version + 1)]

    assert memory.remember_all(writes) == [None, None]

    assert memory.handoffs("a")[0].released_at == later[0].at
    assert [turn.released for turn in past_turns(memory, since=START)] == [False, False, False]


def test_a_window_that_begins_after_a_release_knows_of_it() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "人工")
    memory.release("a", by="agent", at=START + timedelta(minutes=2))
    stored(memory, "a", 3, "怎么取消")
    turns = past_turns(memory, since=START + timedelta(minutes=3))

    assert [(turn.turn_id, turn.released) for turn in turns] == [("a-3", True)]
    assert verify(verified(turns), bundle="b", knowledge="k").holds


def test_a_release_in_a_replay_clears_every_count_as_it_did_then() -> None:
    before = make_answer("人工", ConversationState(undecided=1)).state
    (step,) = replayed([turn("a", 5, "嗯", before=replace(before, undecided=1), released=True)])

    assert step.said["current"].outcome == "no_answer"


def test_at_most_so_many_turns_are_read() -> None:
    memory = VolatileMemory()
    for number in (1, 2, 3):
        stored(memory, f"c{number}", number, "嗯")

    assert list(finish(stored_turns(memory, since=START, limit=2))) == ["c1", "c2"]


def test_a_masked_text_that_grew_too_long_is_cut() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "嗯" * 2001)

    assert len(past_turns(memory, since=START)[0].message().text) == 2000


def test_a_release_of_what_was_never_sent_is_known_by_the_states() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "人工")
    last, (state, version) = memory.turns("a")[0], memory.recall("a")
    silent = VolatileMemory()
    kept_back = {**last.answer, "rollout": {"arm": "shadow", "release": "r", "send": False, "revision": 1}}
    silent.remember(replace(last, answer=kept_back), version=0)
    silent.release("a", by="agent", at=START + timedelta(minutes=2))
    stored(silent, "a", 3, "怎么取消")

    turns = past_turns(silent, since=START)

    assert (silent.handoffs("a"), version, state.standing is not None) == ([], 1, True)
    assert [(turn.released, turn.sent) for turn in turns] == [(False, False), (True, True)]
    assert verify(verified(turns), bundle="b", knowledge="k").deviating == ()


def test_what_was_decided_again_without_its_personal_data_is_no_deviation() -> None:
    memory = VolatileMemory()
    stored(memory, "a", 1, "怎么取消〔手机号〕")
    (past,) = past_turns(memory, since=START)
    assert past.served is not None
    other = replace(past, served=replace(past.served, outcome="no_answer"))

    found = verify(verified([other]), bundle="b", knowledge="k")

    assert (found.masked, found.deviating, found.holds) == (("a-1",), (), True)
    assert verify(verified([replace(other, original="怎么取消 13800138000")]), bundle="b", knowledge="k").deviating == ("a-1",)
