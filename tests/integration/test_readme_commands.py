"""The README's commands, run as a newcomer would run them, on the shipped bundle."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MESSAGES = "快递三天没动了\n\n转人工\n"


def commands(program: str) -> list[str]:
    """Lines of the README's shell blocks that start with ``program``."""
    blocks = (ROOT / "README.md").read_text("utf-8").split("```bash\n")[1:]
    lines = [line for block in blocks for line in block.split("```")[0].splitlines()]
    return [line for line in lines if line.startswith(program + " ")]


def environment(**changes: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}
    return clean | changes


def run(arguments: list[str], *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment(), input=stdin, capture_output=True, text=True, check=False
    )


def test_the_readme_shows_the_commands_this_file_runs() -> None:
    assert len(commands("yingda")) == 3
    assert len(commands("curl")) == 1


@pytest.mark.parametrize("line", commands("yingda"))
def test_a_yingda_command_succeeds(line: str) -> None:
    typed, _, source = line.partition(" < ")
    done = run(shlex.split(typed), stdin=MESSAGES if source else "")
    assert done.returncode == 0, done.stderr
    if source:
        answered, refused, handed_over = (json.loads(text) for text in done.stdout.splitlines())
        assert answered["outcome"] == "answered"
        assert refused["error"]["code"] == "text_blank"
        assert handed_over["outcome"] == "handoff"
        assert "2 answered, 1 refused" in done.stderr


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a running ``python -m serving``, which must end well when asked to stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "serving"],
        cwd=ROOT,
        env=environment(YINGDA_PORT=str(free)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield free
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=30) == 0


def test_the_service_shows_the_readmes_call_and_its_reply(port: int) -> None:
    done = run(["serving.first_answer", "--port", str(port)])
    assert done.returncode == 0, done.stderr
    call, reply = done.stdout.strip().split("\n\n", 1)
    assert call == commands("curl")[0].replace(":8000", f":{port}")
    assert json.loads(reply)["outcome"] == "answered"
