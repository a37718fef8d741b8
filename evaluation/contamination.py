"""Whether the bundle has seen test messages before: what a model was trained on says little about new customers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from evaluation.examination import SHOWN as MESSAGES
from evaluation.examination import Examination, Example
from evaluation.metrics import Measure, share
from evaluation.near_copies import NearCopies, near_json, near_page
from yingda.bundle import KNOWLEDGE, TRAINED, file_digest
from yingda.pack import read_knowledge
from yingda.text.fingerprint import Fingerprints, fingerprints, read_fingerprints
from yingda.text.normalise import normalise

NAME = "contamination"
SHORTEST = 4
"""Characters of a normalised text from which on it tells where it comes from.

你好 or 在吗 is what any author writes: to meet one among the training rows does not show that a test row was copied.
"""
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "contaminated_rows": (
            f"Share of test messages, examined messages of written cases and turns of conversations, of those with at least {SHORTEST} "
            "characters, whose normalised text is one that the models or the calibration of the bundle saw."
        )
    }
)
_OWN_WORDINGS = 0.9
"""Share of the wordings of a bundle's own entries that its fingerprints hold at least; those of a whole bundle hold all."""
_NO_FINGERPRINTS = (
    f"Not known: this bundle holds no `{TRAINED}`, so it does not say which texts it was trained on. `dvc repro` makes one that does."
)
_SHOWN = 20
"""Places of one file on the page; the report in JSON holds all."""


class Text(Protocol):
    """A text that the evaluation asks, and where it stands."""

    @property
    def text(self) -> str: ...
    @property
    def place(self) -> str: ...


class TextFile(Protocol):
    """The texts of one file."""

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> Sequence[Text]: ...


@dataclass(frozen=True, slots=True)
class _Counted:
    """The rows of one file: all, those too short to tell, those of them seen, and the longer rows seen."""

    name: str
    rows: int
    short: int
    short_seen: int
    seen: tuple[Text, ...]

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(row.place for row in self.seen)

    @property
    def telling(self) -> int:
        return self.rows - self.short


def examine_contamination(
    bundle: Path, files: Sequence[TextFile], *, further: Sequence[TextFile] = (), near: NearCopies | None = None
) -> Examination:
    """Rows of ``files`` that the bundle at ``bundle`` has seen, by equality of normalised texts.

    Those of ``further``, such as live traffic that repeats what training said, are reported and do not enter the measure.
    Nor does ``near``, what was found of copies that differ in a little; it stands beside it.
    The bundle is taken as verified, which opening its engine does. One that keeps no fingerprints, or not its own, gives a measure
    without a value. Raises BundleError when the fingerprints cannot be read.
    """
    if not (bundle / TRAINED).is_file():
        return _unknown(_NO_FINGERPRINTS)
    trained = read_fingerprints(bundle / TRAINED)
    lacking = _wordings_lacking(bundle, trained)
    if lacking is not None:
        return _unknown(lacking)
    own, others = ([_count(file, trained) for file in part] for part in (files, further))
    facts = {"fingerprints_sha256": file_digest(bundle / TRAINED), **_facts([*own, *others], trained_texts=len(trained))}
    facts |= {} if near is None else {"near_copies": near_json(near)}
    page = (*_page(own, trained_texts=len(trained)), *_listed(others), *([] if near is None else near_page(near)))
    told = [Example(row.place, row.text, "is among the texts that the bundle saw") for file in own for row in file.seen]
    examples = {"contaminated_rows": tuple(told[:MESSAGES])}
    return Examination(name=NAME, measures={"contaminated_rows": _share(own)}, facts=facts, page=page, examples=examples)


def _wordings_lacking(bundle: Path, trained: Fingerprints) -> str | None:
    """Why the fingerprints cannot be those of this bundle; None where they may be.

    Every training sees the wordings of the bundle's own entries, so they must be among them. An empty list, or that of another
    bundle, would call any bundle clean.
    """
    if not (bundle / KNOWLEDGE).is_dir():
        return None
    texts = [text for entry in read_knowledge(bundle / KNOWLEDGE).faq.values() for text in entry.texts()]
    known = int(np.isin(fingerprints(texts), trained).sum())
    if known >= _OWN_WORDINGS * len(texts):
        return None
    return (
        f"Not known: of the {len(texts)} wordings of its own entries, which every training sees, {known} are in `{TRAINED}`, so that file "
        "is not of this bundle. `dvc repro` makes one that is."
    )


def _unknown(reason: str) -> Examination:
    facts: Mapping[str, Any] = {"trained_texts": None, "shortest": SHORTEST, "files": {}, "places": []}
    return Examination(NAME, {"contaminated_rows": Measure(None, 0)}, facts, (reason,), missing=reason)


def _count(file: TextFile, trained: Fingerprints) -> _Counted:
    texts = [normalise(row.text) for row in file.rows]
    seen = np.isin(fingerprints(texts), trained).tolist()
    short = [len(text) < SHORTEST for text in texts]
    found = list(zip(file.rows, seen, short, strict=True))
    return _Counted(
        name=file.name,
        rows=len(file.rows),
        short=sum(short),
        short_seen=sum(is_seen and is_short for _, is_seen, is_short in found),
        seen=tuple(row for row, is_seen, is_short in found if is_seen and not is_short),
    )


def _share(counted: Sequence[_Counted]) -> Measure:
    seen = sum(len(file.places) for file in counted)
    return share([True] * seen + [False] * (sum(file.telling for file in counted) - seen))


def _facts(counted: Sequence[_Counted], *, trained_texts: int) -> Mapping[str, Any]:
    files = {
        file.name: {"rows": file.rows, "contaminated": len(file.places), "short": file.short, "short_seen": file.short_seen}
        for file in counted
    }
    places = [place for file in counted for place in file.places]
    return {"trained_texts": trained_texts, "shortest": SHORTEST, "files": files, "places": places}


def _page(counted: Sequence[_Counted], *, trained_texts: int) -> Iterator[str]:
    seen, telling, short = (
        sum(len(file.places) for file in counted),
        sum(file.telling for file in counted),
        sum(file.short for file in counted),
    )
    yield f"{seen} of {telling} messages of test files, cases and conversations are among the {trained_texts} texts that the models or"
    yield "the calibration saw, once normalised."
    yield f"Left out: {short} with fewer than {SHORTEST} characters, which any author writes."
    yield from _listed(counted)


def _listed(counted: Sequence[_Counted]) -> Iterator[str]:
    contaminated = [file for file in counted if file.places]
    if contaminated:
        yield ""
    for file in contaminated:
        more = len(file.places) - _SHOWN
        shown = ", ".join(f"`{place}`" for place in file.places[:_SHOWN])
        yield f"- {file.name}, {len(file.places)} of {file.telling}: {shown}" + (f" and {more} more" if more > 0 else "")
