"""What must hold before a record changes: its shape, and that nobody changed it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from yingda.domain.records import ANY, Draft, Exists, NotFound, Payload, RecordId, RecordKind, Refused, StaleVersion, Status, Version
from yingda.store.knowledge.ledger import Ledger
from yingda.store.knowledge.plain import Syntax, mistakes_of_key, mistakes_of_shape

_LONGEST_TITLE = 40


def check_plain(draft: Draft, syntax: Syntax) -> None:
    """Raise Refused unless the payload may be stored at all; done before the lock is taken, for it may be hostile."""
    reasons = plain_mistakes(draft.id, draft.payload) or syntax(draft.id, draft.payload)
    if reasons:
        raise Refused(reasons)


def plain_mistakes(id_: RecordId, payload: Payload) -> list[str]:
    """What is wrong with a record whatever the shop looks like: its key, its shape, its id."""
    reasons = [*mistakes_of_key(id_), *mistakes_of_shape(payload)]
    if reasons or id_.kind is not RecordKind.FAQ:
        return reasons
    own = payload.get("id", id_.key)
    if not isinstance(own, str):
        return ["id: must be text; write it in quotes"]
    return [] if own == id_.key else ["id: differs from the id of the record; write the same"]


def default_title(draft: Draft) -> str:
    """What a version is about, for its name: the Chinese question of an entry, else the record's id."""
    question = draft.payload.get("question")
    text = question.get("zh") if isinstance(question, Mapping) else None
    shown = "".join(char if char.isprintable() else " " for char in text if char) if isinstance(text, str) else ""
    return " ".join(shown.split())[:_LONGEST_TITLE].strip() or draft.id.key[:_LONGEST_TITLE]


def there(head: Version | None, id_: RecordId) -> Version:
    """The head, where there is one; raises NotFound."""
    if head is None:
        raise NotFound(f"{id_}: there is no such record; check kind and id")
    return head


def head_at(ledger: Ledger, id_: RecordId, if_match: str) -> Version:
    """The head, when it is the one that the caller has read."""
    head = there(ledger.head(id_), id_)
    if if_match not in (ANY, head.etag):
        raise StaleVersion(f"{id_}: it has changed since you read it ({head.name}, {head.status}); read it again and repeat your change")
    return head


def head_under(head: Version | None, id_: RecordId, if_match: str | None) -> Version | None:
    """The head that a save may lie over."""
    if if_match is None:
        if head is not None and head.status is not Status.RETIRED:
            raise Exists(f"{id_}: it exists already; read it and send its ETag to change it")
        return head
    if head is None:
        if if_match == ANY:
            return None
        raise StaleVersion(f"{id_}: there is no such record; save it without an ETag")
    if if_match not in (ANY, head.etag):
        raise StaleVersion(f"{id_}: it has changed since you read it ({head.name}, {head.status}); read it again and repeat your change")
    return head
