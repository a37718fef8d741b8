"""Replay: past turns once more, each conversation in order, by one configuration or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

from yingda.domain.conversation import NEW, ConversationState, released
from yingda.domain.decision import Answer
from yingda.domain.errors import YingdaError
from yingda.domain.message import Message
from yingda.replay.giving_way import InSteps, finish
from yingda.replay.records import PastTurn, ReplayError, Seen

CHUNK_TURNS = 512
"""Turns of whole conversations that are replayed, and saved, together."""


class Decider(Protocol):
    """An engine as a replay needs it."""

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> Sequence[Answer]:
        """One answer for each message of the conversation whose state stands in the same place."""


Deciders = Mapping[str, Decider]
"""Configurations by name; each replays every conversation with its own states."""


@dataclass(frozen=True, slots=True)
class Step:
    """A past turn and, by configuration, what would have been said."""

    turn: PastTurn
    said: Mapping[str, Seen]


Chunk = Sequence[Sequence[PastTurn]]
"""Conversations, each in order."""


@dataclass(frozen=True, slots=True)
class Run:
    """The order of a whole replay: chunks of conversations, the same for the same turns however they are given."""

    chunks: tuple[tuple[tuple[PastTurn, ...], ...], ...]

    @classmethod
    def of(cls, turns: Iterable[PastTurn]) -> Run:
        """Turns by conversation in order of time; a turn without a conversation stands alone."""
        conversations: dict[str, list[PastTurn]] = {}
        for turn in sorted(turns, key=lambda turn: (turn.at, turn.turn_id)):
            key = f"c\0{turn.conversation_id}" if turn.conversation_id else f"t\0{turn.turn_id}"
            conversations.setdefault(key, []).append(turn)
        chunks: list[tuple[tuple[PastTurn, ...], ...]] = []
        current: list[tuple[PastTurn, ...]] = []
        for conversation in conversations.values():
            current.append(tuple(conversation))
            if sum(map(len, current)) >= CHUNK_TURNS:
                chunks.append(tuple(current))
                current = []
        return cls((*chunks, tuple(current)) if current else tuple(chunks))

    @property
    def turns(self) -> int:
        """Turns in all chunks."""
        return sum(turns_of(chunk) for chunk in self.chunks)


def turns_of(chunk: Chunk) -> int:
    """Turns of a chunk."""
    return sum(map(len, chunk))


def replay(deciders: Deciders, chunk: Chunk) -> list[Step]:
    """What each configuration would have said to each turn, conversation after conversation; pure but for the deciders.

    Turns of different conversations share a pass of the engine; those of one conversation follow one another. Customers
    are taken to have written the same whatever they were told, and a conversation that a person released is released here.
    """
    return finish(replay_in_passes(deciders, chunk, most=CHUNK_TURNS))


def replay_in_passes(deciders: Deciders, chunk: Chunk, *, most: int) -> InSteps[list[Step]]:
    """``replay`` that gives way after every pass of at most ``most`` messages, so that others may use the processor between."""
    said: dict[str, dict[str, Seen]] = {turn.turn_id: {} for conversation in chunk for turn in conversation}
    for name, decider in deciders.items():
        states = [conversation[0].before or NEW for conversation in chunk]
        for wave in range(max(map(len, chunk), default=0)):
            wanted = [place for place, conversation in enumerate(chunk) if len(conversation) > wave]
            for places in (wanted[start : start + most] for start in range(0, len(wanted), most)):
                turns = [chunk[place][wave] for place in places]
                known = [released(states[place]) if turn.released else states[place] for place, turn in zip(places, turns, strict=True)]
                answers = decider.answer_many([turn.message() for turn in turns], known)
                for place, turn, answer in zip(places, turns, answers, strict=True):
                    states[place] = answer.state
                    said[turn.turn_id][name] = Seen.of(answer)
                yield
    return [Step(turn, said[turn.turn_id]) for conversation in chunk for turn in conversation]


def replay_here(deciders: Deciders, chunks: Sequence[Chunk]) -> Iterator[list[Step]]:
    """Chunk after chunk in this process."""
    for chunk in chunks:
        yield replay(deciders, chunk)


def replay_with_workers(open_deciders: Callable[[], Deciders], chunks: Sequence[Chunk], *, workers: int) -> Iterator[list[Step]]:
    """Chunk after chunk, in order, by ``workers`` processes that each open the configurations once.

    ``open_deciders`` and what it holds must be importable there: processes are spawned, for threads of a runtime do not
    survive a fork.
    """
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_open, initargs=(open_deciders,))
    try:
        yield from pool.map(_replay_opened, chunks)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_opened: Deciders | YingdaError = {}


def _open(open_deciders: Callable[[], Deciders]) -> None:
    """Once in a worker; what is raised here would only break the pool, so the first chunk raises it."""
    global _opened
    try:
        _opened = open_deciders()
    except YingdaError as error:
        _opened = error


def _replay_opened(chunk: Chunk) -> list[Step]:
    if isinstance(_opened, YingdaError):
        raise ReplayError(str(_opened))  # of its kind, whose parts may not travel between processes, only the text is needed
    return replay(_opened, chunk)
