"""Stages of a run: what makes one run again, what it leaves behind, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from training.run_lock import hold
from training.stage_runner import Runner, StageError, message_of
from training.stages import Digests, Stage, Stamps, spell, time_left
from yingda.domain.errors import MaterialError

ROOT = Path(__file__).parents[2]
COPY = """
import sys, pathlib
source, target, count = map(pathlib.Path, sys.argv[1:])
{first}
target.write_text(source.read_text() + '+')
count.open('a').write('x')
"""
DRIVER = """
import signal, sys
from pathlib import Path
from tests.unit.test_retrain_stages import run_all, two_stages
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run_all(Path(sys.argv[1]), two_stages(Path(sys.argv[1]), first=sys.argv[2]))
except KeyboardInterrupt:
    sys.exit(130)
"""


def copy_stage(name: str, source: Path, target: Path, *, first: str = "") -> Stage:
    """Writes the text of ``source`` and a plus sign; counts its runs; does ``first`` before."""
    count = target.with_name(f"{name}.count")
    return Stage(name, ("-c", COPY.format(first=first), str(source), str(target), str(count)), (source,), (target,))


def two_stages(folder: Path, *, first: str = "") -> list[Stage]:
    """``in`` to ``middle`` to ``out``; the second stage does ``first`` before its work."""
    return [copy_stage("one", folder / "in", folder / "middle"), copy_stage("two", folder / "middle", folder / "out", first=first)]


def run_all(folder: Path, stages: Sequence[Stage]) -> str:
    """What the run says."""
    said = StringIO()
    with hold(folder / "run") as lock:
        Runner(folder / "run", lock, {}, Console(file=said, width=200)).run_all(stages)
    return said.getvalue()


def runs(folder: Path, name: str) -> int:
    path = folder / f"{name}.count"
    return len(path.read_text("utf-8")) if path.exists() else 0


def driver(folder: Path, *, first: str) -> subprocess.CompletedProcess[str]:
    """The two stages in a process of their own; the second does ``first`` before its work."""
    command = [sys.executable, "-c", DRIVER, str(folder), first]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").write_text("a", "utf-8")
    return tmp_path


def test_stages_run_in_order_and_say_so(folder: Path) -> None:
    said = run_all(folder, two_stages(folder))

    assert (folder / "out").read_text("utf-8") == "a++"
    assert [line.split(" ")[1] for line in said.splitlines()] == ["one", "one:", "two", "two:"]
    assert "[1/2] one" in said and "[2/2] two: done in" in said


def test_a_second_run_says_how_long_the_rest_will_take(folder: Path) -> None:
    assert "left" not in run_all(folder, two_stages(folder))
    (folder / "in").write_text("b", "utf-8")

    first, second = (line for line in run_all(folder, two_stages(folder)).splitlines() if "done" in line)
    assert "; about" in first and first.endswith("s left")
    assert "left" not in second


def test_nothing_runs_twice(folder: Path) -> None:
    run_all(folder, two_stages(folder))
    said = run_all(folder, two_stages(folder))

    assert said.splitlines() == ["[1/2] one: nothing changed", "[2/2] two: nothing changed"]
    assert (runs(folder, "one"), runs(folder, "two")) == (1, 1)


def test_a_changed_input_runs_from_there_on(folder: Path) -> None:
    run_all(folder, two_stages(folder))
    (folder / "middle").write_text("b", "utf-8")
    run_all(folder, two_stages(folder))

    assert (runs(folder, "one"), runs(folder, "two")) == (1, 2)
    assert (folder / "out").read_text("utf-8") == "b+"


def test_a_changed_source_runs_everything(folder: Path) -> None:
    run_all(folder, two_stages(folder))
    (folder / "in").write_text("c", "utf-8")
    run_all(folder, two_stages(folder))

    assert (folder / "out").read_text("utf-8") == "c++"


def test_a_stage_that_makes_the_same_again_stops_the_change_there(folder: Path) -> None:
    stages = two_stages(folder)
    run_all(folder, stages)
    run_all(folder, [replace(stages[0], params={"seed": 2}), stages[1]])

    assert (runs(folder, "one"), runs(folder, "two")) == (2, 1)


@pytest.mark.parametrize("change", [{"params": {"seed": 2}}, {"command": ("-c", "open('{}', 'w').write('z')")}])
def test_another_command_or_parameter_runs_the_stage_again(folder: Path, change: dict[str, object]) -> None:
    stage = two_stages(folder)[0]
    stamps = Stamps(folder / "run", Digests())

    assert stamps.key(stage) != stamps.key(replace(stage, **change))  # type: ignore[arg-type]


def test_a_lost_output_is_made_again(folder: Path) -> None:
    run_all(folder, two_stages(folder))
    (folder / "out").unlink()
    run_all(folder, two_stages(folder))

    assert (runs(folder, "one"), runs(folder, "two")) == (1, 2)


def test_a_stamp_that_cannot_be_read_proves_nothing(folder: Path) -> None:
    run_all(folder, two_stages(folder))
    (folder / "run" / "stamps" / "two.json").write_text("{", "utf-8")
    run_all(folder, two_stages(folder))

    assert runs(folder, "two") == 2


def test_old_outputs_are_gone_before_a_stage_starts_again(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "stale").touch()
    with pytest.raises(StageError):
        run_all(folder, two_stages(folder, first="assert not target.exists(); sys.exit('after the check')"))

    assert not (folder / "out").exists()


def test_a_stage_that_resumes_finds_what_it_left(folder: Path) -> None:
    (folder / "middle").write_text("checkpoint", "utf-8")
    stage = replace(two_stages(folder, first="assert target.read_text() == 'half'")[1], resumes=True)
    (folder / "out").write_text("half", "utf-8")
    run_all(folder, [stage])

    assert (folder / "out").read_text("utf-8") == "checkpoint+"


def test_a_failing_stage_shows_its_own_message_and_its_code(folder: Path) -> None:
    with pytest.raises(StageError) as caught:
        run_all(folder, two_stages(folder, first="print('the data is empty; add some', file=sys.stderr); sys.exit(7)"))

    assert caught.value.code == 7
    assert "stage two failed: the data is empty; add some" in str(caught.value)
    assert (runs(folder, "one"), runs(folder, "two")) == (1, 0)


@pytest.mark.parametrize("first", ["raise ValueError('no such thing')", "sys.exit(1)"])
def test_no_failure_has_the_code_that_means_keep(folder: Path, first: str) -> None:
    with pytest.raises(StageError) as caught:
        run_all(folder, two_stages(folder, first=first))

    assert caught.value.code == 2


def test_a_stage_that_writes_nothing_has_failed(folder: Path) -> None:
    with pytest.raises(StageError) as caught:
        run_all(folder, two_stages(folder, first="sys.exit(0)"))

    assert caught.value.code == 2


def test_a_verdict_is_no_failure(folder: Path) -> None:
    stage = replace(two_stages(folder)[0], accepted=frozenset({0, 1}))
    stage = replace(stage, command=(*stage.command[:1], stage.command[1] + "sys.exit(1)", *stage.command[2:]))

    assert "done" in run_all(folder, [stage])


def test_a_traceback_is_shown_as_what_the_error_says() -> None:
    shown = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    f()\n'

    assert message_of(f"rows: 3\n{shown}yingda.domain.errors.MaterialError: data is missing; run it\n") == "data is missing; run it"
    assert message_of(f"{shown}\nDuring handling:\n\n{shown}KeyError: 'x'\n") == "KeyError: 'x'"
    assert message_of(f"{shown}yingda.domain.errors.PackError: 2 mistakes:\na.yaml:1: no\nb.yaml:2: no\n").count("\n") == 2


def test_a_missing_input_names_the_file(folder: Path) -> None:
    (folder / "in").unlink()
    with pytest.raises(MaterialError, match="in: there is no such file or folder"):
        run_all(folder, two_stages(folder))


def test_a_donor_is_copied_instead_of_working(folder: Path) -> None:
    (folder / "donor").mkdir()
    (folder / "donor" / "weights").write_text("w", "utf-8")
    stage = Stage("base", ("-c", "raise SystemExit(9)"), (folder / "in",), (folder / "base",), donor=folder / "donor")

    assert "taken over" in run_all(folder, [stage])
    assert (folder / "base" / "weights").read_text("utf-8") == "w"
    assert "nothing changed" in run_all(folder, [replace(stage, donor=None)])


def test_a_killed_driver_goes_on_where_it_was(folder: Path) -> None:
    """The second stage kills its driver with signal 9 and works on as an orphan, until the next run ends it."""
    orphan = "import os, signal; target.with_name('pid').write_text(str(os.getpid())); os.kill(os.getppid(), 9); signal.pause()"
    killed = driver(folder, first=orphan)
    assert killed.returncode == -9

    said = run_all(folder, two_stages(folder))

    assert "one: nothing changed" in said
    assert (folder / "out").read_text("utf-8") == "a++"
    assert (runs(folder, "one"), runs(folder, "two")) == (1, 1)
    with pytest.raises(ProcessLookupError):
        ended(int((folder / "pid").read_text("utf-8")))


def ended(pid: int) -> None:
    """Raises ProcessLookupError when nothing but a record of ``pid`` is left."""
    state = Path(f"/proc/{pid}/stat")
    if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
        raise ProcessLookupError


def test_an_interrupt_ends_the_stage_and_keeps_what_is_finished(folder: Path) -> None:
    begun = "import os, signal; target.with_name('pid').write_text(str(os.getpid())); os.kill(os.getppid(), signal.SIGINT); signal.pause()"
    interrupted = driver(folder, first=begun)

    assert interrupted.returncode == 130
    assert "Traceback" not in interrupted.stderr
    with pytest.raises(ProcessLookupError):
        ended(int((folder / "pid").read_text("utf-8")))
    assert "one: nothing changed" in run_all(folder, two_stages(folder))


def test_two_runs_in_one_folder_are_refused(folder: Path) -> None:
    with hold(folder / "run"), pytest.raises(MaterialError, match=r"another retraining \(process \d+\) works here"):
        run_all(folder, two_stages(folder))


def test_the_lock_of_a_dead_process_is_taken_over(folder: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    (folder / "run").mkdir()
    (folder / "run" / "lock").write_text(json.dumps({"pid": int(gone.stdout), "stage": None}), "utf-8")

    assert "done" in run_all(folder, two_stages(folder))


_HOLDS_ON = """
import fcntl, os, signal, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()
"""


def test_a_killed_driver_that_nobody_has_reaped_does_not_live(folder: Path) -> None:
    (folder / "run").mkdir()
    lock = folder / "run" / "lock"
    lock.touch()
    with (
        subprocess.Popen([sys.executable, "-c", "pass"]) as driver_killed,
        subprocess.Popen(
            [sys.executable, "-c", _HOLDS_ON, str(lock)], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as stage_left,
    ):
        os.waitid(os.P_PID, driver_killed.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie from here on
        assert stage_left.stdout and stage_left.stdout.readline() == "held\n"
        lock.write_text(json.dumps({"pid": driver_killed.pid, "stage": stage_left.pid}), "utf-8")

        assert "done" in run_all(folder, two_stages(folder))

    assert stage_left.returncode == -signal.SIGTERM


def test_the_time_left_comes_from_the_run_before(folder: Path) -> None:
    run_all(folder, two_stages(folder))

    assert set(Stamps(folder / "run", Digests()).times()) == {"one", "two"}
    assert time_left(["a", "b"], {"a": 100.0, "b": 500.0}, spent=40) == "about 9 min left"
    assert time_left(["a", "b"], {"a": 100.0}, spent=40) == "at least 60 s left"
    assert time_left(["a", "b"], {}, spent=40) == "time left is known from the second run on"


@pytest.mark.parametrize(("seconds", "said"), [(5.4, "5 s"), (89, "89 s"), (700, "12 min"), (3900, "1 h 05 min")])
def test_durations_are_spelt_for_people(seconds: float, said: str) -> None:
    assert spell(seconds) == said


def test_a_folder_is_what_its_files_are(tmp_path: Path) -> None:
    (tmp_path / "d" / "__pycache__").mkdir(parents=True)
    (tmp_path / "d" / "a").write_text("1", "utf-8")
    before = Digests().of(tmp_path / "d")
    (tmp_path / "d" / "__pycache__" / "a.pyc").touch()

    assert Digests().of(tmp_path / "d") == before
    (tmp_path / "d" / "a").rename(tmp_path / "d" / "b")
    assert Digests().of(tmp_path / "d") != before
