"""Entries that ask the same, and those among them whose answers cannot both hold.

Measured on the 176 entries and 1,408 wordings of the retail pack with the shipped encoder: when an entry's wordings are dealt
into two entries, 78 of 100 such twins in Chinese and 30 in English have mean vectors with a cosine of ``SAME_MEANING`` or more,
and of the 15,400 pairs of different entries none has; the closest (price-apply and price-scope) reach 0.834. Two single
wordings of different entries come up to 0.894, whence ``SAME_WORDING``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yingda.domain.records import Alike, Finding, Payload
from yingda.store.knowledge.facts import disagreements, facts_of
from yingda.text.normalise import normalise

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]
"""Normalised texts in, unit embeddings [N, D] out."""

SAME_MEANING = 0.84
"""Cosine of the mean vectors of two entries' wordings from which they ask the same."""
SAME_WORDING = 0.90
"""Cosine of two wordings from which these say the same."""
SAME_CHARACTERS = 0.90
"""Dice coefficient (Dice 1945) of two wordings' character bigrams from which one is the other with a slip; "when does the
(pre-)sale start" has 0.894 and asks two things."""
WORTH_LOOKING = 0.5
"""Cosine of mean vectors below which wordings are not compared one by one; no twin lay below it."""
MOST = 2000
"""Changed entries compared; a larger import is compared with what it meets once it is in, entry by entry."""

_BLOCK = 256


@dataclass(frozen=True, slots=True)
class _Asked:
    """One entry's wordings in one language, with their vectors [N, D] and the unit mean [D]."""

    id: str
    texts: tuple[str, ...]
    vectors: Floats
    mean: Floats


def find_alike(
    changed: Mapping[str, Payload], others: Mapping[str, Payload], *, embed: Embed, values: Mapping[str, str]
) -> tuple[Alike, ...]:
    """Pairs of ``changed`` entries with each other and with ``others`` (FAQ payloads by id), most alike first.

    ``values`` are the policy's, so that ``{退货天数} 天`` and ``7 天`` are known to say the same. A pair is reported once.
    """
    looked_at = dict(list(changed.items())[:MOST])
    payloads = {**others, **looked_at}
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for language in sorted({language for payload in looked_at.values() for language in payload["question"]}):
        asked = _asked(payloads, language, embed)
        for first, second, score, why in _pairs([one for one in asked if one.id in looked_at], asked):
            pair = (min(first, second), max(first, second))
            if score > found.get(pair, (-1.0, ""))[0]:
                found[pair] = (score, why)
    alike = [_judged(pair, score, why, payloads, values) for pair, (score, why) in found.items()]
    return tuple(sorted(alike, key=lambda one: (-one.similarity, one.first, one.second)))


def wordings_of(payload: Payload) -> tuple[str, ...]:
    """Every wording that an entry (FAQ payload) is compared by, normalised, of all its languages."""
    return tuple(dict.fromkeys(text for language in payload["question"] for text in _wordings(payload, language)))


def _asked(payloads: Mapping[str, Payload], language: str, embed: Embed) -> list[_Asked]:
    wordings = {id_: _wordings(payload, language) for id_, payload in payloads.items()}
    texts = list(dict.fromkeys(text for found in wordings.values() for text in found))
    if not texts:
        return []
    vectors, place = embed(texts), {text: number for number, text in enumerate(texts)}
    asked = []
    for id_, found in wordings.items():
        if found:
            rows = vectors[[place[text] for text in found]]
            mean = rows.mean(0)
            asked.append(_Asked(id_, found, rows, mean / max(float(np.linalg.norm(mean)), 1e-12)))
    return asked


def _wordings(payload: Payload, language: str) -> tuple[str, ...]:
    texts = [payload["question"].get(language, ""), *payload.get("similar", {}).get(language, ())]
    return tuple(dict.fromkeys(normal for text in texts if (normal := normalise(text))))


def _pairs(changed: Sequence[_Asked], all_: Sequence[_Asked]) -> Iterator[tuple[str, str, float, str]]:
    """Pairs that ask the same: ids, similarity, and by what."""
    if not changed:
        return
    means = np.stack([one.mean for one in all_])
    for start in range(0, len(changed), _BLOCK):
        block = changed[start : start + _BLOCK]
        cosines = np.stack([one.mean for one in block]) @ means.T
        for row, column in zip(*np.nonzero(cosines >= WORTH_LOOKING), strict=True):
            first, second = block[row], all_[column]
            same = None if first.id == second.id else _same(first, second, float(cosines[row, column]))
            if same:
                yield first.id, second.id, *same
    yield from _equal_texts(changed, all_)


def _same(first: _Asked, second: _Asked, cosine: float) -> tuple[float, str] | None:
    pairs = first.vectors @ second.vectors.T
    row, column = np.unravel_index(int(pairs.argmax()), pairs.shape)
    one, other, best = first.texts[row], second.texts[column], float(pairs.max())
    where = f"{first.id} 「{one}」 · {second.id} 「{other}」"
    if best >= SAME_WORDING:
        return min(best, 1.0), f"同一种问法 / the same wording: {where}"
    if cosine >= SAME_MEANING:
        return cosine, f"问的是同一件事 / they ask the same: {where}"
    shared, one, other = max((_dice(left, right), left, right) for left in first.texts for right in second.texts)
    if shared >= SAME_CHARACTERS:
        return shared, f"几乎同样的字 / almost the same characters: {first.id} 「{one}」 · {second.id} 「{other}」"
    return None


def _equal_texts(changed: Sequence[_Asked], all_: Sequence[_Asked]) -> Iterator[tuple[str, str, float, str]]:
    """Wordings that stand in two entries letter by letter, however their means lie."""
    owners: dict[str, list[str]] = {}
    for one in all_:
        for text in one.texts:
            owners.setdefault(text.lower(), []).append(one.id)
    for one in changed:
        for text in one.texts:
            for owner in owners[text.lower()]:
                if owner != one.id:
                    yield one.id, owner, 1.0, f"同一种问法 / the same wording: {one.id} · {owner} 「{text}」"


def _dice(left: str, right: str) -> float:
    first, second = _bigrams(left.lower()), _bigrams(right.lower())
    return 2 * len(first & second) / (len(first) + len(second))


def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[place : place + 2] for place in range(len(text) - 1)) or frozenset({text})


def _judged(pair: tuple[str, str], score: float, why: str, payloads: Mapping[str, Payload], values: Mapping[str, str]) -> Alike:
    first, second = (payloads[id_]["answer"] for id_ in pair)
    for language in sorted(first.keys() & second.keys(), key=lambda code: (code != "zh", code)):
        found = disagreements(facts_of(first[language], values), facts_of(second[language], values))
        if found:
            detail = f"{why}; 答案互相矛盾 / the answers disagree ({pair[0]} ≠ {pair[1]}): {'; '.join(found)}"
            return Alike(Finding.CONTRADICTION, *pair, round(score, 3), detail)
    return Alike(Finding.NEAR_DUPLICATE, *pair, round(score, 3), why)
