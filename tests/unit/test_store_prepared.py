"""What SQLite's driver is given by itself is what SQLAlchemy would have given it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Dialect, MetaData, String, Table, insert
from sqlalchemy.dialects import sqlite

from serving.present import written
from yingda.domain.errors import StoreError
from yingda.store.base import UtcDateTime, dump_json
from yingda.store.codec import JsonObject, as_json
from yingda.store.prepared import Prepared

_NOTES = Table(
    "notes", MetaData(), Column("id", String, primary_key=True), Column("at", UtcDateTime), Column("said", JSON(none_as_null=True))
)
_AT = datetime(2026, 3, 1, 20, 30, tzinfo=UTC)


def _dialect() -> Dialect:
    return sqlite.dialect(json_serializer=dump_json)


def _prepared() -> Prepared:
    return Prepared(insert(_NOTES), _dialect(), ["id", "at", "said"])


def test_values_become_what_their_columns_make_of_them() -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "at": _AT, "said": {"text": "你好"}}, {"id": "b", "at": None, "said": None}]
    assert _prepared().bind(rows) == [["a", "2026-03-01 20:30:00.000000", '{"text":"你好"}'], ["b", None, None]]


def test_a_value_that_its_column_refuses_is_said_without_the_value() -> None:
    with pytest.raises(StoreError) as refused:
        _prepared().bind([{"id": "a", "at": _AT.replace(tzinfo=None), "said": None}])
    assert refused.value.code == "store_refused"
    assert "2026" not in str(refused.value)


def test_a_reply_that_was_written_once_is_stored_as_it_was_written() -> None:
    told = {"reply": {"text": "您好"}, "confidence": 0.25, "faq": None}
    once = written(told)
    assert isinstance(once, JsonObject)
    assert once == told
    assert as_json(once) == as_json(told)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), ("a",), b"a", _AT])
def test_what_is_no_json_is_left_to_the_store_to_refuse(odd: object) -> None:
    told = {"odd": odd}
    assert written(told) is told
