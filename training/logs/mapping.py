"""How a foreign file's columns, labels and sentiments become the pack's; a YAML file, every key checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment

NONE = "-"
"""Written where there is no entry, intent or sentiment."""

ANNOTATION_COLUMNS = ("id", "faq", "intent", "sentiment", "sure", "also")
MAX_MAPPING_BYTES = 10 << 20


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Section):
    """Names of the columns (fields) that are read; one that is not named here may be missing."""

    text: str = "text"
    intent: str = "intent"
    faq: str = "faq"
    sentiment: str = "sentiment"
    also: str = "also"
    id: str = "id"


class Label(_Section):
    """The pack's labels for one label of the source; leave ``faq`` out when it is unknown, null says that no entry answers."""

    intent: str | None = None
    faq: str | None = None

    @property
    def says_faq(self) -> bool:
        """True when ``faq`` was written, were it null."""
        return "faq" in self.model_fields_set


class LogMapping(_Section):
    """A whole mapping file; ``annotations`` is relative to the file's folder, ``licence`` is that of the texts, for the model card."""

    columns: Columns = Columns()
    labels: Mapping[str, Label | Literal["skip"]] = {}
    sentiments: Mapping[str, Sentiment] = {}
    licence: str | None = None
    annotations: Path | None = None
    unsure: Literal["skip", "keep"] = "keep"

    def named_columns(self) -> frozenset[str]:
        """The parts whose column somebody named: these must exist."""
        return frozenset(self.columns.model_fields_set)


class Annotation(_Section):
    """Own labels for one row of a foreign file."""

    faq: str | None
    intent: str | None
    sentiment: str | None
    is_sure: bool
    also: tuple[str, ...]


def read_mapping(path: Path | None, columns: Mapping[str, str]) -> LogMapping:
    """The mapping at ``path`` (None: nothing is renamed) with ``columns`` put over its own; raises MaterialError."""
    fields = {} if path is None else _read_yaml(path)
    try:
        mapping = LogMapping.model_validate(fields)
        named = {name: getattr(mapping.columns, name) for name in mapping.columns.model_fields_set}
        mapping = mapping.model_copy(update={"columns": Columns(**{**named, **columns})})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise MaterialError(f"{path}: {wrong}; see docs/logs.md") from error
    if mapping.annotations is not None and path is not None:
        mapping = mapping.model_copy(update={"annotations": path.parent / mapping.annotations})
    return mapping


def digest_of(mapping: LogMapping) -> str:
    """SHA-256 over the mapping's content and its annotations; where they stand does not matter."""
    fields = mapping.model_dump(mode="json", exclude={"annotations"})
    # whether faq was left out or null decides, and the dump shows both as null
    fields["says_faq"] = sorted(name for name, label in mapping.labels.items() if isinstance(label, Label) and label.says_faq)
    total = sha256(json.dumps(fields, ensure_ascii=False, sort_keys=True).encode())
    if mapping.annotations is not None:
        total.update(mapping.annotations.read_bytes())
    return total.hexdigest()


def read_annotations(path: Path) -> Mapping[str, Annotation]:
    """Annotations by id, from tab-separated lines; a first line of column names may be missing. Raises MaterialError."""
    found: dict[str, Annotation] = {}
    for number, cells in enumerate(csv.reader(_read_text(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
        if not cells or (number == 1 and cells[0] == "id"):
            _check_header(cells, path)
            continue
        place = f"{path.name}:{number}"
        if len(cells) not in (5, 6) or not cells[0]:
            raise MaterialError(f"{place}: has {len(cells)} columns; write {', '.join(ANNOTATION_COLUMNS)}, separated by tabs")
        if cells[0] in found:
            raise MaterialError(f"{place}: the id stands above already; keep one of the lines")
        found[cells[0]] = _annotation([cell.strip() for cell in cells], place)
    if not found:
        raise MaterialError(f"{path.name} holds no annotation; write one line a message")
    return found


def _check_header(cells: list[str], path: Path) -> None:
    if cells and tuple(cells) not in (ANNOTATION_COLUMNS, ANNOTATION_COLUMNS[:5]):
        raise MaterialError(f"{path.name}:1: the columns must be {', '.join(ANNOTATION_COLUMNS)}, in this order")


def _annotation(cells: list[str], place: str) -> Annotation:
    _, faq, intent, sentiment, sure = cells[:5]
    if sure not in ("0", "1"):
        raise MaterialError(f"{place}: 'sure' must be 0 or 1")
    also = words(cells[5]) if len(cells) == 6 else ()
    return Annotation(faq=_or_none(faq), intent=_or_none(intent), sentiment=_or_none(sentiment), is_sure=sure == "1", also=also)


def _or_none(cell: str) -> str | None:
    return None if cell in ("", NONE) else cell


def words(cell: str) -> tuple[str, ...]:
    """Names separated by commas, semicolons or bars; ``-`` is none."""
    parts = (part.strip() for part in cell.replace("，", ",").replace("；", ",").replace(";", ",").replace("|", ",").split(","))
    return tuple(dict.fromkeys(part for part in parts if part and part != NONE))


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_MAPPING_BYTES:
            raise MaterialError(f"{path} is larger than {MAX_MAPPING_BYTES >> 20} MB; name the right file")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise MaterialError(f"{path} cannot be read ({error.strerror}); check its name") from error
    except UnicodeDecodeError as error:
        raise MaterialError(f"{path} is not UTF-8; save it in that encoding") from error


def _read_yaml(path: Path) -> object:
    try:
        fields = yaml.safe_load(_read_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise MaterialError(f"{path}{line} is not valid YAML; check indentation and quotes") from error
    return {} if fields is None else fields
