"""Knowledge that lacks what test rows are labelled with is refused, however few rows ask for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import evaluation
from evaluation.examination import Examination
from evaluation.gates import Verdict, check, read_gates
from evaluation.labels import NAME, examine_labels, lacking
from evaluation.rows import TestFile, pack_files
from tests.fakes_evaluation import RETAIL, make_row
from yingda.domain.knowledge import Knowledge, Pack, Taxonomy
from yingda.pack import read_knowledge, read_pack

GATES = [gate for gate in read_gates(Path(evaluation.__file__).with_name("gates.yaml")) if gate.suite == NAME]
KNOWN = read_knowledge(RETAIL)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return read_pack(RETAIL)


@pytest.fixture(scope="module")
def files(pack: Pack) -> tuple[TestFile, ...]:
    return pack_files(RETAIL, pack)


def without_entries(knowledge: Knowledge, intent: str) -> Knowledge:
    return replace(knowledge, faq={name: entry for name, entry in knowledge.faq.items() if entry.intent != intent})


def verdict(found: Examination) -> Verdict:
    (result,) = check(GATES, [], [found])
    return result.verdict


def test_the_whole_knowledge_passes(pack: Pack, files: tuple[TestFile, ...]) -> None:
    found = examine_labels(files, pack.knowledge)

    assert found.measures["labels_lacking"].value == 0.0
    assert found.measures["labels_lacking"].n == sum(len(file.rows) for file in files)
    assert verdict(found) is Verdict.PASSED


@pytest.mark.parametrize("intent", sorted({entry.intent for entry in KNOWN.faq.values()}))
def test_any_intent_without_its_entries_is_refused(pack: Pack, files: tuple[TestFile, ...], intent: str) -> None:
    found = examine_labels(files, without_entries(pack.knowledge, intent))

    assert verdict(found) is Verdict.FAILED
    gone = {name for name, entry in pack.knowledge.faq.items() if entry.intent == intent}
    assert found.facts["lacking"] and set(found.facts["lacking"]) <= gone
    told = found.examples["labels_lacking"]
    assert told and all(example.place in found.facts["places"] for example in told)


@pytest.mark.parametrize("intent", sorted({entry.intent for entry in KNOWN.faq.values()}))
def test_any_intent_that_the_taxonomy_lost_is_refused(pack: Pack, files: tuple[TestFile, ...], intent: str) -> None:
    taxonomy = pack.knowledge.taxonomy
    kept = {code: found for code, found in taxonomy.intents.items() if code != intent}
    found = examine_labels(files, replace(pack.knowledge, taxonomy=Taxonomy(taxonomy.version, taxonomy.categories, kept)))

    assert verdict(found) is Verdict.FAILED
    assert intent in found.facts["lacking"]


def test_an_entry_that_would_do_as_well_is_a_label_too(pack: Pack) -> None:
    row = make_row(intent=None, faq=None, also=("ship-never",))

    assert lacking(row, pack.knowledge) == ("ship-never",)


def test_without_rows_nothing_is_shown(pack: Pack) -> None:
    assert verdict(examine_labels([], pack.knowledge)) is Verdict.UNDECIDED
