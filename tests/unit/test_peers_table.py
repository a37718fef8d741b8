"""The table of peers and its command."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from evaluation.metrics import Measure
from evaluation.peers.command import _parse, code_digest, make_peers, run
from evaluation.peers.peer import TrainRow
from evaluation.peers.results import PeerResult, State
from evaluation.peers.table import Comparison, to_json, to_markdown
from evaluation.peers.timing import Cost, Plan
from evaluation.peers.workers.rasa_worker import _label as rasa_class
from evaluation.peers.workers.sampling import sampled
from evaluation.peers.workers.setfit_worker import _match_class as setfit_class
from evaluation.provenance import Environment
from tests.fakes_evaluation import ENTRIES, FakeEngine, FakeOpener, exam, knows, write_pack
from tests.fakes_peers import small_exam
from yingda.domain.errors import BundleError

SCORES = {"test": {"faq_top1": Measure(0.5, 10, 0.2, 0.8), "intent_accuracy": Measure(0.75, 12), "coverage_at_95": Measure(None, 0)}}
RESULTS = (
    PeerResult("yingda", "itself", State.MEASURED, "2026.1", 250.4, SCORES, Cost((4.0, 2.0, 3.0))),
    PeerResult("svm", "C = 1", State.MEASURED, "sk 1.9", None, SCORES, Cost((1.5, 1.5, 1.5)), learnt=5),
    PeerResult("rasa", "DIET", State.SKIPPED, reason="name a Python"),
)


def comparison(*results: PeerResult) -> Comparison:
    environment = Environment("abc", "3.11.7", {"numpy": "2.9.9", "scipy": None})
    machine = {"cores": 2, "processor": "Some CPU", "flags": ["avx2", "fma"]}
    files, asked = {"test-1.jsonl": "e" * 64}, {"test": 1142}
    return Comparison(results or RESULTS, "d" * 64, "m" * 64, 5, files, Plan(), environment, asked, machine)


def test_a_line_has_accuracy_cost_and_its_ratio_to_yingda() -> None:
    page = to_markdown(comparison())

    assert "| yingda | made before | 0.500 [0.200, 0.800] | 0.750 | – | 3 (2 to 4) | 1.00 |" in page
    assert "| svm | 5 rows | 0.500 [0.200, 0.800] | 0.750 | – | 1.5 (1.5 to 1.5) | 0.50 |" in page
    assert "| yingda | 2026.1 | 250 | itself | measured |" in page


def test_a_peer_that_did_not_run_is_in_every_table_with_its_reason() -> None:
    page = to_markdown(comparison())

    assert "| rasa | – | – | – | – | – | – |" in page
    assert "| rasa | – | – | DIET | skipped: name a Python |" in page


def test_the_page_says_of_what_run_it_is() -> None:
    page = to_markdown(comparison())

    assert "There are 5 rows to learn from, the same for all" in page and "## test (1,142 messages)" in page
    assert "Commit abc; Python 3.11.7; numpy 2.9.9." in page
    assert "Machine: 2 cores, Some CPU, avx2 fma." in page
    assert f"| test-1.jsonl | `{'e' * 64}` |" in page and f"| pack | `{'d' * 64}` |" in page


def test_a_peer_that_failed_is_in_every_table_with_its_reason() -> None:
    failed = PeerResult("rasa", "DIET", State.FAILED, reason="learning ended with exit code 1: ValueError at rasa_worker.py:40")

    page = to_markdown(comparison(*RESULTS[:2], failed))

    assert "| rasa | – | – | – | – | – | – |" in page
    assert "| rasa | – | – | DIET | failed: learning ended with exit code 1: ValueError at rasa_worker.py:40 |" in page


def test_without_yingda_there_is_no_ratio() -> None:
    assert "| 1.5 (1.5 to 1.5) | – |" in to_markdown(comparison(RESULTS[1]))


def test_the_json_holds_every_pass_and_what_it_depends_on() -> None:
    found = json.loads(to_json(comparison()))

    assert found["peers"][1]["cpu_ms"] == {"median": 1.5, "low": 1.5, "high": 1.5, "passes": [1.5] * 3, "ratio_to_yingda": 0.5}
    assert found["peers"][0]["suites"]["test"]["coverage_at_95"] == {"n": 0}
    assert found["peers"][2]["reason"] == "name a Python" and found["peers"][2]["cpu_ms"] is None
    assert (found["files"], found["lessons"]["rows"], found["timing"]["messages"]) == ({"test-1.jsonl": "e" * 64}, 5, 200)


def test_the_command_compares_and_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = exam(9)
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": rows})
    words = ["--pack", str(pack), "--out", str(tmp_path / "out"), "--only", "bm25", "yingda", "rasa", "--passes", "1"]

    assert run(words, opener=FakeOpener(knows(rows))) == 0

    found = json.loads((tmp_path / "out" / "peers.json").read_text(encoding="utf-8"))
    assert [(peer["name"], peer["state"]) for peer in found["peers"]] == [("yingda", "measured"), ("bm25", "measured"), ("rasa", "skipped")]
    assert found["peers"][0]["suites"]["test"]["faq_top1"]["value"] == 1.0
    assert [peer["learnt_rows"] for peer in found["peers"]] == [None, len(ENTRIES), None]
    assert capsys.readouterr().out == (tmp_path / "out" / "peers.md").read_text(encoding="utf-8")


def test_a_peer_that_fails_ends_the_command_with_1_and_stands_on_the_page(tmp_path: Path) -> None:
    rows = exam(9)
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": rows})
    words = ["--pack", str(pack), "--out", str(tmp_path / "out"), "--only", "bm25", "yingda", "--passes", "1"]

    def opener(bundle: Path, *, pack: Path | None = None) -> FakeEngine:
        raise BundleError("models/current: there is no bundle folder here; build one")

    assert run(words, opener=opener) == 1

    page = (tmp_path / "out/peers.md").read_text(encoding="utf-8")
    assert "failed: models/current: there is no bundle folder here; build one |" in page
    assert f"| bm25 | {len(ENTRIES)} rows | " in page


@pytest.mark.parametrize(("most", "learnt"), [(1, 3), (2, 5), (None, 7)])
def test_a_worker_that_takes_few_of_each_class_says_how_many(tmp_path: Path, most: int | None, learnt: int) -> None:
    found = [("a", "SHIP", "ship-when")] * 3 + [("b", "SHIP", None)] * 3 + [("c", "CANCEL", "cancel-how")]
    lessons = replace(small_exam(tmp_path)[0], rows=tuple(TrainRow(text, intent, entry) for text, intent, entry in found))
    rows = [asdict(row) for row in lessons.rows]
    options = [] if most is None else ["--rasa-messages", str(most)]
    _, *_, setfit, rasa, _ = make_peers(_parse([*options, "--setfit-messages", str(most or 9)]), FakeOpener(knows([])))

    assert rasa.learns_from(lessons) == setfit.learns_from(lessons) == learnt
    assert len(sampled(rows, rasa_class, messages=most, seed=1)) == learnt
    assert len(sampled(rows, setfit_class, messages=most, seed=1)) == learnt


def test_settings_below_the_default_are_called_cut_down() -> None:
    def notes(*options: str) -> list[str]:
        return [peer.note for peer in make_peers(_parse(options), FakeOpener(knows([]))) if peer.name in ("setfit", "rasa")]

    assert not [note for note in notes() if "cut down" in note]
    setfit, rasa = notes("--setfit-messages", "4", "--setfit-iterations", "2", "--rasa-messages", "8", "--rasa-epochs", "20")
    assert "one epoch; cut down from 8 messages and 5 pairs; base" in setfit
    assert rasa.endswith("20 epochs, 8 messages a class; cut down from 100 epochs and all messages")


def test_each_peer_tells_what_it_takes_of_the_rows(tmp_path: Path) -> None:
    lessons = small_exam(tmp_path)[0]
    own, every = sum(row.wording for row in lessons.rows), len(lessons.rows)
    found = {peer.name: peer.learns_from(lessons) for peer in make_peers(_parse([]), FakeOpener(knows([])))}

    assert 0 < own < every
    of_all = dict.fromkeys(("bm25-messages", "svm", "encoder", "rasa"), every)
    assert found == {**of_all, "setfit": every, "yingda": None, "keywords": 0, "bm25": own, "chatterbot": own}


def test_the_sources_are_told_apart() -> None:
    assert len(code_digest()) == 64
    assert code_digest() == code_digest()


def test_an_unknown_peer_is_refused_with_the_names_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--only", "dialogflow", "--out", str(tmp_path)], opener=FakeOpener(knows([]))) == 2

    assert capsys.readouterr().err == (
        "peers could not run: unknown peer 'dialogflow'; use one or more of: "
        "yingda, keywords, bm25, bm25-messages, svm, encoder, setfit, rasa, chatterbot\n"
    )
