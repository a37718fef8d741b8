"""Hostile templates and rule files go through the store as the server saves them: refused with their reason, and nothing is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.bench.hostile_cases import TEMPLATE, Case, cases_of
from evaluation.bench.hostile_saves import HONEST, Measured, refusal, report, shop_in
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import NotFound, RecordKind, Status
from yingda.pack import read_knowledge
from yingda.pack.exchange.syntax import SyntaxCheck
from yingda.store.knowledge.conditions import plain_mistakes
from yingda.store.knowledge.service import KnowledgeStore

RETAIL = Path(__file__).parents[2] / "data" / "packs" / "retail"
NEED_THE_SHOP = {"template: unknown variable"}
"""Whose reason only the shop's names can give."""


@pytest.fixture(scope="module")
def shop() -> Knowledge:
    return read_knowledge(RETAIL)


@pytest.fixture(scope="module")
def cases(shop: Knowledge) -> list[Case]:
    return cases_of(shop)


@pytest.fixture(scope="module")
def records(shop: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> KnowledgeStore:
    return shop_in(tmp_path_factory.mktemp("hostile"), shop)()


def test_every_hostile_save_is_refused_with_its_reason_and_leaves_nothing(records: KnowledgeStore, cases: list[Case]) -> None:
    assert len(cases) >= 50
    assert len({case.name for case in cases}) == len(cases)
    before = records.get(cases[-1].id)
    for case in cases:
        reasons = refusal(records, case)
        assert any(case.reason in reason for reason in reasons), (case.name, reasons[:3])
        assert all(": " in reason and len(reason) < 600 for reason in reasons), case.name
    assert records.get(cases[-1].id) == before
    with pytest.raises(NotFound):
        records.get(TEMPLATE)


def test_all_but_unknown_names_are_refused_before_the_shop_is_read(shop: Knowledge, cases: list[Case]) -> None:
    check = SyntaxCheck(shop)
    passed = {case.name for case in cases if not plain_mistakes(case.id, case.payload) and not check(case.id, case.payload)}

    assert passed == NEED_THE_SHOP


def test_what_the_shop_says_itself_passes(records: KnowledgeStore, shop: Knowledge) -> None:
    check = SyntaxCheck(shop)
    for kind in (RecordKind.RULE, RecordKind.TEMPLATE):
        for version in records.heads(kind):
            assert check(version.id, version.payload) == []
    assert refusal(records, HONEST) == ()
    assert records.get(HONEST.id).status is Status.DRAFT


def test_the_report_counts_the_hostile_ones_alone() -> None:
    rows = [Measured("a", True, "x: y`|", 1.5), Measured("b", False, "", 0.5), Measured(HONEST.name, False, "", 99.0)]
    text = report(rows)

    assert text.startswith("1 of 2 hostile")
    assert "median 1.00 ms, most 1.50 ms" in text
    assert "| a | yes | 1.50 | `x: y'\\|` |" in text
