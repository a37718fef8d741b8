"""The commands: the comparison, and the soak."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from evaluation.bench.serving import processes
from evaluation.bench.serving.alone import alone_round
from evaluation.bench.serving.bench import Bench, Result
from evaluation.bench.serving.environments import Installed, Venv
from evaluation.bench.serving.kept import Kept
from evaluation.bench.serving.load import Generator
from evaluation.bench.serving.machine import read_machine
from evaluation.bench.serving.page import to_markdown
from evaluation.bench.serving.roster import YINGDA, Weights, make_servers, yingda
from evaluation.bench.serving.rounds import QUICK, Ground, Plan
from evaluation.bench.serving.server import Running, Server, start
from evaluation.bench.serving.soak import soak, soak_to_markdown
from evaluation.bench.serving.summary import summarise
from evaluation.bench.serving.traffic import Fresh, read_texts
from evaluation.errors import EvaluationError
from evaluation.provenance import read_environment
from evaluation.report import write_whole
from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.errors import YingdaError
from yingda.pack import read_knowledge

_DONE, _PEER_FAILED, _COULD_NOT_RUN, _INTERRUPTED = 0, 1, 2, 130
_GENERATOR = Venv("k9", ("k9-load==0.1.0",))


def run(argv: Sequence[str]) -> int:
    """Exit code: 0 all measured or skipped, 1 a peer failed or the soak missed its target, 2 could not run, 130 interrupted."""
    args = _parse(argv)
    try:
        return _soak(args) if args.command == "soak" else _compare(args)
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to go on, what was measured is kept\n")
        return _INTERRUPTED


def _compare(args: argparse.Namespace) -> int:
    plan = _plan(args)
    weights = _weights(args)
    servers = choose(make_servers(weights, rasa_python=args.rasa_python), args.only)
    ground, server_cores = _ground(args, plan)
    environment = read_environment()
    basis = {"plan": asdict(plan), "commit": environment.commit, "bundle": _sha256(weights.bundle), "seed": args.seed}
    work: Path = args.work

    def prepare(server: Server) -> Installed:
        installed = server.venv.prepare(work)
        server.prepare(work)
        return installed

    def launch(server: Server) -> Running:
        return start(server, work, server_cores, log=work / "logs" / f"{server.name}.log")

    def alone(ours: Running) -> dict[str, Any]:
        return alone_round(ground, ours, cores=server_cores, work=work, bundle=weights.bundle)

    bench = Bench(servers, ground, Kept(work / "kept", basis), prepare, launch, alone, _say)
    results = bench.run()
    found = summarise(results, plan)
    tree = {**found, "run": {**asdict(environment), "machine": read_machine(), "plan": asdict(plan), "quick": args.quick}}
    files = {"serving.json": json.dumps(tree, ensure_ascii=False, indent=1, default=dict) + "\n", **_drawn(tree)}
    write_whole(args.out, {**files, "serving.md": to_markdown(tree, pictures=sorted(set(files) - {"serving.json"}))})
    sys.stdout.write((args.out / "serving.md").read_text(encoding="utf-8"))
    return _PEER_FAILED if any(_failed(result) for result in results) else _DONE


def _soak(args: argparse.Namespace) -> int:
    weights = _weights(args)
    ground, server_cores = _ground(args, _plan(args))
    server = yingda(weights)
    server.venv.prepare(args.work)
    found = soak(server, ground, minutes=args.minutes, work=args.work, cores=server_cores, say=_say)
    tree = {**found, "run": {**asdict(read_environment()), "machine": read_machine()}}
    page = soak_to_markdown(tree)
    write_whole(args.out, {"soak.json": json.dumps(tree, ensure_ascii=False, indent=1, default=dict) + "\n", "soak.md": page})
    sys.stdout.write(page)
    return _DONE if found["met"] else _PEER_FAILED


def choose(servers: Sequence[Server], only: Sequence[str]) -> list[Server]:
    """The servers named, in their usual order and always after Yingda, or all; raises EvaluationError for a name that none has."""
    known = [server.name for server in servers]
    for name in only:
        if name not in known:
            raise EvaluationError(f"unknown server '{name}'; use one or more of: {', '.join(known)}")
    return [server for server in servers if not only or server.name in only or server.name == YINGDA]


def _ground(args: argparse.Namespace, plan: Plan) -> tuple[Ground, frozenset[int]]:
    """What rounds share, and the core of the servers."""
    _GENERATOR.prepare(args.work)
    server_cores, other_cores = processes.cores()
    os.sched_setaffinity(0, other_cores)
    program = _GENERATOR.python(args.work).with_name("k9")
    generator = Generator(program, other_cores, args.work / "load")
    return Ground(generator, Fresh(read_texts(args.pack), seed=args.seed), plan), server_cores


def _plan(args: argparse.Namespace) -> Plan:
    plan = QUICK if args.quick else Plan()
    return plan if args.repeats is None else replace(plan, repeats=max(1, args.repeats))


def _weights(args: argparse.Namespace) -> Weights:
    """Folders as absolute paths; writes what the peers know beside the virtual environments."""
    args.work = args.work.absolute()
    bundle = args.bundle.absolute()
    material = args.work / "material.json"
    write_whole(args.work, {material.name: json.dumps(material_of(bundle), ensure_ascii=False)})
    fast = None if args.fast_bundle is None else args.fast_bundle.absolute()
    return Weights(bundle, fast, args.base.absolute(), material)


def material_of(bundle: Path) -> Mapping[str, Any]:
    """Labels of the bundle's models and its entries with Chinese answers; raises BundleError."""
    labels = json.loads((open_bundle(bundle).root / layout.LABELS).read_text(encoding="utf-8"))
    faq = read_knowledge(bundle / layout.KNOWLEDGE).faq.values()
    entries = [{"id": each.id, "intent": each.intent, "answer": each.answer["zh"], "texts": list(each.texts())} for each in faq]
    return {"intents": labels["intents"], "sentiments": labels["sentiments"], "matches": labels["matches"], "entries": entries}


def _sha256(bundle: Path) -> str:
    return open_bundle(bundle).identity.sha256


def _drawn(tree: Mapping[str, Any]) -> dict[str, str]:
    """Pictures by file name; none where matplotlib is not installed."""
    try:
        from evaluation.bench.serving.plots import draw
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        _say("no pictures: matplotlib is not installed")
        return {}
    return draw(tree)


def _failed(result: Result) -> bool:
    return result.reason is not None and not result.skipped


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def _refuse(reason: str) -> int:
    sys.stderr.write(f"the bench could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.serving", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("compare", "soak"), default="compare", help="default: compare")
    parser.add_argument("--bundle", type=Path, default=Path("models/current"), help="the bundle that Yingda and the ONNX peers serve")
    parser.add_argument("--fast-bundle", type=Path, metavar="FOLDER", help="a bundle of the profile fast, measured besides")
    parser.add_argument("--base", type=Path, default=Path("models/base"), help="folder of the base encoder, for the torch peers")
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose training messages are asked")
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), help="folder for virtual environments, logs and what is kept")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"), help="folder of the report")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="these servers alone")
    parser.add_argument("--rasa-python", type=Path, metavar="PATH", help="a Python 3.10 with rasa 3.6")
    parser.add_argument("--quick", action="store_true", help="two short repeats: shows that all works, not how fast")
    parser.add_argument("--repeats", type=int, metavar="N", help="default: 5, quick 2; intervals need at least 2")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak")
    parser.add_argument("--seed", type=int, default=1, help="seed of the traffic")
    return parser.parse_args(argv)
