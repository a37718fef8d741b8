"""A pack's folder in, a checked Pack out; all mistakes of all files are reported together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from hashlib import sha256
from itertools import chain
from pathlib import Path
from shutil import copyfile

from yingda.decide.rules import known_names
from yingda.domain.errors import Mistake, PackError
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import Knowledge, Pack, Policy, Taxonomy, TemplateSet
from yingda.pack.faq import FaqNames, read_faq
from yingda.pack.handoff import FILE as HANDOFF
from yingda.pack.handoff import read_handoff
from yingda.pack.keywords import read_keywords
from yingda.pack.mistakes import MistakeLog, Place
from yingda.pack.policy import read_policy
from yingda.pack.rules import read_rules, rule_files
from yingda.pack.source import Node, read_json_lines, read_yaml
from yingda.pack.taxonomy import read_taxonomy
from yingda.pack.templates import read_templates
from yingda.pack.utterances import Labelled, Labels, by_file, check_duplicates, read_utterances

_SINGLE = ("keywords.yaml", "policy.yaml", "taxonomy.yaml", "templates.yaml")
_FAQ = "faq-*.yaml"
_NUMBER = re.compile(r"-(\d+)")

_NO_TAXONOMY = Taxonomy(0, (), {})
_NO_POLICY = Policy({}, {})
_NO_TEMPLATES = TemplateSet("", "", {}, {})


def read_pack(root: Path) -> Pack:
    """The whole pack; raises PackError with every mistake in it."""
    return _read_pack(root, (*_numbered(root, "test-*.jsonl"), *_numbered(root, "multilingual.jsonl")))


def read_training(root: Path) -> Pack:
    """Knowledge and training messages alone: no evaluation file is opened, so nothing of one can reach a model."""
    return _read_pack(root, ())


def _read_pack(root: Path, exams: Iterable[str]) -> Pack:
    _check_folder(root)
    log = MistakeLog()
    knowledge = _read_knowledge(root, log)
    labels = _labels(knowledge, log)
    training = _read_files(root, _numbered(root, "train-*.jsonl"), labels, log)
    evaluation = _read_files(root, exams, labels, log)
    check_duplicates(_rows(training), _rows(evaluation), log)
    log.raise_if_any()
    return Pack(knowledge=knowledge, training=by_file(training), evaluation=by_file(evaluation))


def read_knowledge(root: Path) -> Knowledge:
    """What decisions and replies need, from the YAML files alone; raises PackError with every mistake in them."""
    _check_folder(root)
    log = MistakeLog()
    knowledge = _read_knowledge(root, log)
    log.raise_if_any()
    return knowledge


def knowledge_files(root: Path) -> list[Path]:
    """The files that make up the knowledge, sorted by their name below ``root``."""
    single = (root / name for name in (*_SINGLE, HANDOFF))
    found = [*root.glob(_FAQ), *(path for path in single if path.exists()), *rule_files(root)]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def copy_knowledge(root: Path, target: Path) -> None:
    """Copy the files that make up the knowledge of the pack at ``root`` into the folder ``target``, which may lack."""
    for path in knowledge_files(root):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, copy)


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise PackError([Mistake(str(root), 1, "there is no such folder; name a pack such as data/packs/retail")])


def _read_knowledge(root: Path, log: MistakeLog) -> Knowledge:
    trees = {name: tree for name in _SINGLE if (tree := read_yaml(root, name, log)) is not None}
    taxonomy = read_taxonomy(trees["taxonomy.yaml"], log) if "taxonomy.yaml" in trees else None
    policy = read_policy(trees["policy.yaml"], log) if "policy.yaml" in trees else None
    templates = read_templates(trees["templates.yaml"], policy, log) if "templates.yaml" in trees else None
    names = FaqNames(
        intents=_intents(taxonomy),
        facts=None if templates is None else templates.facts,
        variables=None if policy is None else policy.variables(),
    )
    keywords = trees.get("keywords.yaml")
    knowledge = Knowledge(
        taxonomy=taxonomy or _NO_TAXONOMY,
        faq=read_faq(_faq_trees(root, log), names, log),
        policy=policy or _NO_POLICY,
        keywords=read_keywords(keywords, names.intents, log) if keywords is not None else (),
        templates=templates or _NO_TEMPLATES,
        digest="",
        handoff=_read_handoff(root, taxonomy, log),
    )
    known = known_names(knowledge, skills=knowledge.handoff.skills) if names.intents else None
    return replace(knowledge, rules=read_rules(root, log, known=known), digest=_digest(root, log.unreadable()))


def _read_handoff(root: Path, taxonomy: Taxonomy | None, log: MistakeLog) -> HandoffPolicy:
    """The hand-off policy of the pack, or the usual one where it brings none."""
    tree = read_yaml(root, HANDOFF, log) if (root / HANDOFF).exists() else None
    skills = None if taxonomy is None else {intent.skill for intent in taxonomy.intents.values()}
    return HandoffPolicy() if tree is None else read_handoff(tree, log, skills=skills)


def _intents(taxonomy: Taxonomy | None) -> Collection[str] | None:
    """The intents that may be named; None when there is none, which is one mistake and not one a row."""
    return None if taxonomy is None else taxonomy.intents or None


def _faq_trees(root: Path, log: MistakeLog) -> list[Node]:
    names = sorted(path.name for path in root.glob(_FAQ))
    if not names:
        log.refuse(Place(_FAQ, 1), "the pack has no FAQ file; write at least one")
    trees = (read_yaml(root, name, log) for name in names)
    return [tree for tree in trees if tree is not None]


def _digest(root: Path, unreadable: Collection[str]) -> str:
    total = sha256()
    for path in knowledge_files(root):
        name = path.relative_to(root).as_posix()
        if name not in unreadable:
            total.update(name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _numbered(root: Path, pattern: str) -> list[str]:
    """Names of utterance files that fit ``pattern``: by number, so that train-10 follows train-9."""

    def order(name: str) -> tuple[int, str]:
        number = _NUMBER.search(name)
        return (int(number.group(1)) if number else 0, name)

    return sorted((path.name for path in (root / "utterances").glob(pattern)), key=order)


def _labels(knowledge: Knowledge, log: MistakeLog) -> Labels:
    """What utterances may name; entries are unknown when an FAQ file was refused."""
    refused = any(fnmatch(name, _FAQ) for name in log.unreadable())
    return Labels(intents=_intents(knowledge.taxonomy), faq=None if refused else knowledge.faq)


def _read_files(root: Path, names: Iterable[str], labels: Labels, log: MistakeLog) -> Mapping[str, tuple[Labelled, ...]]:
    files = {name: read_json_lines(root, f"utterances/{name}", log) for name in names}
    return {name: read_utterances(trees, labels, log) for name, trees in files.items()}


def _rows(files: Mapping[str, tuple[Labelled, ...]]) -> Iterable[Labelled]:
    return chain.from_iterable(files.values())
