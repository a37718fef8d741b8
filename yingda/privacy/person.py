"""One person, as they are looked for: by the shop's id of them, its hash, and whatever else identifies them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from secrets import token_hex

from yingda.domain.errors import YingdaError
from yingda.store.records import hash_customer

_NUMERALS = str.maketrans("零〇○一壹二贰貳三叁參四肆五伍六陆陸七柒八捌九玖幺", "0001122233344556667788991")
_SHORTEST_ID = 5
"""Characters from which a customer's id is looked for in texts; a shorter one would be found everywhere, so only its hash is."""
_SHORTEST_TEXT = 4
_SHORTEST_NAME = 2
_SHORTEST_NUMBER = 7
"""Digits from which a number is recognised however it is spelt."""


class PrivacyError(YingdaError):
    """What is asked about a person's data cannot be done as asked."""


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Who is looked for: ``customer`` is the shop's id, ``texts`` further identifiers such as a telephone number."""

    customer: str | None = None
    texts: tuple[str, ...] = ()
    ids: frozenset[str] = field(default=frozenset())
    """Ids of turns and conversations of theirs; found in the store, then looked for in files."""

    def __post_init__(self) -> None:
        if self.customer is None and not self.texts:
            raise PrivacyError("nobody is named; give --customer ID or --text IDENTIFIER")
        for text in self.texts:
            if len(text.strip()) < (_SHORTEST_NAME if _is_han(text) else _SHORTEST_TEXT):
                raise PrivacyError("an identifier is too short to tell a person by; give at least four characters, or two of Chinese")

    @property
    def hash(self) -> str | None:
        """The customer's hash, as turns carry it."""
        return None if self.customer is None else hash_customer(self.customer)

    def with_ids(self, ids: Collection[str]) -> Person:
        """The same person with the ids of what is theirs."""
        return replace(self, ids=frozenset(ids))

    def exact(self) -> tuple[str, ...]:
        """Strings that are looked for as they are."""
        customer = () if self.customer is None or len(self.customer) < _SHORTEST_ID else (self.customer,)
        return (*(text.strip() for text in self.texts), *customer, *((self.hash,) if self.hash else ()))

    def digest(self, salt: str | None = None) -> dict[str, str]:
        """What proves to those who know the identifiers whom this was about, and tells others nothing they could soon guess.

        scrypt (RFC 7914), for a telephone number has too few digits to be hidden by a fast hash.
        """
        salt = salt or token_hex(16)
        data = json.dumps([self.customer, sorted(self.texts)], ensure_ascii=True).encode()
        return {"salt": salt, "scrypt": hashlib.scrypt(data, salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()}


class Traces:
    """Tells whether a text is about a person."""

    def __init__(self, person: Person) -> None:
        parts = sorted({*person.exact(), *person.ids}, key=len, reverse=True)
        escaped = "|".join(re.escape(part) for part in parts)
        self._exact = re.compile(rf"(?<![0-9A-Za-z])(?:{escaped})(?![0-9A-Za-z])", re.IGNORECASE) if parts else None
        bare = [_bare(part) for part in (*person.texts, person.customer or "")]
        self._numbers = [number for number in bare if len(number) >= _SHORTEST_NUMBER and number.isdigit()]

    def stand_in(self, text: str) -> bool:
        """True when ``text`` holds an identifier as it is, not as part of a longer word or number."""
        return self._exact is not None and self._exact.search(text) is not None

    def are_said_in(self, text: str) -> bool:
        """Like ``stand_in``, and a number counts however it is spelt: with blanks, in full width, in Chinese numerals."""
        if self.stand_in(text):
            return True
        bare = _bare(text) if self._numbers else ""
        return any(number in bare for number in self._numbers)


def _bare(text: str) -> str:
    """Digits and letters alone, one width, small, Chinese numerals as digits."""
    return re.sub(r"[^0-9a-z]", "", unicodedata.normalize("NFKC", text).translate(_NUMERALS).lower())


def _is_han(text: str) -> bool:
    return re.search("[\u3400-\u9fff]", text) is not None
