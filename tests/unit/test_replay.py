"""Replay: conversations in order, side by side, counted, priced, interrupted and gone on with."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes_core import FakeEncoder
from tests.replay_kit import FakeDecider, as_record, make_answer, replayed, turn, two_patiences, verified
from yingda.domain.conversation import NEW, ConversationState
from yingda.replay.cache import CachedEncoder
from yingda.replay.checkpoint import Checkpoint, digest_of, left
from yingda.replay.giving_way import InSteps
from yingda.replay.records import WORDING, ReplayError, Seen
from yingda.replay.report import SERVED, Costs, compare
from yingda.replay.run import CHUNK_TURNS, Run, Step, replay, replay_here, replay_in_passes, replay_with_workers
from yingda.replay.verify import verify
from yingda.runtime import Encodings

TURNS = [turn("a", 1, "嗯"), turn("a", 2, "哦"), turn("b", 1, "怎么取消"), turn(None, 3, "人工"), turn("a", 4, "怎么取消")]


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


def test_a_hand_off_after_idle_time_costs_again_though_nobody_released_the_first() -> None:
    first, answered, second = replayed([turn("a", 1, "人工"), turn("b", 2, "怎么取消"), turn("c", 3, "人工")])
    steps = [replace(step, turn=replace(step.turn, conversation_id="a")) for step in (first, answered, second)]

    assert compare(steps, before="current", after="changed").before.handoffs == 2


def test_what_was_not_sent_is_nothing_that_customers_were_told() -> None:
    seen = Seen.of(make_answer("人", NEW))
    steps = replayed([turn("a", 1, "人工", served=seen), turn("b", 2, "人工", served=seen, sent=False)])

    assert compare(steps, before=SERVED, after="changed").turns == 1


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


def test_every_changed_turn_is_told_to_programs_without_its_texts() -> None:
    turns = [turn(f"c{n}", n, "嗯") for n in range(9)]
    told = compare(replayed(turns), before="current", after="changed", examples=1).fields(mask=str, changes=True)

    assert [each["turn_id"] for each in told["changes"]] == [each.turn_id for each in turns]
    assert told["changes"][0]["before"]["outcome"] == "no_answer"
    assert told["changes"][0]["after"]["outcome"] == "handoff"
    assert "reply" in told["changes"][0]["differs_in"]
    assert "回复" not in json.dumps(told["changes"], ensure_ascii=False)


# ---- the same again ----


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


LATER: tuple[tuple[str, Any], ...] = (
    ("tags", ("投诉",)),
    ("notify", ("supervisor",)),
    ("template", "another"),
    ("blocked", ("手机号",)),
)
"""What records did not always hold, each with another value than ``make_answer`` gives it."""


@pytest.mark.parametrize(("name", "value"), LATER)
def test_a_tag_a_notice_a_template_or_a_blocked_reply_that_differs_is_found(name: str, value: Any) -> None:
    seen = Seen.of(make_answer("怎么取消", NEW))
    changes: dict[str, Any] = {name: value}
    other = replace(seen, **changes)
    past = turn("a", 1, "怎么取消", served=other, bundle="b", knowledge="k")

    assert seen.differing(other) == other.differing(seen) == (name,)
    found = verify(verified([past]), bundle="b", knowledge="k")
    assert (found.wording, found.deviating, found.holds) == ((("a-1",), (), True) if name in WORDING else ((), ("a-1",), False))
    difference = compare([Step(past, {"current": seen, "changed": other})], before="current", after="changed")
    assert (difference.changed, {aspect for aspect, count in difference.aspects.items() if count}) == (1, {name})
    assert list(difference.examples) == [name]
    assert difference.fields(mask=str)["examples"][name][0]["after"][name] == value


def test_a_record_that_does_not_hold_them_is_read_and_differs_in_nothing_it_does_not_hold() -> None:
    now = as_record(make_answer("怎么取消", NEW))
    old = {
        **now,
        "reply": {"text": now["reply"]["text"]},
        "handoff": {key: now["handoff"][key] for key in ("reasons", "skill", "priority")},
    }
    seen, changes = Seen.from_record(json.loads(json.dumps(old))), dict(LATER)

    assert [getattr(seen, name) for name, _ in LATER] == [None] * 4
    assert seen.differing(replace(Seen.from_record(now), **changes)) == ()
    assert seen.differing(replace(Seen.from_record(now), skill="other", **changes)) == ("skill",)
    past = turn("a", 1, "怎么取消", served=seen, bundle="b", knowledge="k")
    assert verify(verified([past]), bundle="b", knowledge="k").holds


def test_an_original_is_decided_on_and_never_shown() -> None:
    past = turn("a", 1, "〔手机号〕", original="怎么取消13800138000")
    (step,) = replayed([past])
    difference = compare(replayed([past, turn("b", 1, "嗯")]), before="current", after="changed", examples=9)

    assert past.message().text == "怎么取消13800138000"
    assert step.said["current"].outcome == "answered", "the masked text would not be understood"
    assert "13800138000" not in f"{past!r} {step!r} {difference!r} {difference.fields(mask=str)}"


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


def test_a_checkpoint_says_whether_originals_were_read_and_nothing_of_them(tmp_path: Path) -> None:
    masked, whole, other = (
        Run.of([turn("a", 1, "电话〔手机号〕", original=original)]) for original in (None, "电话13800138000", "电话13800138001")
    )
    path = tmp_path / "c"
    with Checkpoint(path, whole, configurations=NAMES) as checkpoint:
        assert list(checkpoint.done()) == []
        for steps in replay_here(two_patiences(), whole.chunks):
            checkpoint.add(steps)

    assert digest_of(masked) != digest_of(whole) == digest_of(other), "no digest that tells a few digits by trying"
    assert "13800138000" not in path.read_text("utf-8")
    with pytest.raises(ReplayError, match="another replay"), Checkpoint(path, masked, configurations=NAMES) as checkpoint:
        list(checkpoint.done())


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
