"""Manifests of bundles: what was altered is refused with BundleError, whatever it says."""

from __future__ import annotations

import atexit
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.fakes_core import write_fake_bundle
from tests.fuzz.source import Source, spoilt
from yingda.bundle import MANIFEST, SEAL, open_bundle
from yingda.domain.errors import BundleError

WORDS = ['"files"', '"bytes"', '"sha256"', '"seal"', '"format"', '"version"', "../", "encoder.onnx", "\\u0000", "\\ud800"]
MOST_BYTES = 6000


@cache
def _bundle() -> tuple[Path, bytes]:
    """A folder with a good bundle, and its manifest; the folder goes when the process does."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    root = write_fake_bundle(Path(folder.name) / "bundle")
    return root, (root / MANIFEST).read_bytes()


SEEDS = [b"\x00" + _bundle()[1], b"\x01" + bytes(range(30)), b"\x02" + bytes(range(30))]


def check(data: bytes) -> None:
    """Raise what must not be."""
    root, good = _bundle()
    source, whole = Source(data), json.loads(good)
    way = source.byte() % 3
    if way == 0:
        written = source.rest()
    elif way == 1:
        written = json.dumps(spoilt(whole, source)).encode()
    else:
        place = source.number(len(good))
        written = good[:place] + source.rest() + good[place + source.byte() % 8 :]
    (root / MANIFEST).write_bytes(written)
    try:
        bundle = open_bundle(root)
    except BundleError as error:
        assert str(error)
        return
    assert SEAL not in bundle.manifest or _same(bundle.manifest, whole), "an altered manifest was taken"


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
