"""Statements given to SQLite's driver as they are: for what every message writes, where building them anew costs most of the time.

SQLAlchemy compiles them once, and its types make of each value what they make of it everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.dml import ValuesBase

from yingda.domain.errors import StoreError

Row = Mapping[str, Any]


class Prepared:
    """One INSERT or UPDATE, to be run with many rows; ``names`` are the columns where the statement names none itself."""

    def __init__(self, statement: ValuesBase, dialect: Dialect, names: Sequence[str] | None = None) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)
        self._sql = str(compiled)
        kinds = [(name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in compiled.positiontup]
        self._names = tuple(name for name, _ in kinds)
        self._made = tuple((place, make) for place, (_, make) in enumerate(kinds) if make is not None)

    def bind(self, rows: Sequence[Row]) -> list[list[Any]]:
        """The values of ``rows`` as the driver takes them; raises StoreError for one that its column refuses."""
        try:
            return [self._values(row) for row in rows]
        except (TypeError, ValueError) as error:
            # not chained: the cause may quote what was to be written
            raise StoreError(f"the request was refused ({type(error).__name__})", code="store_refused") from None

    def run(self, connection: Connection, bound: Sequence[Sequence[Any]]) -> int:
        """How many rows were written or changed; raises what the driver raises."""
        return connection.executemany(self._sql, bound).rowcount

    def _values(self, row: Row) -> list[Any]:
        values = [row[name] for name in self._names]
        for place, make in self._made:
            values[place] = make(values[place])
        return values
