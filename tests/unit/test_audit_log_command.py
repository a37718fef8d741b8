"""``yingda audit``: what a person at a terminal is told about the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.store_kit import empty_copy
from yingda.cli import run
from yingda.store.audit import Audit, AuditEntry, Outcome, hidden_name
from yingda.store.base import open_store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = empty_copy(tmp_path)
    with closing(open_store(f"sqlite:///{found}")) as store:
        audit = Audit(store)
        audit.record(AuditEntry("anna", "knowledge.publish", NOON, "faq:ship-when", "r-1", Outcome.DONE, {"status": 200}))
        audit.record(AuditEntry("bo", "rollout.stop", NOON, "rollout"))
        audit.record(AuditEntry("anna", "conversation.release", NOON, hidden_name("conversation", "c-1")))
    return found


def audit(path: Path, *arguments: str) -> None:
    run(["audit", arguments[0], "--store", f"sqlite:///{path}", *arguments[1:]])


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in ("no_update", "no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS audit_{name}")
        for statement in statements:
            connection.execute(statement)


def test_a_whole_log_says_where_it_ends_and_can_be_asked_again(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(path, "verify")
    told, head = capsys.readouterr().out.splitlines()
    assert told == "whole: 3 entries"
    audit(path, "verify", *head.split())
    assert capsys.readouterr().out.startswith("whole: 3 entries, and goes through entry 3 as it was noted")


def test_a_broken_log_is_exit_code_1_and_names_the_entry(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tamper(path, "UPDATE audit SET who = 'cleo' WHERE number = 2")
    with pytest.raises(SystemExit) as caught:
        audit(path, "verify")
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (1, "")
    assert err.startswith("yingda: the audit log is broken at entry 2: ")


def test_a_cut_end_shows_against_what_was_printed_before(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(path, "verify")
    head = capsys.readouterr().out.splitlines()[1].split()
    tamper(path, "DELETE FROM audit WHERE number = 3")
    audit(path, "verify")
    with pytest.raises(SystemExit) as caught:
        audit(path, "verify", *head)
    assert caught.value.code == 1


@pytest.mark.parametrize(
    "arguments", [("--head", "a" * 64), ("--count", "3"), ("--head", "no", "--count", "3"), ("--head", "a" * 64, "--count", "0")]
)
def test_a_head_that_cannot_be_one_is_refused(path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        audit(path, "verify", *arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ((), "123"),
        (("--last", "2"), "23"),
        (("--last", "0"), "123"),
        (("--who", "anna"), "13"),
        (("--action", "knowledge"), "1"),
        (("--action", "rollout.stop"), "2"),
        (("--action", "roll"), ""),
        (("--conversation", "c-1"), "3"),
    ],
)
def test_entries_are_shown_by_what_is_asked(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], numbers: str
) -> None:
    audit(path, "show", *arguments)
    assert "".join(line[0] for line in capsys.readouterr().out.splitlines()) == numbers


def test_an_entry_is_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(path, "show")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "1  2026-11-22T12:00:00+00:00  anna  knowledge.publish  faq:ship-when  done  r-1  status=200"


def test_what_the_terminal_changes_is_on_record(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = ("--by", "王店长", "--reason", "试用")
    run(["rollout", "start", "--store", f"sqlite:///{path}", "2026.12", *who])
    with pytest.raises(SystemExit):
        run(["rollout", "start", "--store", f"sqlite:///{path}", "2026.12", *who])
    capsys.readouterr()
    audit(path, "show", "--action", "rollout.start")
    shown = capsys.readouterr().out
    assert [line.split("  ")[5] for line in shown.splitlines()] == ["attempted", "done", "attempted", "refused"]
    assert "release:2026.12" in shown and "王店长" not in shown
