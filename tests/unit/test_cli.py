"""The command line: what it prints, and that one bad line never stops the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.fakes_core import write_fake_bundle, write_tiny_bundle
from yingda.cli.main import app
from yingda.domain.errors import MessageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp("cli") / "b"))


def ask_lines(bundle: str, data: bytes, *options: str) -> tuple[list[str], str]:
    """Lines of standard output, and standard error, of ``yingda ask -``."""
    result = CliRunner().invoke(app, ["ask", "-", "--bundle", bundle, *options], input=data)
    assert result.exception is None, result.output
    return result.stdout.splitlines(), result.stderr


def records(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_ask_shows_reply_intent_entry_and_confidence(bundle: str) -> None:
    result = CliRunner().invoke(app, ["ask", "什么时候发货", "--bundle", bundle])

    assert result.exit_code == 0
    for shown in ("48 小时内发出。", "answered", "发货时间 ORDER_SHIP_TIME", "neutral", "ship-when", "order_no"):
        assert shown in result.stdout


def test_ask_shows_why_a_person_takes_over(bundle: str) -> None:
    result = CliRunner().invoke(app, ["ask", "盗了", "--bundle", bundle])

    assert "security" in result.stdout
    assert "needs_human" in result.stdout


def test_ask_json_prints_the_whole_decision_on_one_line(bundle: str) -> None:
    result = CliRunner().invoke(app, ["ask", "什么时候发货", "--bundle", bundle, "--json"])

    (record,) = records(result.stdout.splitlines())
    assert record["outcome"] == "answered"
    assert record["faq"]["id"] == "ship-when"
    assert record["classification"]["intent"]["code"] == "ORDER_SHIP_TIME"
    assert "发货" in result.stdout


@pytest.mark.parametrize("text", ["", "   ", "长" * 2001])
def test_a_message_that_cannot_be_processed_is_an_expected_error(bundle: str, text: str) -> None:
    result = CliRunner().invoke(app, ["ask", text, "--bundle", bundle])

    assert isinstance(result.exception, MessageError)


def test_each_line_gets_one_line(bundle: str) -> None:
    lines, error = ask_lines(bundle, "什么时候发货\n怎么消\n不知所云\n".encode())

    assert [line.split("\t")[0] for line in lines] == ["answered", "answered", "no_answer"]
    assert "3 answered, 0 refused" in error


def test_lines_that_cannot_be_processed_are_refused_one_by_one(bundle: str) -> None:
    bad = [b"", b"   ", "长".encode() * 2001, b"\xff\xfe", b"a\x00b"]
    data = b"\n".join(["发".encode(), *bad, "消".encode()]) + b"\n"

    lines, error = ask_lines(bundle, data, "--json")

    found = records(lines)
    assert [record.get("error", {}).get("code") for record in found] == [
        None,
        "text_blank",
        "text_blank",
        "text_too_long",
        "text_not_unicode",
        "text_has_nul",
        None,
    ]
    assert "2 answered, 5 refused" in error


def test_a_refusal_never_repeats_the_text(bundle: str) -> None:
    lines, _ = ask_lines(bundle, "秘密\x00".encode() + b"\n")

    assert lines == ["refused\ttext holds a NUL character; remove it"]


def test_json_lines_hold_one_object_a_line_whatever_the_message_holds(bundle: str) -> None:
    lines, _ = ask_lines(bundle, "发\u2028货\u0085了\n".encode(), "--json")

    assert len(records(lines)) == 1


@pytest.mark.parametrize("data", ["发\r\n消\r\n", "发\n消", "发\n消\n"])
def test_line_ends_of_every_system_are_understood(bundle: str, data: str) -> None:
    lines, _ = ask_lines(bundle, data.encode())

    assert [line.split("\t")[0] for line in lines] == ["answered", "answered"]


def test_empty_input_answers_nothing(bundle: str) -> None:
    lines, error = ask_lines(bundle, b"")

    assert lines == []
    assert "0 answered, 0 refused" in error


def test_verify_tells_version_files_and_digest(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["bundle", "verify", str(write_fake_bundle(tmp_path / "b"))])

    assert result.exit_code == 0
    assert "version 1.0, 9 files, 0.0 MB, all as in the manifest" in result.stdout
    assert "sha256 " in result.stdout


def run_yingda(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "yingda", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_missing_bundle_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run_yingda("ask", "你好", "--bundle", str(tmp_path / "none"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"yingda: {tmp_path / 'none'}: there is no bundle folder here; "
        "restore the bundle from the repository or rebuild it with `dvc repro`"
    ]


def test_an_altered_bundle_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    root = write_fake_bundle(tmp_path / "b")
    (root / "labels.json").write_text("altered", "utf-8")

    done = run_yingda("bundle", "verify", str(root))

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "labels.json" in line
