"""`python -m evaluation` on spoiled bundles and packs, with each message encoded once for all of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evaluation.conversations.scenario import FOLDER as CONVERSATIONS
from evaluation.conversations.scenario import read_scenarios
from evaluation.markdown import SCREEN
from evaluation.robustness.cases import CASES, read_cases
from yingda import assemble
from yingda import bundle as layout
from yingda.bundle import SEAL, open_bundle, write_manifest
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Outcome
from yingda.domain.message import Message
from yingda.engine import Encoder, Engine
from yingda.pack import copy_knowledge, read_knowledge
from yingda.runtime import Encodings

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "models/current"
PACK = ROOT / "data/packs/retail"
EXAMS = ("test-*.jsonl", "multilingual.jsonl")
HEADS = {"intent": 22, "sentiment": 23}
"""The heads of the encoder's graph, each with a seed."""


@dataclass(frozen=True)
class Found:
    """What one evaluation gave: exit code, screen, the report for programs and the one for people."""

    code: int
    screen: str
    report: Mapping[str, Any]
    page: str

    def gates(self, verdict: str) -> set[str]:
        """The gates with ``verdict``, as ``suite: metric``."""
        return {f"{gate['suite']}: {gate['metric']}" for gate in self.report["gates"] if gate["verdict"] == verdict}


@dataclass
class RememberingEncoder:
    """Encodes each message once; ``known`` is shared by all engines with this very encoder file."""

    encoder: Encoder
    known: dict[tuple[int, ...], Encodings]

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """As the encoder itself."""
        for row in map(tuple, ids):
            if row not in self.known:
                self.known[row] = self.encoder.run([row])
        found = [self.known[tuple(row)] for row in ids]
        return Encodings(*(np.concatenate([getattr(one, name) for one in found]) for name in ("embedding", "intent", "sentiment")))


@dataclass
class UntrainedHeads:
    """Intent and sentiment by a random map of the embedding, which is what a head is before training."""

    encoder: Encoder

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """As the encoder, but for its heads."""
        found = self.encoder.run(ids)
        drawn = {name: self._map(found.embedding, getattr(found, name).shape[1], seed) for name, seed in HEADS.items()}
        return replace(found, **drawn)

    def _map(self, embedding: Any, labels: int, seed: int) -> Any:
        weights = np.random.default_rng(seed).standard_normal((embedding.shape[1], labels)).astype(np.float32)
        return np.stack([row @ weights for row in embedding])


@dataclass
class SilentEngine:
    """Has nothing to say to a text that is not among ``known``; ``forgets`` its candidates there, too."""

    engine: Engine
    known: frozenset[str]
    forgets: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """As the engine, or nothing."""
        answers = zip(messages, self.engine.answer_many(messages, states), strict=True)
        return [answer if message.text in self.known else self._silent(answer) for message, answer in answers]

    def _silent(self, answer: Answer) -> Answer:
        candidates = () if self.forgets else answer.candidates
        return replace(answer, outcome=Outcome.NO_ANSWER, faq=None, accepted=None, candidates=candidates)


@dataclass
class ForgetfulEngine:
    """Has forgotten by each message what the conversation said before."""

    engine: Engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def answer_many(self, messages: Sequence[Message], _states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """As the engine at the beginning of a conversation."""
        return self.engine.answer_many(messages)


@dataclass
class SureEngine:
    """Is sure of the second best entry for every text that is not among ``known``."""

    engine: Engine
    known: frozenset[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """As the engine, or a wrong answer."""
        answers = zip(messages, self.engine.answer_many(messages, states), strict=True)
        return [answer if message.text in self.known else self._sure(answer) for message, answer in answers]

    def _sure(self, answer: Answer) -> Answer:
        second = answer.candidates[1] if len(answer.candidates) > 1 else answer.accepted
        return replace(answer, outcome=Outcome.ANSWERED, faq=second, accepted=second)


Change = Callable[[Engine], Any]
"""Spoils what no file of a bundle can."""


@dataclass
class Bench:
    """`python -m evaluation` with what the encoder said before; ``root`` has a folder for all that is written."""

    root: Path
    pack: Path
    encoded: dict[str, dict[tuple[int, ...], Encodings]] = field(default_factory=dict)

    def loader(self, change: Change) -> Callable[[str], Any]:
        """Imports what the command imports: engines remember, and no speed is measured."""

        def open_engine(bundle: Path, *, pack: Path | None = None) -> Any:
            return change(self._remembering(bundle, assemble.open_engine(bundle, pack=pack)))

        fakes = {"yingda.assemble": SimpleNamespace(open_engine=open_engine), "evaluation.speed": SimpleNamespace(open_loop=None)}
        return lambda name: fakes.get(name) or import_module(name)

    def _remembering(self, bundle: Path, engine: Engine) -> Engine:
        digest = open_bundle(bundle).manifest["files"][layout.ENCODER]["sha256"]
        return with_encoder(engine, RememberingEncoder(engine._model.encoder, self.encoded.setdefault(digest, {})))


def with_encoder(engine: Engine, encoder: Encoder) -> Engine:
    """``engine`` that reads by ``encoder``."""
    return Engine(replace(engine._model, encoder=encoder), engine._index, engine.knowledge)


def make_pack(root: Path) -> Path:
    """What the suites need of the retail pack: its knowledge and the labelled messages that no model sees."""
    (root / "utterances").mkdir(parents=True)
    copy_knowledge(PACK, root)
    for path in exams(PACK):
        (root / "utterances" / path.name).symlink_to(path)
    for name in (CASES, CONVERSATIONS):
        (root / name).symlink_to(PACK / name)
    return root


def exams(pack: Path) -> list[Path]:
    return [path for pattern in EXAMS for path in sorted((pack / "utterances").glob(pattern))]


def shuffle_labels(path: Path, *, seed: int) -> None:
    """Give every row of a file the intent, entry and further entries of another row."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    labels = [{name: row[name] for name in ("intent", "faq", "also") if name in row} for row in rows]
    random.Random(seed).shuffle(labels)
    kept = [{name: row[name] for name in row if name not in ("intent", "faq", "also")} for row in rows]
    path.unlink()  # a link to the pack's own file
    path.write_text("".join(json.dumps(row | label, ensure_ascii=False) + "\n" for row, label in zip(kept, labels, strict=True)), "utf-8")


def spoil(root: Path, *, facts: Mapping[str, Any] = MappingProxyType({}), **changes: Callable[[Path], None]) -> Path:
    """The shipped bundle at ``root`` with the named files and ``facts`` changed, and a manifest that vouches for it all."""
    wanted = {layout.KNOWLEDGE if name == "knowledge" else getattr(layout, name): change for name, change in changes.items()}
    for path in BUNDLE.rglob("*"):
        target = root / path.relative_to(BUNDLE)
        if path.is_file() and path.name != layout.MANIFEST:
            target.parent.mkdir(parents=True, exist_ok=True)
            touched = target.relative_to(root).parts[0] in wanted
            target.write_bytes(path.read_bytes()) if touched else target.symlink_to(path)
    for name, change in wanted.items():
        change(root / name)
    kept = {name: fact for name, fact in open_bundle(BUNDLE).manifest.items() if name not in ("format", "files", SEAL)}
    write_manifest(root, {**kept, "knowledge_sha256": read_knowledge(root / layout.KNOWLEDGE).digest, **facts})
    return root


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """``change`` applied to the content of a JSON file."""

    def _edit(path: Path) -> None:
        fields = json.loads(path.read_text("utf-8"))
        change(fields)
        path.write_text(json.dumps(fields), "utf-8")

    return _edit


def assert_refused(found: Found, by: set[str]) -> None:
    """Exit code 1; screen and both reports name each gate of ``by`` with the figure that failed it, its margin and messages to read.

    A full screen may leave the messages to the reports.
    """
    assert found.code == 1
    assert found.report["verdict"] == "failed"
    assert by <= found.gates("failed")
    assert "\nfailed (bundle " in found.screen
    assert "/out/evaluation.html" in found.screen.splitlines()[-1]
    assert found.page.startswith("# Evaluation: failed\n")
    lines = found.screen.splitlines()
    assert len(lines) <= SCREEN
    shut = [gate for gate in found.report["gates"] if gate["verdict"] in ("failed", "undecided")]
    shown = 5 if len(shut) <= 4 else 1  # with more gates each tells one message, as far as the screen goes
    for gate in found.report["gates"]:
        if f"{gate['suite']}: {gate['metric']}" in by:
            value = {**found.report["suites"], **found.report["examinations"]}[gate["suite"]]["measures"][gate["metric"]]
            why = f"{value['value']:.4f} over {value['n']} rows"
            side, limit = next((side, gate[side]) for side in ("at_least", "at_most") if side in gate)
            name = f"{gate['suite']}: {gate['metric']} {side.replace('_', ' ')} {limit:g}"
            assert gate["value"] == value["value"]
            assert gate["margin"] == pytest.approx(-abs(gate["value"] - limit), abs=1e-6)
            assert gate["detail"].startswith(why)
            (number,) = (number for number, line in enumerate(lines) if line.startswith(f"failed    {name}: {why}, misses by "))
            assert f"| {name} | failed | {why}, misses by " in found.page
            assert 1 <= len(gate["examples"]) <= 5
            quoted = all(lines[number + 1 + place].strip().startswith(told["place"]) for place, told in enumerate(gate["examples"][:shown]))
            assert quoted or (shown == 1 and len(lines) == SCREEN), "a message is left out where the screen is full alone"


def written(pack: Path) -> Iterator[str]:
    """Every text that the pack itself asks, without perturbation."""
    for path in exams(pack):
        yield from (json.loads(line)["text"] for line in path.read_text("utf-8").splitlines())
    for case in read_cases(pack / CASES, read_knowledge(pack)):
        yield from case.texts
    for file in read_scenarios(pack, read_knowledge(pack)):
        yield from (turn.text for scenario in file.scenarios for turn in scenario.turns)
