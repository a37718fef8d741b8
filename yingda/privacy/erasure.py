"""A person's data erased everywhere, with a certificate that says what was searched, what went, and that nothing is left.

Personal Information Protection Law of the PRC (2021), articles 47 (deletion) and 54 (compliance audit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from yingda.privacy.person import Person
from yingda.privacy.places import Place
from yingda.privacy.stored import StoredData

FORMAT = 1


def erase(person: Person, stored: StoredData, others: Sequence[Place], *, now: datetime) -> dict[str, Any]:
    """Delete what is about ``person`` in the store and in ``others``, search again, and certify.

    Files are cleaned before the store, for only the store knows which turns were theirs: a run that is interrupted can be begun again.
    Raises YingdaError; what is deleted by then stays deleted.
    """
    ids = stored.ids_of(stored.conversations_of(person))
    wider = person.with_ids(ids)
    deleted = {place.name: dict(place.erase(wider)) for place in others}
    deleted[stored.name] = dict(stored.erase(person))
    certificate = verify(wider, stored, others, now=now)
    return {**certificate, "action": "erase", "deleted": {name: counts for name, counts in deleted.items() if counts}}


def verify(person: Person, stored: StoredData, others: Sequence[Place], *, now: datetime) -> dict[str, Any]:
    """Search everywhere and certify what is found; ``complete`` is true for nothing."""
    places = [stored, *others]
    remaining = {place.name: dict(found) for place in places if (found := place.search(person))}
    return {
        "format": FORMAT,
        "action": "verify",
        "at": now.isoformat(timespec="seconds"),
        "identifiers": {"count": (person.customer is not None) + len(person.texts), **person.digest()},
        "searched": {stored.name: dict(stored.searched()), **{place.name: {} for place in others}},
        "remaining": remaining,
        "complete": not remaining,
        "notes": [note for note in (stored.note(), _short(person)) if note],
    }


def _short(person: Person) -> str | None:
    """Says so where the customer's id could not be looked for in texts."""
    if person.customer is None or person.customer in person.exact():
        return None
    return "the customer's id is too short to be told apart in texts; it was looked for by its hash alone"


def is_complete(certificate: Mapping[str, Any]) -> bool:
    """True when nothing was left."""
    return bool(certificate["complete"])
