"""Token buckets: how much a caller may send at once and in the long run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

if TYPE_CHECKING:
    from limits import RateLimitItem

_FEWEST_KEPT = 10_000
"""Buckets that are kept before any is forgotten; one that is full says nothing and can be."""
_ROUNDING_S = 1e-6


def read_limits(text: str) -> tuple[RateLimitItem, ...]:
    """Limits such as `600/minute` or `20/second; 600/minute`, in the notation of the `limits` library; raises ValueError."""
    # Imported here: it takes a fifth of a second, and most servers limit nobody.
    from limits import parse_many

    try:
        found = tuple(parse_many(text))
    except ValueError:
        found = ()
    if not found or any(limit.amount < 1 or limit.get_expiry() < 1 for limit in found):
        raise ValueError("write it as `600/minute`, or several as `20/second; 600/minute`")
    return found


def _checked(text: str) -> str:
    read_limits(text)
    return text


RateLimit = Annotated[str, AfterValidator(_checked)]
"""One limit or several, as ``read_limits`` reads them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, the limit that leaves least room, what that leaves, and seconds until it is full again.

    ``retry_after_s`` is how long to wait until the request would pass; 0 where it does.
    """

    passes: bool
    limit: RateLimitItem
    remaining: int
    full_in_s: int
    retry_after_s: int


class Buckets:
    """Token buckets by the generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number a caller and limit.

    A limit of ``amount`` in ``window`` seconds is a bucket of ``amount`` tokens that fills evenly within ``window``: who was
    silent may send ``amount`` at once, and then one every ``window / amount`` seconds. The `limits` library reads the limits
    and has no buckets: its moving window comes nearest, but counts on the wall clock, so that a step back of the clock would
    lock callers out, and keeps a record a request.
    """

    def __init__(self, limits: Sequence[RateLimitItem], clock: Callable[[], float]) -> None:
        self._limits, self._clock = tuple(limits), clock
        self._full_at: dict[tuple[str, int], float] = {}
        self._room = _FEWEST_KEPT

    def spend(self, caller: str, cost: int = 1) -> Verdict:
        """Take ``cost`` tokens of each limit from ``caller``, or none where one limit has too few."""
        now, due = self._clock(), []
        for number, limit in enumerate(self._limits):
            # when the bucket will be full: now, for one that is
            full_at = max(now, self._full_at.get((caller, number), now))
            after = full_at + cost * limit.get_expiry() / limit.amount
            due.append((number, limit, full_at, after, after - limit.get_expiry() - now))
        missing = max(wait for *_, wait in due)
        passes = missing <= _ROUNDING_S
        if passes:
            self._full_at.update({(caller, number): after for number, _, _, after, _ in due})
            self._forget(now)
        left = [(_remaining(limit, (after if passes else full_at) - now), number) for number, limit, full_at, after, _ in due]
        remaining, number = min(left)
        _, limit, full_at, after, _ = due[number]
        full_in = ceil((after if passes else full_at) - now)
        return Verdict(passes, limit, remaining, full_in, 0 if passes else max(1, ceil(missing)))

    def _forget(self, now: float) -> None:
        """Keep the buckets that are not full; done when there are twice as many as the last time, so that it costs little."""
        if len(self._full_at) > self._room:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
            self._room = max(_FEWEST_KEPT, 2 * len(self._full_at))


def _remaining(limit: RateLimitItem, missing_s: float) -> int:
    """Whole tokens in a bucket that is full in ``missing_s`` seconds."""
    return max(0, floor((limit.get_expiry() - missing_s) * limit.amount / limit.get_expiry() + _ROUNDING_S))
