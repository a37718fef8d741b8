"""The command line: what it prints, and that one bad line never stops the others."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_core import write_fake_bundle, write_tiny_bundle
from yingda.cli import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp("cli") / "b"))


@dataclass
class Yingda:
    """The command with its streams in hand."""

    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, data: bytes = b"") -> tuple[str, str]:
        """Standard output and standard error; ``data`` is standard input."""
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        run(arguments)
        out, err = self.capture.readouterr()
        return out, err

    def lines(self, bundle: str, data: bytes, *options: str) -> tuple[list[str], str]:
        """Lines of ``yingda ask -``, and its standard error."""
        out, err = self("ask", "-", "--bundle", bundle, *options, data=data)
        return out.removesuffix("\n").split("\n") if out else [], err

    def fails(self, *arguments: str) -> str:
        """The one line on standard error of a command that exits with 2 and prints nothing."""
        with pytest.raises(SystemExit) as caught:
            self(*arguments)
        out, err = self.capture.readouterr()
        assert caught.value.code == 2
        assert out == ""
        assert err.count("\n") == 1
        return err.rstrip("\n")


@pytest.fixture
def yingda(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Yingda:
    monkeypatch.delenv("YINGDA_BUNDLE", raising=False)
    monkeypatch.delenv("YINGDA_PACK", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return Yingda(capsys, monkeypatch)


def records(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_ask_shows_reply_intent_entry_and_confidence(yingda: Yingda, bundle: str) -> None:
    out, _ = yingda("ask", "什么时候发货", "--bundle", bundle)

    for shown in ("48 小时内发出。", "answered", "发货时间 ORDER_SHIP_TIME", "neutral", "ship-when", "order_no"):
        assert shown in out


def test_ask_shows_why_a_person_takes_over(yingda: Yingda, bundle: str) -> None:
    out, _ = yingda("ask", "盗了", "--bundle", bundle)

    assert "security" in out


def test_ask_json_prints_the_whole_decision_on_one_line(yingda: Yingda, bundle: str) -> None:
    out, _ = yingda("ask", "什么时候发货", "--bundle", bundle, "--json")

    (record,) = records(out.splitlines())
    assert record["outcome"] == "answered"
    assert record["faq"]["id"] == "ship-when"
    assert record["classification"]["intent"]["code"] == "ORDER_SHIP_TIME"
    assert "发货" in out


def test_the_environment_names_the_bundle(yingda: Yingda, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGDA_BUNDLE", bundle)

    assert "ship-when" in yingda("ask", "发")[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "text is empty or blank"),
        ("   ", "text is empty or blank"),
        ("长" * 2001, "text has 2,001 characters"),
        ("a\udcff", "text holds a lone surrogate"),
    ],
)
def test_a_message_that_cannot_be_processed_is_one_line_and_exit_code_2(yingda: Yingda, bundle: str, text: str, told: str) -> None:
    assert yingda.fails("ask", text, "--bundle", bundle).startswith(f"yingda: {told}")


def test_each_line_gets_one_line(yingda: Yingda, bundle: str) -> None:
    lines, error = yingda.lines(bundle, "什么时候发货\n怎么消\n不知所云\n".encode())

    assert [line.split("\t")[0] for line in lines] == ["answered", "answered", "no_answer"]
    assert "3 answered, 0 refused" in error


def test_lines_that_cannot_be_processed_are_refused_one_by_one(yingda: Yingda, bundle: str) -> None:
    bad = [b"", b"   ", "长".encode() * 2001, b"\xff\xfe", b"a\x00b"]
    data = b"\n".join(["发".encode(), *bad, "消".encode()]) + b"\n"

    lines, error = yingda.lines(bundle, data, "--json")

    assert [record.get("error", {}).get("code") for record in records(lines)] == [
        None,
        "text_blank",
        "text_blank",
        "text_too_long",
        "text_not_unicode",
        "text_has_nul",
        None,
    ]
    assert "2 answered, 5 refused" in error


def test_a_refusal_never_repeats_the_text(yingda: Yingda, bundle: str) -> None:
    lines, _ = yingda.lines(bundle, "秘密\x00".encode() + b"\n")

    assert lines == ["refused\ttext holds a NUL character; remove it"]


def test_json_lines_hold_one_object_a_line_whatever_the_message_holds(yingda: Yingda, bundle: str) -> None:
    lines, _ = yingda.lines(bundle, "发\u2028货\u0085了\n".encode(), "--json")

    assert len(records(lines)) == 1


@pytest.mark.parametrize("data", ["发\r\n消\r\n", "发\n消", "发\n消\n"])
def test_line_ends_of_every_system_are_understood(yingda: Yingda, bundle: str, data: str) -> None:
    lines, _ = yingda.lines(bundle, data.encode())

    assert [line.split("\t")[0] for line in lines] == ["answered", "answered"]


def test_empty_input_answers_nothing(yingda: Yingda, bundle: str) -> None:
    lines, error = yingda.lines(bundle, b"")

    assert lines == []
    assert "0 answered, 0 refused" in error


def test_verify_tells_version_files_and_digest(yingda: Yingda, tmp_path: Path) -> None:
    out, _ = yingda("bundle", "verify", str(write_fake_bundle(tmp_path / "b")))

    assert "version 1.0, 9 files, 0.0 MB, all as in the manifest" in out
    assert "sha256 " in out


def test_an_altered_bundle_is_one_line_and_exit_code_2(yingda: Yingda, tmp_path: Path) -> None:
    root = write_fake_bundle(tmp_path / "b")
    (root / "labels.json").write_text("altered", "utf-8")

    assert "labels.json" in yingda.fails("bundle", "verify", str(root))


def test_a_missing_bundle_is_one_line_and_exit_code_2(yingda: Yingda, tmp_path: Path) -> None:
    told = yingda.fails("ask", "你好", "--bundle", str(tmp_path / "none"))

    assert told == (
        f"yingda: {tmp_path / 'none'}: there is no bundle folder here; "
        "restore the bundle from the repository or rebuild it with `dvc repro`"
    )


def run_module(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yingda", *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = run_module("ask", "你好", "--bundle", str(tmp_path / "none"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    root = write_fake_bundle(tmp_path / "b")
    reader, writer = os.pipe()
    os.close(reader)

    try:
        done = run_module("bundle", "verify", str(root), stdout=writer)
    finally:
        os.close(writer)

    assert done.returncode == 0
    assert done.stderr == ""
