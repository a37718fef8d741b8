"""The two kinds of transaction in which knowledge is read and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from yingda.domain.errors import StoreError
from yingda.store.base import Store
from yingda.store.knowledge.ledger import Ledger


@contextmanager
def reading(store: Store) -> Iterator[Ledger]:
    """The knowledge of one moment; nothing done in the block is kept."""
    with store.reading() as session:
        if store.engine.dialect.name == "postgresql":
            # version and records must be of one moment; SQLite gives that to every transaction
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield Ledger(session)


@contextmanager
def writing(store: Store) -> Iterator[Ledger]:
    """The knowledge under its lock; what is done in the block is kept whole or, where it raises, not at all."""
    try:
        with store.writing() as session:
            ledger = Ledger(session)
            ledger.lock()
            yield ledger
    except IntegrityError:
        raise StoreError(
            "the knowledge tables refuse the step; check that all workers run the same version", code="store_refused"
        ) from None
