"""``yingda rollout``: what a person at a terminal sees and does."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes import FakeEngine
from tests.rollout_kit import BEGIN, asked, dialogue, in_gray
from tests.store_kit import empty_copy
from yingda.cli.main import run
from yingda.store.audit import Audit
from yingda.store.base import open_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{empty_copy(tmp_path)}"


def rollout(url: str, *arguments: str) -> None:
    run(["rollout", arguments[0], "--store", url, *arguments[1:]])


def test_a_release_is_moved_on_and_stopped_and_all_is_recorded(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    who = ("--by", "王店长", "--reason", "试用")
    rollout(url, "show")
    rollout(url, "start", "2026.12", "--channel", "phone=0", "--share", "0.2", *who)
    rollout(url, "advance", "--stage", "gray", "--tier", "vip=0.05", "--channel", "phone=", *who)
    rollout(url, "stop", *who)
    capsys.readouterr()

    rollout(url, "history")

    lines = capsys.readouterr().out.splitlines()
    told = [line.split("  ", 2)[2] for line in lines]
    assert told == [
        "2026.12: shadow (share 20 %, phone 0 %; else human)  by 王店长: 试用",
        "2026.12: gray (share 20 %, vip 5 %; else human)  by 王店长: 试用",
        "2026.12: shadow (share 20 %, vip 5 %; else human)  by 王店长: 试用",
    ]
    rollout(url, "show")
    assert "重复提问率" in capsys.readouterr().out


def test_what_hand_offs_are_compared_with_depends_on_what_is_known(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who, today = ("--by", "王店长", "--reason", "试用"), ("--reference-store", f"sqlite:///{tmp_path / 'today.db'}")
    rollout(url, "start", "2026.12", "--reference", "control", *who)
    rollout(url, "show")
    assert "against shadow" in capsys.readouterr().out

    rollout(url, "start", "2027.01", "--reference", "control", *today, *who)
    rollout(url, "show")
    assert "same messages, in shadow" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        rollout(url, "start", "2027.02", "--reference-store", url, *who)
    assert "name the store of the service of today" in capsys.readouterr().err


def test_gray_is_skipped_by_force_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    who = ("--by", "王店长", "--reason", "试用")
    rollout(url, "start", "2026.12", *who)

    with pytest.raises(SystemExit):
        rollout(url, "advance", "--stage", "full", *who)
    rollout(url, "advance", "--stage", "full", "--force", *who)

    said = capsys.readouterr()
    assert "full skips gray and its guardrails" in said.err
    assert "2026.12: full (share 10 %; else human)  by 王店长: 跳过灰度 gray skipped: 试用" in said.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("advance", "--by", "w", "--reason", "r"), "nothing would change"),
        (("advance", "--by", "w", "--reason", "r", "--share", "0.2"), "there is no roll-out"),
        (("start", "x", "--by", "w", "--reason", "r", "--share", "2"), "share is 2.0; write a fraction"),
        (
            ("start", "x", "--by", "w", "--reason", "r", "--channel", "fax=0.1"),
            "'fax=0.1' cannot be read; write NAME=SHARE, such as web=0.05",
        ),
        (("start", "x", "--by", "w", "--reason", "r", "--tier", "vip"), "'vip' cannot be read; write NAME=SHARE, such as vip=0.05"),
        (("start", "x", "--by", " ", "--reason", "r"), "only a person moves a release on"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    url: str, arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        rollout(url, *arguments)

    said = capsys.readouterr().err
    assert left.value.code == 2
    assert told in said and len(said.splitlines()) == 1


def test_a_store_without_tables_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        rollout(f"sqlite:///{tmp_path / 'empty.db'}", "show")

    assert "run `yingda store migrate`" in capsys.readouterr().err


def test_watch_leaves_with_one_when_the_release_was_taken_back(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_store(url)) as store:
        in_gray(store)
        names = [f"u-{number}" for number in range(60)]
        talk = dialogue(store)
        told = talk.take(FakeEngine(), [asked(name) for name in names])
        helped = {name for name, each in zip(names, told, strict=True) if not each.record["rollout"]["send"]}  # type: ignore[union-attr]
        talk.take(FakeEngine(), [asked(name, at=BEGIN + timedelta(minutes=1)) for name in names if name not in helped])

    with pytest.raises(SystemExit) as left:
        rollout(url, "watch")
    assert left.value.code == 1
    assert "by guardrail: 重复提问率变化 +100.0" in capsys.readouterr().out

    rollout(url, "watch")
    assert "shadow" in capsys.readouterr().out
    with closing(open_store(url)) as store:
        (entry,) = [each.entry for each in Audit(store).entries() if each.entry.who == "guardrail"]
    assert (entry.action, entry.outcome) == ("rollout.take_back", "done")
