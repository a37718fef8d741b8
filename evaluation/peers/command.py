"""The command: read, let every peer learn and answer, write the table."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from evaluation.bench.serving.machine import read_machine
from evaluation.command import Opener
from evaluation.errors import EvaluationError
from evaluation.material import Suite, gather
from evaluation.peers.engine import EnginePeer
from evaluation.peers.frozen_encoder import EncoderPeer, base_name
from evaluation.peers.keywords import KeywordPeer
from evaluation.peers.lessons import gather_lessons
from evaluation.peers.linear_svm import SvmPeer
from evaluation.peers.peer import Lessons, Peer, wordings
from evaluation.peers.process import ProcessPeer
from evaluation.peers.results import State, Store
from evaluation.peers.run import Run, steps
from evaluation.peers.scores import rows_of
from evaluation.peers.search import entry_search, message_search
from evaluation.peers.table import Comparison, to_json, to_markdown
from evaluation.peers.timing import Plan
from evaluation.provenance import read_environment
from evaluation.report import write_whole
from yingda.bundle import file_digest
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import OUT_OF_SCOPE
from yingda.pack import read_pack

_DONE, _PEER_FAILED, _COULD_NOT_RUN, _INTERRUPTED = 0, 1, 2, 130
_WORKERS = "evaluation.peers.workers"
_SETFIT_MESSAGES, _SETFIT_ITERATIONS, _RASA_EPOCHS = 8, 5, 100
_ROOT = Path(__file__).parents[2]
_SOURCES = ("yingda", "evaluation/peers", "evaluation/suites")


def run(argv: Sequence[str], *, opener: Opener) -> int:
    """Exit code: 0 all measured or skipped, 1 a peer failed, 2 could not run, 130 interrupted."""
    args = _parse(argv)
    try:
        peers = choose(make_peers(args, opener), args.only)
        pack = read_pack(args.pack)
        suites = gather(args.pack, pack, args.extra)
        found = compare(peers, gather_lessons(pack, seed=args.seed), suites, plan=_plan(args), out=args.out)
        write_whole(args.out, {"peers.json": to_json(found), "peers.md": to_markdown(found)})
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to go on, what was measured is kept\n")
        return _INTERRUPTED
    sys.stdout.write(to_markdown(found))
    return _PEER_FAILED if any(result.state is State.FAILED for result in found.results) else _DONE


def compare(peers: Sequence[Peer], lessons: Lessons, suites: Sequence[Suite], *, plan: Plan, out: Path) -> Comparison:
    """All ``peers`` measured on ``suites``; what is measured on the way is kept below ``out``."""
    files = {file.name: file.sha256 for suite in suites for file in suite.files}
    # a progress bar that refreshes itself is a thread whose CPU time the peers would be charged with
    with Progress(console=Console(stderr=True), auto_refresh=False) as progress:
        task = progress.add_task("peers", total=steps(peers, suites, plan))

        def tick() -> None:
            progress.advance(task)
            progress.refresh()

        def say(what: str) -> None:
            progress.update(task, description=what, refresh=True)

        results = Run(Store(out, lessons, files, code_digest()), suites, plan, say=say, tick=tick).measure(peers)
    return Comparison(
        results=tuple(results),
        pack_digest=lessons.knowledge.digest,
        lessons_digest=lessons.digest,
        rows=len(lessons.rows),
        files=files,
        asked={suite.name: len(rows_of([suite])) for suite in suites},
        machine=read_machine(),
        plan=plan,
        environment=read_environment(),
    )


def code_digest() -> str:
    """SHA-256 over the sources of the engine, the metrics and the peers: another program may answer or count otherwise."""
    digest = sha256()
    for path in sorted(path for part in _SOURCES for path in (_ROOT / part).rglob("*.py")):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + file_digest(path).encode())
    return digest.hexdigest()


def make_peers(args: argparse.Namespace, opener: Opener) -> list[Peer]:
    """Every peer there is, Yingda first."""
    return [
        EnginePeer(opener, bundle=args.bundle, pack=args.pack),
        KeywordPeer(),
        entry_search(),
        message_search(),
        SvmPeer(),
        EncoderPeer(args.base),
        _setfit(args),
        _rasa(args),
        _chatterbot(args),
    ]


def choose(peers: Sequence[Peer], only: Sequence[str]) -> list[Peer]:
    """The peers named, in their usual order, or all; raises EvaluationError for a name that no peer has."""
    known = [peer.name for peer in peers]
    for name in only:
        if name not in known:
            raise EvaluationError(f"unknown peer '{name}'; use one or more of: {', '.join(known)}")
    return [peer for peer in peers if not only or peer.name in only]


def _setfit(args: argparse.Namespace) -> Peer:
    less = _cut_down({"messages": (args.setfit_messages, _SETFIT_MESSAGES), "pairs": (args.setfit_iterations, _SETFIT_ITERATIONS)})
    told = f"{args.setfit_messages} messages a class, {args.setfit_iterations} pairs of each kind each, one epoch"
    return ProcessPeer(
        "setfit",
        f"{told}{less}; {base_name(args.base)}",
        module=f"{_WORKERS}.setfit_worker",
        python=_python(args.setfit_python),
        remedy="name a Python that has setfit with --setfit-python (docs/peers.md)",
        settings={"base": str(args.base.resolve()), "messages": args.setfit_messages, "iterations": args.setfit_iterations},
        takes=partial(_sampled, most=args.setfit_messages),
    )


def _messages(number: int | None) -> str:
    return "all messages" if number is None else f"{number} messages a class"


def _rasa(args: argparse.Namespace) -> Peer:
    less = _cut_down({"epochs": (args.rasa_epochs, _RASA_EPOCHS), "messages": (args.rasa_messages, None)})
    return ProcessPeer(
        "rasa",
        f"jieba, character n-grams, DIET and response selector, {args.rasa_epochs} epochs, {_messages(args.rasa_messages)}{less}",
        module=f"{_WORKERS}.rasa_worker",
        python=_python(args.rasa_python),
        remedy="name a Python 3.10 that has rasa 3.6 with --rasa-python (docs/peers.md)",
        settings={"epochs": args.rasa_epochs, "messages": args.rasa_messages},
        takes=partial(_sampled, most=args.rasa_messages),
    )


def _chatterbot(args: argparse.Namespace) -> Peer:
    return ProcessPeer(
        "chatterbot",
        "entries' wordings alone, best match by edit distance, SQLite",
        module=f"{_WORKERS}.chatterbot_worker",
        python=_python(args.chatterbot_python),
        remedy="name a Python that has chatterbot with --chatterbot-python (docs/peers.md)",
        settings={"otherwise": OUT_OF_SCOPE},
        takes=wordings,
    )


def _sampled(lessons: Lessons, *, most: int | None) -> int:
    """Rows that are left with at most ``most`` of each class: an entry, or an intent where there is none."""
    classes = Counter((row.intent, row.entry) for row in lessons.rows)
    return sum(rows if most is None else min(rows, most) for rows in classes.values())


def _cut_down(settings: Mapping[str, tuple[int | None, int | None]]) -> str:
    """``; cut down from 100 epochs`` where a setting lies below its default, None being all there is."""
    less = [
        f"{'all' if default is None else default} {name}"
        for name, (value, default) in settings.items()
        if value is not None and (default is None or value < default)
    ]
    return f"; cut down from {' and '.join(less)}" if less else ""


def _python(given: str | None) -> Path | None:
    """The interpreter as an absolute path, for workers run in folders of their own; links stay, a virtual environment is one."""
    return None if given is None else Path(shutil.which(given) or given).absolute()


def _plan(args: argparse.Namespace) -> Plan:
    return Plan(messages=args.messages, passes=args.passes, seed=args.seed)


def _refuse(reason: str) -> int:
    sys.stderr.write(f"peers could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation.peers", description=__doc__)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack to learn from and to examine with")
    parser.add_argument("--bundle", type=Path, default=Path("models/current"), help="the bundle that Yingda answers with")
    parser.add_argument("--base", type=Path, default=Path("models/base"), help="folder of the base encoder, for encoder and setfit")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="these peers alone")
    parser.add_argument("--extra", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="more rows to examine with")
    parser.add_argument("--out", type=Path, default=Path("reports/peers"), help="folder for peers.md, peers.json and what is kept")
    parser.add_argument("--setfit-python", metavar="PATH", help="a Python with setfit")
    parser.add_argument("--rasa-python", metavar="PATH", help="a Python 3.10 with rasa 3.6")
    parser.add_argument("--chatterbot-python", metavar="PATH", help="a Python with chatterbot")
    parser.add_argument(
        "--setfit-messages", type=_positive, default=_SETFIT_MESSAGES, metavar="N", help="messages a class that SetFit learns from"
    )
    parser.add_argument("--setfit-iterations", type=_positive, default=_SETFIT_ITERATIONS, metavar="N", help="pairs of each kind a message")
    parser.add_argument("--rasa-messages", type=_positive, metavar="N", help="messages a class that Rasa learns from; default: all")
    parser.add_argument("--rasa-epochs", type=_positive, default=_RASA_EPOCHS, metavar="N", help="epochs that Rasa trains")
    parser.add_argument("--messages", type=_positive, default=200, metavar="N", help="messages that are timed")
    parser.add_argument("--passes", type=_positive, default=5, metavar="N", help="passes over them")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
