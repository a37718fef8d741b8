"""Alter a bundle in a thousand ways, put each in the place of the one in use, and see that none is loaded.

    python -m tests.harness.mutate_bundle --mutations 1000

Bytes are flipped, files cut, emptied, swapped, removed and added, and values of the manifest altered in number and type.
Each has to be refused with a BundleError, and the engine in use has to answer as before. What is done is seeded. A byte of
the manifest that changes nothing it says (white space) is no mutation, nor is a manifest without its seal, for those of old
bundles have none; another is made in the place of either.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serving.bundle_watch import BundleWatch, stamp_of
from serving.logs import open_log
from tests.bundle_kit import restamped, switch
from yingda.assemble import open_engine
from yingda.bundle import MANIFEST, SEAL
from yingda.domain.errors import BundleError
from yingda.domain.identity import ModelIdentity
from yingda.domain.message import Message

SHIPPED = Path("models/current")
QUESTION = Message("什么时候发货")

Mutation = Callable[[Path, random.Random], None]


@dataclass
class Verdict:
    """What became of the mutations, by kind; ``faults`` is empty when all were refused and the engine answered throughout."""

    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


# ---- mutations ----


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _rewrite(path: Path, data: bytes) -> None:
    path.unlink()  # the file may be shared with the bundle it was copied from
    path.write_bytes(data)


def flip_bytes(root: Path, choose: random.Random) -> None:
    """One to eight bytes of a file."""
    path = choose.choice(_files(root))
    data = bytearray(path.read_bytes())
    for _ in range(choose.randint(1, 8)):
        data[choose.randrange(len(data))] ^= choose.randint(1, 255)
    _rewrite(path, bytes(data))


def cut(root: Path, choose: random.Random) -> None:
    """A file that ends too early, be it at its beginning."""
    path = choose.choice(_files(root))
    data = path.read_bytes()
    _rewrite(path, data[: choose.choice([0, choose.randrange(len(data)), len(data) - 1])])


def lengthen(root: Path, choose: random.Random) -> None:
    """A file with more at its end."""
    path = choose.choice(_files(root))
    _rewrite(path, path.read_bytes() + choose.randbytes(choose.randint(1, 64)).replace(b" ", b"!").replace(b"\n", b"!") + b"}")


def swap_files(root: Path, choose: random.Random) -> None:
    """Two files that have each other's names."""
    one, other = choose.sample(_files(root), 2)
    first, second = one.read_bytes(), other.read_bytes()
    _rewrite(one, second)
    _rewrite(other, first)


def remove(root: Path, choose: random.Random) -> None:
    """A file that is gone, or a folder in its place."""
    path = choose.choice(_files(root))
    path.unlink()
    if choose.random() < 0.5:
        path.mkdir()


def add(root: Path, choose: random.Random) -> None:
    """A file that nobody listed."""
    (root / choose.choice([".", "knowledge"]) / f"added-{choose.randrange(1000)}.yaml").write_bytes(choose.randbytes(16))


def alter_value(root: Path, choose: random.Random) -> None:
    """A value of the manifest, somewhere, as another number, text or type."""
    manifest = json.loads((root / MANIFEST).read_bytes())
    holder, key = choose.choice(list(_places(manifest)))
    holder[key] = choose.choice([_other(holder[key], choose), *_CONFUSING])
    _rewrite(root / MANIFEST, json.dumps(manifest, ensure_ascii=True).encode())


def drop_value(root: Path, choose: random.Random) -> None:
    """A value of the manifest that is gone."""
    manifest = json.loads((root / MANIFEST).read_bytes())
    holder, key = choose.choice(list(_places(manifest)))
    del holder[key]
    _rewrite(root / MANIFEST, json.dumps(manifest).encode())


def nonsense(root: Path, choose: random.Random) -> None:
    """A manifest that is something else altogether."""
    _rewrite(
        root / MANIFEST,
        choose.choice([b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'"text"', choose.randbytes(200)]),
    )


_CONFUSING: tuple[Any, ...] = (None, True, "", "0.5", -1, 1e308, float("nan"), float("inf"), [], {}, "\ud800", "../outside", 10**30)
MUTATIONS: tuple[Mutation, ...] = (flip_bytes, cut, lengthen, swap_files, remove, add, alter_value, alter_value, drop_value, nonsense)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON document: what holds it, and its key there."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def _other(value: Any, choose: random.Random) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + choose.choice([1, -1, 0.001, 1000])
    return f"{value}x" if isinstance(value, str) else [value]


# ---- the run ----


class InUse:
    """An engine held as the service holds it without a store: a bundle that opens takes its place."""

    def __init__(self, link: Path) -> None:
        self.engine = open_engine(link)
        self.opened, self.raised = 0, list[BaseException]()
        log, now = open_log(io.StringIO()), lambda: datetime.now(UTC)
        self.watch = BundleWatch(link, self._load, identity=self.engine.identity, stamp=stamp_of(link), clock=now, log=log)

    def _load(self, folder: Path) -> ModelIdentity:
        self.opened += 1
        try:
            self.engine = open_engine(folder)
        except BaseException as error:
            self.raised.append(error)
            raise
        return self.engine.identity


def mutate(source: Path, folder: Path, mutations: int, seed: int) -> Verdict:
    """Put ``mutations`` altered copies of the bundle at ``source`` in the place of a whole one, one after the other."""
    choose, verdict = random.Random(seed), Verdict()
    whole, link = restamped(source, folder / "whole", "whole"), folder / "live"
    switch(link, whole)
    used = InUse(link)
    told = used.engine.answer(QUESTION).reply.text
    for number in range(mutations):
        altered = folder / f"altered-{number}"
        kind = _altered(whole, altered, choose)
        switch(link, altered)
        for _ in range(2):  # the first look only notes that something changed
            used.watch.look()
        fault = _fault(used, told)
        used.opened, used.raised = 0, []
        verdict.refused[kind] += fault is None
        verdict.faults += [f"mutation {number}, {kind}: {fault}"] if fault else []
        shutil.rmtree(altered)
    switch(link, restamped(source, folder / "next", "next"))
    if [used.watch.look() for _ in range(2)] != [False, True] or used.watch.failing:
        verdict.faults.append("a whole bundle was not taken up in the end")
    return verdict


def _altered(whole: Path, altered: Path, choose: random.Random) -> str:
    """A copy of ``whole`` that says something else; returns the kind of mutation."""
    before = json.loads((whole / MANIFEST).read_bytes())
    while True:
        shutil.copytree(whole, altered, copy_function=lambda one, other: os.link(one, other))
        mutation = choose.choice(MUTATIONS)
        mutation(altered, choose)
        if not _says_the_same(whole, altered, before):
            return mutation.__name__
        shutil.rmtree(altered)


def _says_the_same(whole: Path, altered: Path, before: Any) -> bool:
    after: Any = object()
    with suppress(AttributeError, OSError, ValueError, RecursionError):
        after = json.loads((altered / MANIFEST).read_text("utf-8"))
        after, before = ({name: value for name, value in one.items() if name != SEAL} for one in (after, before))
    names = [[path.relative_to(root) for path in _files(root)] for root in (whole, altered)]
    same = names[0] == names[1] and all((whole / name).samefile(altered / name) for name in names[0] if name.name != MANIFEST)
    return same and bool(after == before)


def _fault(used: InUse, told: str) -> str | None:
    if used.opened != 1:
        return "it was not looked at"
    if not used.raised:
        return "it was loaded"
    if not isinstance(used.raised[-1], BundleError):
        return f"refused with {type(used.raised[-1]).__name__}"
    failing = used.watch.failing
    if failing is None or failing.code != "bundle_refused":
        return "readiness does not tell"
    if (used.engine.identity.version, used.engine.answer(QUESTION).reply.text) != ("whole", told):
        return "the engine in use answers otherwise"
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the harness; 0 when every mutation was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=SHIPPED, help="the bundle whose copies are altered")
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    with TemporaryDirectory(dir=given.bundle.resolve().parent) as folder:  # beside it, so that files can be shared
        verdict = mutate(given.bundle, Path(folder), given.mutations, given.seed)
    for kind, count in sorted(verdict.refused.items()):
        sys.stdout.write(f"{kind}: {count} refused\n")
    sys.stdout.write(f"{sum(verdict.refused.values())} of {given.mutations} mutations refused, {len(verdict.faults)} faults\n")
    sys.stdout.writelines(f"{fault}\n" for fault in verdict.faults)
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
