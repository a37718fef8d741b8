"""Test messages that nearly repeat what the pack teaches: figures over them flatter, and no fingerprint finds them.

Likeness is the cosine of the sets of character pairs, the ends of a text being characters, too. It is told and gates nothing: short
questions are much alike whoever writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from yingda.text.normalise import normalise

ALIKE = 0.85
"""Cosine from which on two messages are nearly the same."""
_SHOWN = 20
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class NearCopies:
    """``places`` are those of ``rows`` test messages that are alike to one of ``taught`` texts, as far as ``alike`` says."""

    places: tuple[str, ...]
    rows: int
    taught: int
    alike: float = ALIKE


def near_copies(asked: Sequence[tuple[str, str]], taught: Sequence[str], *, alike: float = ALIKE) -> NearCopies:
    """Of ``asked`` (place and text) those whose cosine with one of ``taught`` is at least ``alike``."""
    lessons = sorted({normalise(text) for text in taught} - {""})
    numbers: dict[str, int] = {}
    known = _pairs(lessons, numbers)
    found = _pairs([normalise(text) for _, text in asked], numbers)
    known = csr_array((known.data, known.indices, known.indptr), shape=(len(lessons), len(numbers)))
    near = [bool(value >= alike) for start in range(0, len(asked), _CHUNK) for value in _best(found[start : start + _CHUNK], known)]
    return NearCopies(tuple(place for (place, _), is_near in zip(asked, near, strict=True) if is_near), len(asked), len(lessons), alike)


def near_json(found: NearCopies) -> dict[str, Any]:
    """For programs, without a text."""
    return {"alike": found.alike, "near": len(found.places), "rows": found.rows, "taught": found.taught, "places": list(found.places)}


def near_page(found: NearCopies) -> Iterator[str]:
    """For people, without a text."""
    more = len(found.places) - _SHOWN
    yield ""
    yield f"Nearly the same as a training message or wording of the pack (cosine of character pairs {found.alike:g} or more; no gate):"
    yield f"{len(found.places)} of {found.rows} test messages, beside {found.taught:,} texts of the pack."
    if found.places:
        shown = ", ".join(f"`{place}`" for place in found.places[:_SHOWN])
        yield f"\n- {shown}" + (f" and {more} more" if more > 0 else "")


def _pairs(texts: Sequence[str], numbers: dict[str, int]) -> csr_array:
    """Unit rows [N, pairs known so far]; ``numbers`` learns pairs that it does not know."""
    ends, indices, data = [0], list[int](), list[float]()
    for text in texts:
        pairs = sorted({first + second for first, second in pairwise(f" {text} ")})
        indices += [numbers.setdefault(pair, len(numbers)) for pair in pairs]
        data += [len(pairs) ** -0.5] * len(pairs)
        ends.append(len(indices))
    return csr_array((np.asarray(data), np.asarray(indices, np.int32), np.asarray(ends, np.int32)), shape=(len(texts), len(numbers)))


def _best(asked: csr_array, taught: csr_array) -> list[float]:
    if not taught.shape[0]:
        return [0.0] * asked.shape[0]
    likeness = (asked @ taught.T).tocsr()
    return [float(likeness.data[start:end].max(initial=0.0)) for start, end in zip(likeness.indptr, likeness.indptr[1:], strict=False)]
