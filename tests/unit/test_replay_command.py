"""``yingda replay``: what it prints and writes, its exit codes, and that bad input is one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_core import FAQ, write_tiny_bundle, write_tiny_pack
from tests.rules_kit import row as rule_row
from tests.rules_kit import written as rule_file
from yingda.cli.main import build_parser
from yingda.domain.errors import YingdaError
from yingda.pack.exchange import Form, write_form


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("replay") / "b")


@pytest.fixture
def turns(tmp_path: Path) -> Path:
    texts = ["什么时候发货", "怎么取消", "电话13800138000，怎么取消", "不知所云"]
    lines = [{"turn_id": str(n), "at": f"2026-11-0{n + 1}T09:00:00+08:00", "text": text} for n, text in enumerate(texts)]
    path = tmp_path / "turns.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The tiny shop after its entry for cancelling was handed to people."""
    root = write_tiny_pack(tmp_path / "pack")
    changed = FAQ.replace(
        "  answer: {zh: 点取消。, en: Press cancel.}\n", "  answer: {zh: 点取消。, en: Press cancel.}\n  needs_human: true\n"
    )
    assert changed != FAQ
    (root / "faq-all.yaml").write_text(changed, "utf-8")
    return root


def run(arguments: Sequence[object]) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as caught:
        args = build_parser().parse_args(["replay", *map(str, arguments)])
        args.command(args)
    return int(str(caught.value.code))


def test_a_changed_pack_is_told_with_counts_and_examples(bundle: Path, turns: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--with", pack, "--turns", turns, "--bundle", bundle]) == 1

    out, _ = capsys.readouterr()
    assert "4 条消息 turns，4 个会话 conversations，2 条有变化 change" in out
    assert "answered -> handoff" in out
    assert "13800138000" not in out


def test_the_difference_is_written_for_programs(bundle: Path, turns: Path, pack: Path, tmp_path: Path) -> None:
    code = run(["--with", pack, "--turns", turns, "--bundle", bundle, "--json", tmp_path / "d.json", "--minutes", "5,needs_human=8"])
    change: dict[str, Any] = json.loads((tmp_path / "d.json").read_text("utf-8"))["change"]

    assert code == 1
    assert change["changed"] == 2
    assert change["after"]["handoffs"] == 2
    assert change["after"]["minutes"] == 16.0
    assert change["after"]["reasons"] == {"needs_human": 2}
    assert {"before": "answered", "after": "handoff", "turns": 2} in change["moves"]
    assert list(tmp_path.glob("*.part")) == []


def test_the_same_configuration_changes_nothing(bundle: Path, turns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--with", bundle, "--turns", turns, "--bundle", bundle, "--json", "-"]) == 0

    assert json.loads(capsys.readouterr().out)["change"]["changed"] == 0


def test_what_compared_nothing_is_not_verified(bundle: Path, turns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--verify", "--turns", turns, "--bundle", bundle, "--json", tmp_path / "v.json"]) == 2

    out = capsys.readouterr().out
    assert out.startswith("未验证 NOT VERIFIED: ")
    assert "两次重放相同 both replays agree: 4 条消息重放两次" in out and "一致 identical" not in out
    found = json.loads((tmp_path / "v.json").read_text("utf-8"))
    assert (found["verified"], found["compared"], found["unstable"]) == (False, 0, [])


def test_a_time_chooses_the_turns(bundle: Path, turns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = ["--since", "2026-11-02T00:00:00+08:00", "--until", "2026-11-04T00:00:00+08:00"]
    assert run(["--verify", "--turns", turns, "--bundle", bundle, *window]) == 2

    assert "2 条消息重放两次" in capsys.readouterr().out


def test_a_replay_goes_on_from_its_checkpoint(bundle: Path, turns: Path, pack: Path, tmp_path: Path) -> None:
    command = ["--with", pack, "--turns", turns, "--bundle", bundle, "--checkpoint", tmp_path / "c", "--json", tmp_path / "d.json"]
    assert run(command) == 1
    first, kept = (tmp_path / "d.json").read_bytes(), (tmp_path / "c").read_bytes()

    assert run(command) == 1
    assert (tmp_path / "d.json").read_bytes() == first
    assert (tmp_path / "c").read_bytes() == kept
    with pytest.raises(YingdaError, match="another replay"):
        run(["--with", bundle, *command[2:]])


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


RULES = {"intent": '"ORDER_CANCEL"', "action": '"handoff"', "priority": '"high"', "skill": '"complaint"'}
ENTRY = {"id": "cancel-how", "intent": "ORDER_CANCEL", "question": {"zh": "怎么取消"}, "answer": {"zh": "联系我们。"}}


def test_rules_of_a_file_take_the_place_of_todays(bundle: Path, turns: Path, tmp_path: Path) -> None:
    rules = written(tmp_path, "rules.json", rule_file([rule_row("cancel", RULES)]))
    code = run(["--with", rules, "--turns", turns, "--bundle", bundle, "--json", tmp_path / "d.json"])
    change: dict[str, Any] = json.loads((tmp_path / "d.json").read_text("utf-8"))["change"]

    assert code == 1
    assert change["after"]["reasons"] == {"rule": 2}
    assert {row["intent"]: row["changed"] for row in change["intents"]}["ORDER_CANCEL"] == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_rules_with_mistakes_are_refused_with_each_of_them(bundle: Path, tmp_path: Path, workers: int) -> None:
    lines = [{"turn_id": str(n), "at": "2026-11-01T09:00:00+08:00", "text": "怎么取消"} for n in range(600)]
    many = written(tmp_path, "many.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    rules = written(tmp_path, "rules.json", rule_file([rule_row("a", intent='"NO_SUCH"'), rule_row("b", action='"fly"')]))

    with pytest.raises(YingdaError) as caught:
        run(["--with", rules, "--turns", many, "--bundle", bundle, "--workers", workers])

    head, *mistakes = str(caught.value).split("\n")
    assert head == f"{rules}: 2 mistake(s); correct each:"
    assert ["NO_SUCH" in mistakes[0], "fly" in mistakes[1]] == [True, True]


@pytest.mark.parametrize("form", [Form.CSV, Form.JSONL, Form.YAML, Form.EXCEL])
def test_entries_of_a_file_are_added_to_todays_or_replace_them(bundle: Path, turns: Path, tmp_path: Path, form: Form) -> None:
    new = {**ENTRY, "id": "unknown-what", "question": {"zh": "旧的收吗"}}
    path = tmp_path / f"faq.{form}"
    path.write_bytes(write_form([{**ENTRY, "needs_human": True}, new], form))

    assert run(["--with", path, "--turns", turns, "--bundle", bundle, "--json", tmp_path / "d.json"]) == 1
    change: dict[str, Any] = json.loads((tmp_path / "d.json").read_text("utf-8"))["change"]
    assert change["changed"] == 2
    assert change["after"]["reasons"] == {"needs_human": 2}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("faq.csv", "id,intent,question,answer\na,NO_SUCH,问,答\n", "line 2: intent: unknown intent 'NO_SUCH'"),
        ("faq.csv", "id,intent,question\na,ORDER_CANCEL,问\n", "line 1: answer.zh: column 'answer.zh' is missing"),
        ("faq.csv", "id,intent,question,answer\n", "holds no entry"),
        ("faq.jsonl", json.dumps(ENTRY) * 2, "line 1: "),
        ("faq.jsonl", f"{json.dumps(ENTRY)}\n{json.dumps(ENTRY)}", "line 2: id: stands in entry 1 too"),
        ("rules.json", "{", "not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_lines(
    bundle: Path, turns: Path, tmp_path: Path, name: str, text: str, told: str
) -> None:
    path = written(tmp_path, name, text)

    with pytest.raises(YingdaError) as caught:
        run(["--with", path, "--turns", turns, "--bundle", bundle])

    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_a_file_of_another_kind_is_refused_before_anything_is_opened(turns: Path, tmp_path: Path) -> None:
    with pytest.raises(YingdaError, match=r"no configuration; --with takes a bundle folder, a pack folder, a \.csv file"):
        run(["--with", written(tmp_path, "rules.txt", ""), "--turns", turns, "--bundle", tmp_path / "none"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--with", "nowhere"], "nowhere: there is no such file or folder"),
        (["--verify", "--since", "2030-01-01"], "no turns in that time"),
    ],
)
def test_bad_input_is_one_line(bundle: Path, turns: Path, arguments: list[str], told: str) -> None:
    with pytest.raises(YingdaError) as caught:
        run([*arguments, "--turns", turns, "--bundle", bundle])

    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "yesterday"], "'yesterday' is no time"),
        (["--workers", "0"], "'0' is no count"),
        (["--minutes", "6,hunger=3"], "'hunger=3' is no cost"),
        (["--minutes", "nan"], "'nan' is no cost"),
    ],
)
def test_a_bad_argument_says_what_to_write(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--verify", *arguments]) == 2
    assert told in capsys.readouterr().err
