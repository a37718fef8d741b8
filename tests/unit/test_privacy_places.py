"""Who is looked for, and what is found of them in files, datasets and caches."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.logs_kit import import_rows
from tests.privacy_kit import NOON
from training.logs.dataset import read_dataset, read_facts
from yingda.privacy.person import Person, PrivacyError, Traces
from yingda.privacy.places import GONE, Cache, Datasets, Folder, Place
from yingda.store.records import hash_customer

PHONE = "13800138000"


@pytest.mark.parametrize(
    "said", [PHONE, "138 0013 8000", "１３８-００１３-８０００", "一三八零零一三八零零零", "+86" + PHONE, "幺三八〇〇幺三八〇〇〇"]
)
def test_a_number_is_found_however_it_is_spelt(said: str) -> None:
    assert Traces(Person(texts=(PHONE,))).are_said_in(f"打{said}找我")


@pytest.mark.parametrize("other", ["13800138001", "3800138000", "138001380", "你好", "", "u-42", "王小"])
def test_another_number_is_not(other: str) -> None:
    assert not Traces(Person("u-4200", (PHONE, "王小明"))).are_said_in(other)


def test_an_id_counts_whole_and_a_short_one_by_its_hash_alone() -> None:
    long, short = Traces(Person("user-42")), Traces(Person("42"))

    assert long.stand_in('{"id":"user-42"}') and not long.stand_in("user-421") and not long.stand_in("a-user-42b")
    assert short.stand_in(hash_customer("42")) and not short.stand_in("我要42码")


@pytest.mark.parametrize(("customer", "texts"), [(None, ()), ("u", ("138",)), (None, ("王",)), (None, ("   ",))])
def test_nobody_and_too_little_are_refused(customer: str | None, texts: tuple[str, ...]) -> None:
    with pytest.raises(PrivacyError):
        Person(customer, texts)


def test_a_digest_proves_who_was_meant_to_those_who_know() -> None:
    told = Person("u-1", (PHONE, "王小明")).digest()

    assert Person("u-1", ("王小明", PHONE)).digest(told["salt"]) == told
    assert Person("u-2", ("王小明", PHONE)).digest(told["salt"]) != told
    assert Person("u-1", (PHONE, "王小明")).digest() != told
    assert PHONE not in json.dumps(told)


def test_lines_of_a_journal_go_and_other_files_go_whole(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jsonl").write_bytes(b'{"text": "138 0013 8000"}\n{"text": "\xff"}\n{"text": "x"}\n')
    (tmp_path / "b.json").write_text(f'{{"a": "{PHONE}"}}', "utf-8")
    (tmp_path / "c.json").write_text("{}", "utf-8")
    (tmp_path / f"{PHONE}.jsonl").write_text("{}\n", "utf-8")
    place, person = Folder("journal", tmp_path), Person(texts=(PHONE,))

    assert place.search(person) == {"files": 2, "lines": 1}
    assert place.erase(person) == {"files": 2, "lines": 1}
    assert place.search(person) == {}
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["a.jsonl", "c.json"]
    assert (tmp_path / "deep" / "a.jsonl").read_bytes() == b'{"text": "\xff"}\n{"text": "x"}\n'


def test_results_of_replays_go_whole(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text(f"{{}}\n{PHONE}\n", "utf-8")

    assert Folder("replays", tmp_path, lines=False).erase(Person(texts=(PHONE,))) == {"files": 1}
    assert list(tmp_path.iterdir()) == []


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.json").write_text(PHONE, "utf-8")
    (tmp_path / "in" / "link.json").symlink_to(tmp_path / "out.json")

    assert Folder("journal", tmp_path / "in").erase(Person(texts=(PHONE,))) == {}
    assert (tmp_path / "out.json").exists()


def test_old_files_are_counted_and_deleted(tmp_path: Path) -> None:
    for name, days in (("old.jsonl", 400), ("new.jsonl", 1)):
        path = tmp_path / name
        path.write_text("{}\n", "utf-8")
        then = (NOON - timedelta(days=days)).timestamp()
        os.utime(path, (then, then))
    place, before = Folder("journal", tmp_path), NOON - timedelta(days=365)

    assert place.forget_before(before, dry_run=True) == {"files": 1} == place.forget_before(before, dry_run=False)
    assert [path.name for path in tmp_path.iterdir()] == ["new.jsonl"]


def a_dataset(root: Path) -> Path:
    """An imported dataset, of which two rows name somebody whom no pattern recognises."""
    rows = [
        {"text": "替王小明问下快递到哪了", "intent": "SHIP"},
        {"text": "什么时候发货呢", "intent": "SHIP"},
        {"text": "王小明的单子取消", "intent": "CANCEL"},
        {"text": "王小明说了个啥", "intent": "NOT_THERE"},
    ]
    import_rows(root, *rows)
    (facts,) = root.rglob("dataset.json")
    return facts.parent


def test_rows_of_a_dataset_go_and_it_can_still_be_read(tmp_path: Path) -> None:
    folder = a_dataset(tmp_path)
    before, version = len(read_dataset(folder)), read_facts(folder)["version"]
    place, person = Datasets(folder.parent), Person(texts=("王小明",))

    found = place.search(person)
    erased = place.erase(person)

    assert found == erased == {"rows": 2, "datasets": 1}
    assert place.search(person) == {}
    rows = read_dataset(folder)
    assert len(rows) == before - 2 and all("王小明" not in row.text for row in rows)
    facts = read_facts(folder)
    assert facts["version"] != version and facts["counts"]["rows"] == len(rows)
    assert "王小明" not in "".join(path.read_text("utf-8") for path in folder.iterdir())
    assert GONE in (folder / "report.json").read_text("utf-8")


def test_a_dataset_goes_when_its_import_is_too_long_ago(tmp_path: Path) -> None:
    folder = a_dataset(tmp_path)
    created = datetime.fromisoformat(read_facts(folder)["created"])
    place = Datasets(folder.parent)

    assert place.forget_before(created, dry_run=False) == {}
    assert place.forget_before(created + timedelta(seconds=1), dry_run=True) == {"datasets": 1}
    assert folder.exists()
    assert place.forget_before(created + timedelta(seconds=1), dry_run=False) == {"datasets": 1}
    assert not folder.exists()


def test_a_cache_is_emptied() -> None:
    held = ["a", "b"]

    def clear() -> int:
        count = len(held)
        held.clear()
        return count

    cache: Place = Cache("cache of replies", clear)

    assert cache.search(Person("u-1")) == {}
    assert cache.forget_before(datetime.now(UTC), dry_run=True) == {} and len(held) == 2
    assert cache.erase(Person("u-1")) == {"entries": 2} and held == []
