"""Time of a large replay: ``python -m evaluation.bench.replay --messages 100000``.

Makes a store of that many messages, decided by the engine itself in conversations of one to six messages, or takes the one that
``--store`` names; then runs ``yingda replay --with CHANGE`` over all of it, as a process of its own, and tells its time and
memory. Texts are those of the pack, with openings of letters in front where the pack has too few; ``--distinct`` of the messages
are different texts and the rest repeat them as a Zipf law has it. ``--changes``: one rule that hands an intent over; a file of
entries, one with another answer and one with a further wording; another bundle, with which every text is encoded twice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from evaluation.bench.rules import document_of, machine_of
from yingda.assemble import Opened, open_parts, prepare_store
from yingda.decide.rules import known_names
from yingda.dialogue import Dialogue, Request, turn_record
from yingda.domain.decision import Answer
from yingda.domain.errors import YingdaError
from yingda.domain.message import Message
from yingda.live import knowledge_of, open_knowledge, seed_from, seeder_of
from yingda.pack.exchange import Form, write_form
from yingda.pack.exchange.entries import payload_of
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory

CHANGES = ("rules", "faq", "bundle")

TARGET_S, TARGET_MESSAGES = 600, 100_000
"""The time allowed for that many messages on two cores."""

BEGIN = datetime(2026, 1, 5, 1, tzinfo=UTC)
_OPENINGS = ("", "你好，", "亲，", "请问", "在吗，", "麻烦问一下，", "老板，", "Hi，")
_SIDE_BY_SIDE = 256
_READINGS = 100_000


@dataclass(frozen=True)
class Measured:
    """Figures of one replay of a kind of ``change``; ``cpu_ms`` is processor time of a message, of all processes together."""

    change: str
    messages: int
    distinct: float
    workers: str
    seconds: float
    cpu_ms: float
    peak_mib: float
    changed: int
    code: int


# ---- a store ----


def draw_texts(pool: Sequence[str], number: int, distinct: float, random: Random) -> list[str]:
    """``number`` texts, about ``distinct`` of them different: each once, and the rest again, by rank."""
    wanted = max(1, round(number * distinct))
    different = [opening + text for opening in _OPENINGS for text in pool][:wanted]
    random.shuffle(different)
    again = random.choices(different, [1 / (rank + 1) for rank in range(len(different))], k=number - len(different))
    texts = [*different, *again]
    random.shuffle(texts)
    return texts


def fill(url: str, parts: Opened, texts: Sequence[str], random: Random) -> None:
    """Have conversations of one to six of ``texts`` each in the store at ``url``, a few hundred side by side, by what it publishes."""
    prepare_store(url)
    with closing(open_store(url)) as store:
        records = open_knowledge(store, parts.knowledge, embed=parts.embed, clock=lambda: BEGIN - timedelta(days=1))
        seed_from(records, parts.knowledge, seeder_of(parts.knowledge))
        engine = parts.engine(knowledge_of(parts.knowledge, records.snapshot(BEGIN)))
        numbers = count(1)
        dialogue = Dialogue(SqlMemory(store), render=_record, record=turn_record, new_id=lambda: f"{next(numbers):026d}")
        at, names = BEGIN, count(1)
        for group in _groups(texts, random):
            name = {place: f"c{next(names)}" for place in range(len(group))}
            for wave in range(max(map(len, group))):
                asked = [(place, talk[wave]) for place, talk in enumerate(group) if len(talk) > wave]
                at += timedelta(minutes=1)
                dialogue.take(engine, [Request(Message(text, conversation_id=name[place], at=at)) for place, text in asked])


def _groups(texts: Sequence[str], random: Random) -> Iterator[list[list[str]]]:
    """Conversations, as many at a time as are had side by side."""
    left, group = list(texts), []
    while left:
        group.append([left.pop() for _ in range(min(len(left), random.choice((1, 1, 2, 3, 4, 6))))])
        if len(group) == _SIDE_BY_SIDE or not left:
            yield group
            group = []


def _record(_engine: Any, answer: Answer, turn_id: str) -> Mapping[str, Any]:
    """An answer as the service stores it, as far as a replay reads it."""
    about, handoff = answer.classification, answer.handoff
    return {
        "answer_id": turn_id,
        "outcome": str(answer.outcome),
        "reply": {"text": answer.reply.text},
        "faq": {"id": answer.faq.id} if answer.faq else None,
        "candidates": [{"id": each.id, "confidence": each.confidence, "similarity": each.similarity} for each in answer.candidates],
        "classification": {
            "language": {"code": about.language.code, "confidence": about.language.confidence},
            "intent": {"code": about.intent.code, "confidence": about.intent.confidence},
            "sentiment": {"label": str(about.sentiment.label), "confidence": about.sentiment.confidence},
        },
        "missing": list(answer.missing),
        "handoff": {
            "required": handoff.required,
            "reasons": [str(reason) for reason in handoff.reasons],
            "skill": handoff.skill,
            "priority": str(handoff.priority),
        },
        "second_response": answer.second_response,
        "explanation": [step.told() for step in answer.explanation],
    }


# ---- measuring ----


def measure(url: str, bundle: Path, change: Path, *, workers: int | None, out: Path) -> tuple[dict[str, Any], float, float, float, int]:
    """What a replay by ``yingda replay`` found, with its seconds, processor seconds, MiB of its largest process, and exit code."""
    command = [sys.executable, "-m", "yingda", "replay", "--store", url, "--bundle", str(bundle), "--with", str(change), "--json", str(out)]
    command += ["--workers", str(workers)] if workers else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}
    start = perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)  # of this process and those it waited for
        process.returncode = code = os.waitstatus_to_exitcode(status)
    seconds = perf_counter() - start
    if code not in (0, 1):
        raise SystemExit(code)
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))["change"]
    return found, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code


def report(runs: Sequence[Measured], machine: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "# Replay",
        "",
        f"`python -m evaluation.bench.replay --messages {runs[0].messages} --changes {' '.join(run.change for run in runs)}`; "
        f"{machine['processor']}, cores used: {machine['cores_used']}; {versions}.",
        f"Stored messages through today's configuration and a changed one, `--workers {runs[0].workers}`.",
        "",
        "| change | messages | distinct texts | seconds | CPU ms a message | largest process, MiB | decided otherwise |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {run.change} | {run.messages:,} | {100 * run.distinct:.0f} % | {run.seconds:,.0f} | {run.cpu_ms:.2f} | {run.peak_mib:,.0f} "
            f"| {run.changed:,} |"
            for run in runs
        ),
    ]
    if all(run.messages >= TARGET_MESSAGES for run in runs):
        late = [run.change for run in runs if run.seconds > TARGET_S * run.messages / TARGET_MESSAGES]
        verdict = f"missed with {', '.join(late)}" if late else "kept"
        lines += ["", f"Target: {TARGET_MESSAGES:,} messages in {TARGET_S} s on 2 cores; {verdict}."]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Make a store where none is named, replay it, and write ``replay.json`` and ``replay.md``; 2 where something cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.replay", description=__doc__)
    parser.add_argument("--messages", type=int, default=TARGET_MESSAGES)
    parser.add_argument("--distinct", type=float, default=0.4, help="share of the messages that are different texts")
    parser.add_argument("--workers", type=int, help="as for `yingda replay`")
    parser.add_argument("--store", type=Path, help="SQLite file of the messages: made where it is not there, and kept")
    parser.add_argument("--bundle", type=Path, default=Path("models/current"))
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=["rules"], help="what is changed, one replay each")
    parser.add_argument("--other", type=Path, help="the bundle that is changed to; needed by the change `bundle`")
    parser.add_argument(
        "--texts", type=Path, default=Path("data/packs/retail/utterances"), help="folder whose train-*.jsonl are drawn from"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    args = parser.parse_args(argv)
    if "bundle" in args.changes and args.other is None:
        parser.error("name the bundle that is changed to with --other")
    try:
        parts = open_parts(args.bundle, cache_size=_READINGS)
    except YingdaError as error:
        parser.exit(2, f"{error}\n")
    runs: list[Measured] = []
    args.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        file, machine = args.store or Path(folder) / "store.db", machine_of()
        if not file.exists():
            random, pool = Random(7), _pool(args.texts)
            if not pool:
                parser.exit(2, f"{args.texts}: holds no train-*.jsonl; name a folder of utterances with --texts\n")
            fill(f"sqlite:///{file}", parts, draw_texts(pool, args.messages, args.distinct, random), random)
        for name in args.changes:
            change = _change(name, parts, Path(folder), args.other)
            out = Path(folder) / "difference.json"
            found, seconds, spent, peak, code = measure(f"sqlite:///{file}", args.bundle, change, workers=args.workers, out=out)
            turns, workers = found["turns"], str(args.workers or "as many as cores")
            cpu_ms, changed = round(1000 * spent / turns, 3), found["changed"]
            runs.append(Measured(name, turns, args.distinct, workers, round(seconds, 1), cpu_ms, round(peak), changed, code))
            figures = {"machine": machine, "runs": [asdict(run) for run in runs]}
            (args.out / "replay.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
            (args.out / "replay.md").write_text(report(runs, machine), "utf-8")
    sys.stdout.write(report(runs, machine))
    return 0


def _pool(folder: Path) -> list[str]:
    lines = (line for path in sorted(folder.glob("train-*.jsonl")) for line in path.read_text("utf-8").splitlines() if line.strip())
    return list(dict.fromkeys(json.loads(line)["text"] for line in lines))


def _change(name: str, parts: Opened, folder: Path, other: Path) -> Path:
    """The file or folder of a kind of change."""
    if name == "bundle":
        return other
    rules, entries = folder / "rules.json", folder / "faq.csv"
    if name == "rules":
        rules.write_text(_rule(parts), "utf-8")
        return rules
    first, second = (dict(payload_of(entry)) for entry in list(parts.knowledge.faq.values())[:2])
    first["answer"] = {**first["answer"], "zh": "这个问题我们换了一个新的答复。"}
    second["similar"] = {**second["similar"], "zh": [*second["similar"].get("zh", ()), "这是一个新的问法"]}
    entries.write_bytes(write_form([first, second], Form.CSV))
    return entries


def _rule(parts: Opened) -> str:
    """One rule that hands the commonest entry's intent over."""
    intent = next(iter(parts.knowledge.faq.values())).intent
    row = {"_id": "hand-over", "intent": f"'{intent}'", "action": "'handoff'", "priority": "'high'"}
    return document_of([row], known_names(parts.knowledge, skills=parts.knowledge.handoff.skills))


if __name__ == "__main__":
    raise SystemExit(main())
