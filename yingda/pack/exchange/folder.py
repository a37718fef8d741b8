"""Knowledge as the folder of a pack: what a store tells customers, for an evaluation or another shop to read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from yingda.domain.knowledge import Knowledge
from yingda.domain.records import KnowledgeError, Payload, RecordKind
from yingda.pack.exchange.forms import Form, write_form
from yingda.pack.exchange.kinds import DEFAULT, records_of
from yingda.pack.exchange.lines import dump_yaml
from yingda.pack.handoff import FILE as HANDOFF
from yingda.pack.reader import read_knowledge

_TAXONOMY, _POLICY = "taxonomy.yaml", "policy.yaml"
_TEXT = "tag:yaml.org,2002:str"


def write_folder(knowledge: Knowledge, base: Path, target: Path) -> None:
    """Write ``knowledge``, which stands on the pack at ``base``, into the new folder ``target``, whole or not at all.

    What no record holds (taxonomy, hand-off table, and of the policy all but its values) is that of ``base``. The folder is read again
    before it gets its name. Raises KnowledgeError.
    """
    if target.exists():
        raise KnowledgeError(f"{target}: is there already; name a new folder, or remove it")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for name, data in _files(knowledge, base).items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
        if told(read_knowledge(draft)) != told(knowledge):
            raise KnowledgeError(f"{target}: would not read as what the store says; please report it with the version of Yingda")
        draft.replace(target)
    except OSError as error:
        raise KnowledgeError(f"{target}: cannot be written ({error.strerror}); name another folder") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def told(knowledge: Knowledge) -> tuple[Any, ...]:
    """All that ``knowledge`` says, alike for two that say the same in other files."""
    policy = replace(knowledge.policy, values={}, translations={})
    return _records(knowledge), knowledge.taxonomy, knowledge.handoff, policy


def _records(knowledge: Knowledge) -> dict[RecordKind, dict[str, Payload]]:
    return {kind: {row.key: row.payload for row in rows} for kind, rows in records_of(knowledge).items()}


def _files(knowledge: Knowledge, base: Path) -> dict[str, bytes]:
    """The content of each file, by its name below the folder."""
    records = _records(knowledge)
    common = records[RecordKind.TEMPLATE].pop(DEFAULT)
    sets = {"by_intent": records[RecordKind.TEMPLATE]} if records[RecordKind.TEMPLATE] else {}
    kept = {name: (base / name).read_bytes() for name in (_TAXONOMY, HANDOFF) if (base / name).is_file()}
    return {
        **kept,
        _POLICY: _policy((base / _POLICY).read_text("utf-8-sig"), records[RecordKind.POLICY]),
        "templates.yaml": dump_yaml({**common, **sets}),
        "keywords.yaml": dump_yaml({"version": 1, "keywords": list(records[RecordKind.KEYWORD].values())}),
        "faq-all.yaml": write_form(records[RecordKind.FAQ].values(), Form.YAML),
        **{document.name: document.text.encode() for document in knowledge.rules},
    }


def _policy(text: str, values: Mapping[str, Payload]) -> bytes:
    """The policy file ``text`` with these values and translations in the place of its own; all else stays as it is written."""
    tree: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    translations: dict[str, dict[str, str]] = {}
    for name, one in values.items():
        for language, said in one["translations"].items():
            translations.setdefault(language, {})[name] = said
    edited = {"values": _mapping({name: _scalar(one["value"]) for name, one in values.items()})}
    if translations:
        edited["translations"] = _mapping(
            {language: _mapping({name: _scalar(said) for name, said in texts.items()}) for language, texts in translations.items()}
        )
    kept = [(key, node) for key, node in tree.value if key.value not in ("values", "translations")]
    tree.value = [*kept, *((_scalar(name), node) for name, node in edited.items())]
    return str(yaml.serialize(tree, Dumper=yaml.SafeDumper, allow_unicode=True)).encode()


def _scalar(text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(_TEXT, text, style='"')


def _mapping(fields: Mapping[str, yaml.Node]) -> yaml.MappingNode:
    return yaml.MappingNode("tag:yaml.org,2002:map", [(_scalar(name), node) for name, node in fields.items()])
