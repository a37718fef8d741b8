"""Whatever stands in a pack's files, the author gets a list of mistakes and never a crash."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from yingda.domain.errors import PackError
from yingda.pack import read_pack

NAMES = ["taxonomy.yaml", "policy.yaml", "templates.yaml", "faq-a.yaml", "keywords.yaml", "utterances/train-1.jsonl"]
TOP_FIELDS = ["version", "language", "categories", "values", "context", "facts", "outcomes", "keywords", "id"]
RECORD_FIELDS = ["code", "zh", "intents", "priority", "answered", "greeting", "question", "similar", "answer", "ask"]
ROW_FIELDS = ["text", "intent", "faq", "also", "sentiment", "term", "synonyms"]
FIELDS = st.sampled_from([*TOP_FIELDS, *RECORD_FIELDS, *ROW_FIELDS])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["low"])
BYTES = st.binary(max_size=60) | st.text("{}[]-:&*!|>#%@'\", \n\tab", max_size=40).map(str.encode)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6), max_leaves=20)


def read_files(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "utterances").mkdir()
        for name, content in files.items():
            (root / name).write_bytes(content)
        read_pack(root)


def as_bytes(name: str, tree: object) -> bytes:
    if name.endswith(".jsonl"):
        return json.dumps(tree).encode()
    return str(yaml.safe_dump(tree, allow_unicode=True)).encode(errors="replace")


@given(st.sampled_from(NAMES), BYTES)
def test_any_bytes_in_a_file_give_mistakes(name: str, content: bytes) -> None:
    with pytest.raises(PackError) as caught:
        read_files({name: content})
    assert all(mistake.line >= 1 and mistake.detail for mistake in caught.value.mistakes)


@given(st.dictionaries(st.sampled_from(NAMES), TREES, min_size=1))
def test_any_tree_in_the_files_gives_mistakes(trees: dict[str, object]) -> None:
    with pytest.raises(PackError) as caught:
        read_files({name: as_bytes(name, tree) for name, tree in trees.items()})
    assert all(mistake.line >= 1 and mistake.detail for mistake in caught.value.mistakes)
