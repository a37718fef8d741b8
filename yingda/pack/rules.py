"""rules/*.json: business rules as decision tables in GoRules JDM; a pack may have none."""

from __future__ import annotations

import json
import re
from pathlib import Path

from yingda.decide.rules import KnownNames, RuleSet, compile_rules, crossings
from yingda.decide.rules.document import LONGEST_FILE, read_table
from yingda.domain.rules import RuleDocument, RuleError
from yingda.pack.mistakes import MistakeLog, Place

FOLDER = "rules"


def rule_files(root: Path) -> list[Path]:
    """The rule files of a pack in the order they apply: by name, the first decides first."""
    return sorted((root / FOLDER).glob("*.json"), key=lambda path: path.name)


def read_rules(root: Path, log: MistakeLog, *, known: KnownNames | None = None) -> tuple[RuleDocument, ...]:
    """Every rule file, in order; what is wrong with one is noted with its line.

    With the ``known`` names of the pack each file is compiled, and rows that never fire or override a more urgent one are
    mistakes, too, within a file and across files. Without them (the taxonomy could not be read) only the structure is checked.
    """
    documents = (_read(path, f"{FOLDER}/{path.name}", log) for path in rule_files(root))
    found = tuple(document for document in documents if document is not None)
    compiled = {document: rules for document in found if (rules := _check(document, log, known)) is not None}
    if known is not None:
        texts = {document.name: document.text for document in compiled}
        for crossing in crossings({document.name: rules for document, rules in compiled.items()}, known):
            if crossing.finding.blocks:
                log.add(Place(crossing.file, _line_of(crossing.finding.row, texts[crossing.file])), crossing.finding.en)
    return found


def _read(path: Path, name: str, log: MistakeLog) -> RuleDocument | None:
    try:
        if path.stat().st_size > 4 * LONGEST_FILE:  # before it is read: a character takes four bytes at most
            log.refuse(Place(name, 1), f"the file is larger than {4 * LONGEST_FILE:,} bytes; split the table")
            return None
        return RuleDocument.of(name, path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        log.refuse(Place(name, 1), f"the file cannot be read ({error.strerror}); check its type and permissions")
    except UnicodeDecodeError:
        log.refuse(Place(name, 1), "the file is not UTF-8; save it in that encoding")
    return None


def _check(document: RuleDocument, log: MistakeLog, known: KnownNames | None) -> RuleSet | None:
    """The file compiled, where that is possible; its mistakes are noted."""
    try:
        if known is None:
            read_table(document.text)
            return None
        rules = compile_rules(document.text, known=known)
    except RuleError as error:
        for mistake in error.mistakes:
            log.add(Place(document.name, mistake.line or _line_of(mistake.row, document.text)), str(mistake))
        return None
    for finding in rules.findings:
        if finding.blocks:
            log.add(Place(document.name, _line_of(finding.row, document.text)), finding.en)
    return rules


def _line_of(row: str | None, text: str) -> int:
    """The line where a row's id stands; 1 when there is no row or it is written with escapes."""
    if row is None:
        return 1
    match = re.search(r'"_id"\s*:\s*' + re.escape(json.dumps(row, ensure_ascii=False)), text)
    return text.count("\n", 0, match.start()) + 1 if match else 1
