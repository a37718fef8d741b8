"""The strict reader of JSON gives back what was written, and nothing that is nested deeper than it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.body import MAX_DEPTH, parse_json
from serving.errors import ProblemError

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20)


@given(VALUES, st.booleans())
def test_what_is_written_is_read(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.lists(st.booleans(), min_size=1, max_size=150), st.booleans())
def test_depth_is_counted_alike_in_lists_and_objects(levels: list[bool], wide: bool) -> None:
    value: object = 1
    for is_list in levels:
        value = [value, *([[]] if wide else [])] if is_list else {"a": value, **({"b": {}} if wide else {})}
    body = json.dumps(value).encode()

    deepest = max(len(levels), 2 if wide else 1)
    if deepest <= MAX_DEPTH:
        assert parse_json(body) == value
    else:
        with pytest.raises(ProblemError) as caught:
            parse_json(body)
        assert caught.value.code == "json_too_deep"
