"""A dataset of labelled log rows: a folder with ``rows.jsonl``, ``dataset.json`` and the report of its import.

``rows.jsonl`` is plain JSON Lines, so that Hugging Face ``datasets`` reads it too: ``as_dataset``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment

if TYPE_CHECKING:
    from datasets import Dataset

ROWS, FACTS = "rows.jsonl", "dataset.json"
FORMAT = 1
_VERSION_LENGTH = 12

Writer = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class LogRow:
    """One accepted message, masked.

    ``intent`` is None where an annotator could not decide it from the message alone. ``faq`` is None with ``faq_known``
    when no entry answers it, and None without when nobody said. ``sentiment`` is None where nobody said. ``source`` is
    the file's name and the row's line.
    """

    text: str
    intent: str | None
    faq: str | None
    faq_known: bool
    sentiment: Sentiment | None
    also: tuple[str, ...]
    source: str


def rows_text(rows: Iterable[LogRow]) -> str:
    """``rows`` as JSON Lines: the bytes that the version is taken from."""
    return "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


def digest_of(text: str) -> str:
    """SHA-256 of ``rows_text``; its first twelve digits are the version."""
    return sha256(text.encode()).hexdigest()


def version_of(digest: str) -> str:
    """The short name of a dataset."""
    return digest[:_VERSION_LENGTH]


def write_text(path: Path, text: str) -> None:
    """The default writer."""
    path.write_text(text, "utf-8", newline="\n")


def check_target(target: Path) -> None:
    """Raise MaterialError unless ``target`` may be written: it is missing, empty, or a dataset."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise MaterialError(f"{target} is no folder; name another one with --out")
    if target.is_dir() and any(target.iterdir()) and not (target / FACTS).is_file():
        raise MaterialError(f"{target} holds other files and no dataset; name another folder with --out")
    if not target.name:
        raise MaterialError(f"{target} cannot be replaced; name a folder with --out")


def write_dataset(target: Path, files: Mapping[str, str], *, writer: Writer = write_text) -> None:
    """Write ``files`` (name and content) as the folder ``target``, whole or not at all.

    What stood there is replaced only once the new folder is complete.
    """
    check_target(target)
    partial, previous = (target.with_name(f"{target.name}.{part}") for part in ("partial", "previous"))
    if previous.exists() and not target.exists():
        previous.rename(target)  # an earlier run ended between the two renames
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, text in files.items():
            writer(partial / name, text)
        _swap(partial, target, previous)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(partial: Path, target: Path, previous: Path) -> None:
    shutil.rmtree(previous, ignore_errors=True)
    if target.exists():
        target.rename(previous)
    try:
        partial.rename(target)
    except BaseException:
        if previous.exists():
            previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def read_facts(folder: Path) -> Mapping[str, Any]:
    """``dataset.json``; raises MaterialError when it is missing, broken, or of another format."""
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
    except OSError as error:
        raise MaterialError(f"{folder} holds no {FACTS}; make a dataset with python -m training.logs import") from error
    except (ValueError, RecursionError) as error:
        raise MaterialError(f"{folder / FACTS} is not valid JSON; import the files again") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise MaterialError(f"{folder / FACTS} is of another format than {FORMAT}; import the files again")
    return facts


def read_dataset(folder: Path) -> list[LogRow]:
    """The rows, in order, after their SHA-256 was compared with ``dataset.json``; raises MaterialError."""
    facts = read_facts(folder)
    path = folder / ROWS
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MaterialError(f"{path} cannot be read ({error.strerror}); import the files again") from error
    if sha256(data).hexdigest() != facts.get("rows_sha256"):
        raise MaterialError(f"{path} was changed after its import; import the files again")
    try:
        return [_row(json.loads(line)) for line in data.decode().split("\n") if line]
    except (ValueError, TypeError, KeyError) as error:
        raise MaterialError(f"{path} holds a row of another format; import the files again") from error


def _row(fields: Mapping[str, Any]) -> LogRow:
    sentiment = fields["sentiment"]
    return LogRow(**{**fields, "also": tuple(fields["also"]), "sentiment": None if sentiment is None else Sentiment(sentiment)})


def as_dataset(rows: Sequence[LogRow]) -> Dataset:
    """``rows`` as a Hugging Face dataset whose columns keep their types even when all of them are null."""
    from datasets import Dataset, Features, List, Value  # takes a second: only those who ask pay

    text = Value("string")
    features = Features(
        {"text": text, "intent": text, "faq": text, "faq_known": Value("bool"), "sentiment": text, "also": List(text), "source": text}
    )
    records = [{**asdict(row), "also": list(row.also)} for row in rows]
    return Dataset.from_list(records, features=features)
