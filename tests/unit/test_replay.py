"""Replay: conversations in order, side by side, counted, priced, interrupted and gone on with."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes_core import FakeEncoder
from tests.replay_kit import START, FakeDecider, as_record, make_answer, turn, two_patiences
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.message import Tier
from yingda.domain.takeover import Reason
from yingda.replay.cache import CachedEncoder
from yingda.replay.checkpoint import Checkpoint, left
from yingda.replay.giving_way import InSteps, finish
from yingda.replay.history import past_turns, stored_turns
from yingda.replay.records import PastTurn, ReplayError, Seen, read_turns
from yingda.replay.report import SERVED, Costs, compare
from yingda.replay.run import CHUNK_TURNS, Run, Step, replay, replay_here, replay_in_passes, replay_with_workers
from yingda.replay.verify import AGAIN, CURRENT, verify
from yingda.runtime import Encodings
from yingda.store.memory import VolatileMemory
from yingda.store.records import HandoffOpened, Masked, StoredTurn, TurnFacts

TURNS = [turn("a", 1, "嗯"), turn("a", 2, "哦"), turn("b", 1, "怎么取消"), turn(None, 3, "人工"), turn("a", 4, "怎么取消")]


def replayed(turns: list[PastTurn]) -> list[Step]:
    return [step for steps in replay_here(two_patiences(), Run.of(turns).chunks) for step in steps]


def outcomes(steps: list[Step], name: str) -> dict[str, str]:
    return {step.turn.turn_id: step.said[name].outcome for step in steps}


def test_each_configuration_replays_every_conversation_with_its_own_states() -> None:
    steps = replayed(TURNS)

    assert outcomes(steps, "current") == {"a-1": "no_answer", "a-2": "handoff", "a-4": "handoff", "b-1": "answered", "alone-3": "handoff"}
    assert outcomes(steps, "changed") == {"a-1": "handoff", "a-2": "handoff", "a-4": "handoff", "b-1": "answered", "alone-3": "handoff"}


def test_the_order_in_which_turns_are_given_says_nothing() -> None:
    shuffled = list(TURNS)
    random.Random(1).shuffle(shuffled)

    assert replayed(shuffled) == replayed(TURNS)


def test_turns_of_different_conversations_share_a_pass() -> None:
    decider = FakeDecider()
    replay({"current": decider}, Run.of(TURNS).chunks[0])

    assert decider.batches == [3, 1, 1]


def list_of_steps(work: InSteps[Any]) -> list[Any]:
    """What each step of ``work`` yields, and last what it returns."""
    found: list[Any] = []

    def kept() -> InSteps[None]:
        found.append((yield from work))

    return [*kept(), *found]


def test_a_replay_in_passes_gives_way_between_them_and_says_the_same() -> None:
    decider, chunk = FakeDecider(), Run.of([turn(f"c{n % 5}", n, "嗯") for n in range(10)]).chunks[0]
    passes = list_of_steps(replay_in_passes({"current": decider}, chunk, most=2))

    assert passes[-1] == replay({"current": FakeDecider()}, chunk)
    assert decider.batches == [2, 2, 1, 2, 2, 1]
    assert passes[:-1] == [None] * 6


def test_a_conversation_that_began_earlier_starts_from_its_state() -> None:
    (step,) = replayed([turn("a", 5, "嗯", before=ConversationState(undecided=1))])

    assert step.said["current"].reasons == ("low_confidence",)


def test_a_conversation_that_a_person_released_is_released_in_the_replay() -> None:
    steps = replayed([turn("a", 1, "人工"), turn("a", 2, "怎么取消", released=True)])

    assert outcomes(steps, "current") == {"a-1": "handoff", "a-2": "answered"}


def test_chunks_hold_whole_conversations() -> None:
    turns = [turn(f"c{n % 400}", n, "嗯") for n in range(1600)]
    run = Run.of(turns)

    assert run.turns == 1600
    assert len(run.chunks) > 1
    assert all(sum(map(len, chunk)) < CHUNK_TURNS + 4 for chunk in run.chunks)
    names = [conversation[0].conversation_id for chunk in run.chunks for conversation in chunk]
    assert len(names) == len(set(names)) == 400


def test_worker_processes_say_the_same() -> None:
    run = Run.of([turn(f"c{n % 300}", n, "嗯嗯"[: 1 + n % 2]) for n in range(1100)])

    assert list(replay_with_workers(two_patiences, run.chunks, workers=2)) == list(replay_here(two_patiences(), run.chunks))


# ---- what would change ----


def test_the_difference_counts_outcomes_hand_offs_reasons_and_minutes() -> None:
    difference = compare(replayed(TURNS), before="current", after="changed", costs=Costs(6.0, {"requested": 10.0}))

    assert (difference.turns, difference.conversations, difference.changed) == (5, 3, 1)
    assert dict(difference.before.outcomes) == {"no_answer": 1, "handoff": 3, "answered": 1}
    assert dict(difference.after.outcomes) == {"handoff": 4, "answered": 1}
    assert dict(difference.moves) == {("no_answer", "handoff"): 1, ("handoff", "handoff"): 3, ("answered", "answered"): 1}
    assert dict(difference.aspects) == {
        **dict.fromkeys(difference.aspects, 0),
        **dict.fromkeys(("outcome", "reasons", "skill", "priority", "reply"), 1),
    }
    assert (difference.before.handoffs, difference.after.handoffs) == (2, 2)
    assert dict(difference.after.reasons) == {"low_confidence": 1, "requested": 1}
    assert difference.after.minutes == 16.0


def test_a_hand_off_that_stands_costs_once_and_one_after_a_release_again() -> None:
    turns = [turn("a", 1, "人工"), turn("a", 2, "怎么取消"), turn("a", 3, "人工", released=True)]

    assert compare(replayed(turns), before="current", after="changed").before.handoffs == 2


def test_several_reasons_cost_the_most_of_theirs() -> None:
    seen = replace(Seen.of(make_answer("人", NEW)), reasons=("complaint", "vip", "requested"))

    assert Costs(6.0, {"vip": 9.0, "requested": 2.0}).of(seen) == 9.0


def test_intents_are_told_with_the_most_changed_first() -> None:
    rows = compare(replayed(TURNS), before="current", after="changed").intents

    assert [(row.intent, row.turns, row.changed, row.handed_off) for row in rows] == [
        ("ORDER_CANCEL", 4, 1, (2, 3)),
        ("GENERAL_HUMAN", 1, 0, (1, 1)),
    ]


def test_examples_stand_side_by_side_by_kind_and_are_masked_once_more() -> None:
    turns = [turn(f"c{n}", n, "嗯，电话13800138000") for n in range(9)]
    difference = compare(replayed(turns), before="current", after="changed", examples=2)
    record = difference.fields(mask=lambda text: text.replace("13800138000", "〔手机号〕"))

    assert list(record["examples"]) == ["no_answer -> handoff"]
    examples = record["examples"]["no_answer -> handoff"]
    assert len(examples) == 2
    assert examples[0]["before"]["outcome"] == "no_answer"
    assert examples[0]["after"]["reasons"] == ("low_confidence",)
    assert "13800138000" not in json.dumps(record, ensure_ascii=False)


def test_the_same_turns_give_the_same_examples_in_any_order() -> None:
    turns = [turn(f"c{n}", n, "嗯") for n in range(30)]
    one, other = (compare(replayed(some), before="current", after="changed").examples for some in (turns, turns[::-1]))

    assert one == other


def test_what_was_served_is_compared_where_something_was() -> None:
    served = Seen.of(make_answer("怎么取消", NEW))
    steps = replayed([turn("a", 1, "嗯", served=served), turn("b", 1, "嗯")])
    difference = compare(steps, before=SERVED, after="changed")

    assert (difference.turns, difference.changed) == (1, 1)
    assert dict(difference.moves) == {("answered", "handoff"): 1}


# ---- the same again ----


def verified(turns: list[PastTurn]) -> list[Step]:
    decider = FakeDecider()
    return [step for steps in replay_here({CURRENT: decider, AGAIN: decider}, Run.of(turns).chunks) for step in steps]


def test_the_same_configuration_says_the_same_to_the_last_digit() -> None:
    served = Seen.from_record(as_record(make_answer("怎么取消", NEW)))
    found = verify(verified([turn("a", 1, "怎么取消", served=served, bundle="b", knowledge="k")]), bundle="b", knowledge="k")

    assert found.holds
    assert (found.turns, found.compared) == (1, 1)


def test_a_score_that_differs_in_its_last_digit_is_found() -> None:
    served = Seen.of(make_answer("怎么取消", NEW))
    moved = replace(served, scores=(served.scores[0] + 1e-6, *served.scores[1:]))
    found = verify(verified([turn("a", 1, "怎么取消", served=moved, bundle="b", knowledge="k")]), bundle="b", knowledge="k")

    assert found.deviating == ("a-1",)
    assert not found.holds


def test_turns_of_other_versions_may_differ() -> None:
    served = Seen.of(make_answer("人", NEW))
    found = verify(verified([turn("a", 1, "怎么取消", served=served, bundle="old", knowledge="k")]), bundle="b", knowledge="k")

    assert found.holds
    assert found.compared == 0


def test_an_answer_of_the_engine_and_its_record_are_seen_alike() -> None:
    for text in ("怎么取消", "人工", "嗯"):
        answer = make_answer(text, NEW)
        seen = Seen.of(answer)
        assert Seen.from_record(json.loads(json.dumps(as_record(answer)))) == seen
        assert Seen.from_fields(json.loads(json.dumps(seen.fields()))) == seen


# ---- gone on with ----

MANY = [turn(f"c{n % 275}", n, "嗯") for n in range(1100)]
NAMES = {"current": "1", "changed": "2"}


def interrupted(path: Path, *, after: int) -> list[list[Step]]:
    """Replay ``after`` chunks and stop."""
    run = Run.of(MANY)
    with Checkpoint(path, run, configurations=NAMES) as checkpoint:
        done = list(checkpoint.done())
        for steps in replay_here(two_patiences(), left(run, len(done))[:after]):
            checkpoint.add(steps)
            done.append(steps)
    return done


def test_an_interrupted_replay_goes_on_where_it_stopped_and_says_the_same(tmp_path: Path) -> None:
    assert len(interrupted(tmp_path / "c", after=1)) == 1
    assert len(interrupted(tmp_path / "c", after=0)) == 1
    whole = interrupted(tmp_path / "c", after=99)

    assert whole == list(replay_here(two_patiences(), Run.of(MANY).chunks))


def test_a_torn_line_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "c"
    interrupted(path, after=2)
    data = path.read_bytes()
    ends = [n for n, byte in enumerate(data) if byte == 10]
    for cut in (0, 5, ends[0] + 1, ends[1], ends[1] + 7):
        path.write_bytes(data[:cut])
        assert len(interrupted(path, after=0)) == max(0, data[:cut].count(b"\n") - 1)
        assert len(interrupted(path, after=1)) == max(0, data[:cut].count(b"\n") - 1) + 1
        assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("change", ["turns", "configuration"])
def test_the_checkpoint_of_another_replay_is_refused_and_left_alone(tmp_path: Path, change: str) -> None:
    path = tmp_path / "c"
    interrupted(path, after=1)
    kept = path.read_bytes()
    run = Run.of(MANY[1:] if change == "turns" else MANY)
    names = {**NAMES, "changed": "3"} if change == "configuration" else NAMES

    with pytest.raises(ReplayError, match="another replay"), Checkpoint(path, run, configurations=names) as checkpoint:
        list(checkpoint.done())

    assert path.read_bytes() == kept


def test_a_damaged_checkpoint_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c"
    interrupted(path, after=1)
    header, _, _ = path.read_bytes().partition(b"\n")
    path.write_bytes(header + b'\n[{"current": {}}]\n')

    with pytest.raises(ReplayError, match=r"c:2: the checkpoint is damaged"):
        interrupted(path, after=0)


# ---- the same text is encoded once ----


class CountingEncoder(FakeEncoder):
    """An encoder that notes what it was asked."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []

    def run(self, ids: Any) -> Encodings:
        self.rows += [tuple(row) for row in ids]
        return super().run(ids)


def test_the_same_text_is_encoded_once_and_says_the_same_bit_for_bit() -> None:
    counting = CountingEncoder()
    cached, batches = CachedEncoder(counting), [[[1], [2, 3], [1]], [[2, 3], [4]]]

    for ids in batches:
        ours, theirs = cached.run(ids), FakeEncoder().run(ids)
        assert all(np.array_equal(getattr(ours, part), getattr(theirs, part)) for part in ("embedding", "intent", "sentiment"))
    assert counting.rows == [(1,), (2, 3), (4,)]
    assert (cached.asked, cached.encoded) == (5, 3)


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    counting = CountingEncoder()
    cached = CachedEncoder(counting, size=2)
    for ids in ([[1], [2]], [[1]], [[3]], [[1]], [[2]]):
        cached.run(ids)

    assert counting.rows == [(1,), (2,), (3,), (2,)]


# ---- where turns come from ----


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


def test_a_window_into_a_conversation_knows_what_was_before() -> None:
    memory = VolatileMemory()
    for number in (1, 2, 3):
        stored(memory, "a", number, "嗯")
    turns = past_turns(memory, since=START + timedelta(minutes=2), until=START + timedelta(minutes=3))

    assert [turn.turn_id for turn in turns] == ["a-2"]
    assert turns[0].before is not None
    assert turns[0].before.undecided == 1
    assert verify(verified(turns), bundle="b", knowledge="k").holds


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
