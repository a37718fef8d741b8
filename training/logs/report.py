"""What an import did: for the terminal, for programs and for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from training.logs.dataset import LogRow
from training.logs.labels import Candidate, Reason, shown
from training.logs.selection import FileRows, Selection

_LINES = 20
_LINES_SHOWN = 5
_EXAMPLES = 3
_SETTLED = {Reason.DUPLICATE: "duplicate", Reason.IN_PACK: "duplicate", Reason.CONFLICT: "conflicting"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read; ``encoding`` is None where the form fixes it."""

    name: str
    sha256: str
    form: str
    encoding: str | None


def label_counts(rows: Sequence[LogRow]) -> dict[str, Any]:
    """Rows by intent, entry and sentiment, and how many have no entry or none that is known."""
    return {
        "rows": len(rows),
        "without_entry": sum(row.faq is None and row.faq_known for row in rows),
        "entry_unknown": sum(not row.faq_known for row in rows),
        "intents": _sorted(Counter(row.intent or "undecided" for row in rows)),
        "entries": _sorted(Counter(row.faq for row in rows if row.faq is not None)),
        "sentiments": _sorted(Counter("unknown" if row.sentiment is None else str(row.sentiment) for row in rows)),
    }


def as_record(facts: Mapping[str, Any], sources: Sequence[Source], selection: Selection) -> dict[str, Any]:
    """The report as plain JSON values; ``facts`` are those of the dataset."""
    files = [_file(source, file) for source, file in zip(sources, selection.files, strict=True)]
    return {"version": facts["version"], "created": facts["created"], "files": files, "labels": label_counts(selection.rows)}


def _file(source: Source, file: FileRows) -> dict[str, Any]:
    refused = [candidate for candidate in file.candidates if candidate.reason is not None]
    reasons = Counter(str(candidate.reason) for candidate in refused)
    masked: Counter[str] = Counter()
    for candidate in file.candidates:
        masked.update(candidate.masked)
    settled = Counter(_SETTLED.get(candidate.reason, "rejected") for candidate in refused if candidate.reason is not None)
    return {
        "file": source.name,
        "sha256": source.sha256,
        "form": source.form,
        "encoding": source.encoding,
        "read": len(file.candidates),
        "accepted": len(file.candidates) - len(refused),
        **{name: settled[name] for name in ("duplicate", "conflicting", "rejected")},
        "reasons": {reason: _reason(reason, refused) for reason in _sorted(reasons)},
        "masked": _sorted(masked),
    }


def _reason(reason: str, refused: Iterable[Candidate]) -> dict[str, Any]:
    found = [candidate for candidate in refused if candidate.reason == reason]
    examples = [_said(candidate) for candidate in found if candidate.text or candidate.detail]
    return {"count": len(found), "lines": [candidate.line for candidate in found[:_LINES]], "examples": examples[:_EXAMPLES]}


def _said(candidate: Candidate) -> str:
    text = "" if candidate.text is None else shown(candidate.text)
    return f"{text} ({candidate.detail})" if text and candidate.detail else text or candidate.detail


def rejected_text(files: Sequence[FileRows]) -> str:
    """Every row that was not taken, one JSON object a line, its text masked."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for file in files for record in _refused(file))


def _refused(file: FileRows) -> Iterator[dict[str, Any]]:
    for candidate in file.candidates:
        if candidate.reason is not None:
            yield {
                "file": file.name,
                "line": candidate.line,
                "reason": str(candidate.reason),
                "detail": candidate.detail,
                "text": candidate.text,
            }


def as_tables(record: Mapping[str, Any]) -> tuple[Table, Table]:
    """For a terminal: one line a file, then what was not taken and what was masked."""
    names = ("read", "accepted", "duplicate", "conflicting", "rejected")
    title = f"dataset {record['version']}" if record["labels"]["rows"] else "nothing was accepted"
    files = Table(box=SIMPLE, title=title, title_justify="left")
    files.add_column("file", overflow="fold")
    files.add_column("encoding", no_wrap=True)
    details = Table(box=SIMPLE)
    for name in names:
        files.add_column(name, justify="right", no_wrap=True)
    for name in ("file", "not taken, or masked", "items", "lines"):
        details.add_column(name, overflow="fold", justify="right" if name == "items" else "left")
    for file in record["files"]:
        files.add_row(_plain(file["file"]), file["encoding"] or file["form"], *(str(file[name]) for name in names))
        for reason, found in file["reasons"].items():
            lines = ", ".join(map(str, found["lines"][:_LINES_SHOWN])) + (" …" if found["count"] > _LINES_SHOWN else "")
            details.add_row(_plain(file["file"]), reason, str(found["count"]), lines)
        for kind, items in file["masked"].items():
            details.add_row(_plain(file["file"]), f"masked {kind}", str(items), "")
    return files, details


def as_markdown(record: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"# Import of labelled messages: dataset {record['version']}", "", f"Made {record['created']}.", ""]
    heads = ("file", "form", "encoding", "read", "accepted", "duplicate", "conflicting", "rejected")
    lines += _table(heads, ([file[head] or "–" if head == "encoding" else file[head] for head in heads] for file in record["files"]))
    for file in record["files"]:
        lines += _of_file(file)
    labels = record["labels"]
    lines += ["## Labels", "", f"{labels['rows']} rows; {labels['without_entry']} that no entry answers, "]
    lines[-1] += f"{labels['entry_unknown']} whose entry is unknown."
    for name in ("intents", "entries", "sentiments"):
        lines += ["", *_table((name, "rows"), labels[name].items())]
    return "\n".join(lines) + "\n"


def _of_file(file: Mapping[str, Any]) -> list[str]:
    lines = [f"## {_plain(file['file'])}", "", f"SHA-256 `{file['sha256']}`.", ""]
    if file["reasons"]:
        rows = (
            (reason, found["count"], ", ".join(map(str, found["lines"])), " / ".join(found["examples"]))
            for reason, found in file["reasons"].items()
        )
        lines += _table(("not taken", "rows", "lines", "examples (masked)"), rows)
    if file["masked"]:
        lines += _table(("masked", "items"), file["masked"].items())
    return lines


def _table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> list[str]:
    body = [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *body, ""]


def _plain(value: object) -> str:
    """``value`` without marks that Markdown or rich would take for their own."""
    return str(value).replace("|", "∣").replace("[", "［").replace("]", "］").replace("<", "＜").replace("`", "'").replace("\n", " ")


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """Largest first, then by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
