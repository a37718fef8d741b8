"""How much of the bare encoder's speed the engine keeps: a share of one run, never a time, so that machines compare.

The bare encoder loop is what anybody would write around the same graph: tokenise, run. Engine and loop answer the same test
messages by turns, message by message, and the clock reads the CPU time of the thread that answers: what else the machine does
meanwhile is not charged to either. Figures differ from run to run, so they stand in the report's ``run`` part, and of the
repeats the best counts: a hiccup in one of them fails no bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import thread_time
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.examination import Examination
from evaluation.metrics import Measure
from evaluation.outcomes import Answerer
from evaluation.rows import Row
from evaluation.tables import table
from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.errors import BundleError
from yingda.domain.message import Message
from yingda.runtime import EncoderSession
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer

NAME = "speed"
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "p99_share": "99 % quantile of the bare encoder loop's CPU time a message, as a share of the engine's on the same messages.",
        "throughput_share": "Messages a CPU second that the engine answers, as a share of those that the bare encoder loop encodes.",
    }
)

Loop = Callable[[str], object]
"""Encodes one normalised text, as a program without an engine would."""

MESSAGES = 200
REPEATS = 5
_WARM_UP = 5
_DIGITS = 6
_MISSING = "no bare encoder was opened beside the engine, so nothing could be compared"


@dataclass(frozen=True, slots=True)
class Repeat:
    """CPU milliseconds a message [N] of engine and bare encoder loop, over the same messages."""

    engine: NDArray[np.float64]
    encoder: NDArray[np.float64]

    @property
    def shares(self) -> Mapping[str, float]:
        """The metrics of this repeat alone; at most 1, for an engine cannot be quicker than its encoder but by chance."""
        tails = [float(np.quantile(times, 0.99)) for times in (self.encoder, self.engine)]
        sums = [float(times.sum()) for times in (self.encoder, self.engine)]
        return {name: min(1.0, one / other) for name, (one, other) in zip(METRICS, (tails, sums), strict=True)}


def open_loop(bundle: Path) -> Loop:
    """The bare encoder loop over the graph and the tokenizer of ``bundle``; raises BundleError."""
    verified = open_bundle(bundle)
    try:
        max_tokens = int(verified.manifest["encoder"]["max_tokens"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{verified.path(layout.MANIFEST)}: written for another version of Yingda; rebuild it") from error
    tokenizer = MessageTokenizer(verified.path(layout.TOKENIZER), max_tokens=max_tokens)
    encoder = EncoderSession(verified.path(layout.ENCODER))

    def loop(text: str) -> object:
        return encoder.run(tokenizer.encode([text]))

    return loop


def examine_speed(
    engine: Answerer, loop: Loop | None, rows: Sequence[Row], *, tick: Callable[[], None], clock: Callable[[], float] = thread_time
) -> Examination:
    """Both shares on the first messages of ``rows``; without ``loop`` or rows they have no value.

    ``clock`` counts seconds. ``tick`` is called as often as ``workload`` says.
    """
    texts = [row.text for row in rows[:: max(1, len(rows) // MESSAGES)]][:MESSAGES]
    if loop is None or not texts:
        return Examination(NAME, dict.fromkeys(METRICS, Measure(None, 0)), {"repeats": []}, (), missing=_MISSING)
    bare = {text: normalise(text) for text in texts}

    def answer(text: str) -> object:
        return engine.answer_many([Message(text)])

    def encode(text: str) -> object:
        return loop(bare[text])

    sides = (answer, encode)
    for text in texts[:_WARM_UP]:
        for side in sides:
            side(text)
    repeats = [_repeat(sides, texts, first=number, tick=tick, clock=clock) for number in range(REPEATS)]
    measures = {name: Measure(max(repeat.shares[name] for repeat in repeats), len(texts)) for name in METRICS}
    return Examination(NAME, measures, {"repeats": [_told(repeat) for repeat in repeats]}, tuple(_page(repeats)))


def workload(rows: Sequence[Row], loop: Loop | None) -> int:
    """Calls of ``tick`` that an examination takes, for a progress bar."""
    return 0 if loop is None else REPEATS * min(MESSAGES, len(rows))


def _repeat(sides: tuple[Loop, Loop], texts: Sequence[str], *, first: int, tick: Callable[[], None], clock: Callable[[], float]) -> Repeat:
    """One pass; who goes first changes from message to message, and ``first`` says who begins."""
    spent = np.zeros((2, len(texts)))
    for number, text in enumerate(texts):
        for turn in (0, 1):
            who = (number + first + turn) % 2
            start = clock()
            sides[who](text)
            spent[who, number] = 1000 * (clock() - start)
        tick()
    return Repeat(*spent)


def _told(repeat: Repeat) -> dict[str, Any]:
    rounded = partial(round, ndigits=_DIGITS)
    shares = {name: rounded(value) for name, value in repeat.shares.items()}
    return {**shares, "engine_ms": _quantiles(repeat.engine), "encoder_ms": _quantiles(repeat.encoder)}


def _quantiles(times: NDArray[np.float64]) -> dict[str, float]:
    median, p99 = np.quantile(times, [0.5, 0.99]).tolist()
    return {"mean": round(float(times.mean()), _DIGITS), "median": round(median, _DIGITS), "p99": round(p99, _DIGITS)}


def _page(repeats: Sequence[Repeat]) -> Iterator[str]:
    yield "Engine and bare encoder loop (tokenise, run) answer the same messages by turns; CPU milliseconds a message. The best of"
    yield "the repeats is held against the gates.\n"
    titles = ("repeat", "engine median", "engine p99", "encoder median", "encoder p99", *METRICS)
    yield from table(titles, (_cells(number, _told(repeat)) for number, repeat in enumerate(repeats, start=1)))


def _cells(number: int, told: Mapping[str, Any]) -> tuple[str, ...]:
    times = [f"{told[side][part]:.2f}" for side in ("engine_ms", "encoder_ms") for part in ("median", "p99")]
    return (str(number), *times, *(f"{told[name]:.3f}" for name in METRICS))
