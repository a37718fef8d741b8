"""Small fits of the cheap peers, and the protocol of peers in a process of their own."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import EvaluationError
from evaluation.peers.engine import EnginePeer
from evaluation.peers.frozen_encoder import EncoderPeer
from evaluation.peers.installed import installed_mb
from evaluation.peers.keywords import KeywordPeer
from evaluation.peers.lessons import gather_lessons
from evaluation.peers.linear_svm import SvmPeer
from evaluation.peers.peer import Lessons, Peer, Prediction
from evaluation.peers.process import ProcessPeer
from evaluation.peers.search import entry_search, message_search
from evaluation.peers.workers.sampling import sampled
from tests.fakes_core import tiny_engine
from tests.fakes_evaluation import FakeEngine, FakeOpener
from tests.fakes_peers import small_exam
from tests.pack_kit import write_pack
from yingda.pack import read_pack, read_training

REMEDY = "name a Python"


@pytest.fixture
def lessons(tmp_path: Path) -> Lessons:
    return small_exam(tmp_path / "pack")[0]


def fitted(peer: Peer, lessons: Lessons, folder: Path) -> Peer:
    assert peer.available() is None
    peer.fit(lessons, folder)
    return peer


def worker(python: Path | None = Path(sys.executable), *, behaviour: str = "echo") -> ProcessPeer:
    settings: Mapping[str, str] = {"behaviour": behaviour}
    return ProcessPeer("other", "set up", module="tests.peer_worker", python=python, remedy=REMEDY, settings=settings)


def test_material_is_training_messages_and_wordings_and_nothing_of_the_exam(tmp_path: Path) -> None:
    root = write_pack(tmp_path / "pack")
    found = gather_lessons(read_pack(root), seed=1)

    assert found == gather_lessons(read_training(root), seed=1)
    assert [(row.text, row.entry, row.wording) for row in found.rows] == [
        ("啥时候发", "ship-when", False),
        ("不要了 怎么还没发", "cancel-how", False),
        ("今天下雨", None, False),
        ("什么时候发货", "ship-when", True),
        ("When do you ship?", "ship-when", True),
        ("多久发", "ship-when", True),
        ("催发货", "ship-when", True),
        ("怎么取消", "cancel-how", True),
    ]
    assert gather_lessons(read_training(root), seed=2).digest != found.digest


def test_keywords_name_the_intent_most_words_speak_for_and_an_entry_of_it(lessons: Lessons, tmp_path: Path) -> None:
    peer = fitted(KeywordPeer(), lessons, tmp_path)

    # 取消 speaks for both intents, 发货 decides
    assert peer.answer(["发货之后还能取消吗", "我要取消", "今天天气好"]) == [
        Prediction("ship-when", "SHIP", 2 / 3),
        Prediction("cancel-how", "CANCEL", 0.5),
        Prediction(None, "OUT_OF_SCOPE", 0.0),
    ]


def test_search_in_wordings_finds_the_entry_and_knows_nothing_of_messages(lessons: Lessons, tmp_path: Path) -> None:
    peer = fitted(entry_search(), lessons, tmp_path)
    found, unknown = peer.answer(["请问怎么取消呢", "今天下雨"])

    assert (found.entry, found.intent) == ("cancel-how", "CANCEL")
    assert 0 < found.confidence < 1
    assert unknown == Prediction(None, "OUT_OF_SCOPE", 0.0)


def test_search_in_messages_tells_the_intent_of_the_nearest_message(lessons: Lessons, tmp_path: Path) -> None:
    peer = fitted(message_search(), lessons, tmp_path)

    assert peer.answer(["今天下雨了"])[0].intent == "OUT_OF_SCOPE"
    assert peer.answer(["啥时候发呀"])[0].entry == "ship-when"


def test_the_svm_repeats_what_it_learnt_and_always_names_an_entry(lessons: Lessons, tmp_path: Path) -> None:
    peer = fitted(SvmPeer(), lessons, tmp_path)
    asked, told, rain = peer.answer(["什么时候发货", "怎么取消", "今天下雨"])

    assert (asked.entry, asked.intent) == ("ship-when", "SHIP")
    assert (told.entry, told.intent) == ("cancel-how", "CANCEL")
    assert rain.intent == "OUT_OF_SCOPE" and rain.entry is not None
    assert rain.confidence < min(asked.confidence, told.confidence)


@pytest.mark.parametrize("make", [KeywordPeer, entry_search, message_search, SvmPeer])
def test_alone_and_in_a_batch_a_peer_says_the_same(lessons: Lessons, tmp_path: Path, make: type[Peer]) -> None:
    peer = fitted(make(), lessons, tmp_path)
    texts = ["几时发货", "不要了 取消", "今天天气", "ship"]

    assert peer.answer(texts) == [peer.answer([text])[0] for text in texts]
    assert peer.version()


def test_yingda_answers_through_its_engine(lessons: Lessons, tmp_path: Path) -> None:
    engine = tiny_engine()
    peer = fitted(EnginePeer(lambda bundle, *, pack=None: engine, bundle=Path("b"), pack=Path("p")), lessons, tmp_path)
    (found,) = peer.answer(["发"])

    assert (found.entry, found.intent) == ("ship-when", "ORDER_SHIP_TIME")
    assert peer.version() == "1.0 (000000000000)"


def test_the_bundle_is_part_of_the_version() -> None:
    peer = EnginePeer(FakeOpener(FakeEngine()), bundle=Path("b"), pack=Path("p"))
    assert peer.available() is None
    assert peer.version() == "2026.1 (bbbbbbbbbbbb)"


def test_another_base_encoder_is_another_version(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = EncoderPeer(tmp_path).version()
    (tmp_path / "model.safetensors").write_bytes(b"other")

    assert EncoderPeer(tmp_path).version() != one


def test_without_a_base_encoder_its_peer_says_how_to_make_one(tmp_path: Path) -> None:
    assert "python -m training.base_encoder" in str(EncoderPeer(tmp_path / "base").available())


def test_a_package_that_is_missing_has_no_size() -> None:
    assert installed_mb(["no-such-package-anywhere"]) is None
    assert (installed_mb(["bm25s"]) or 0) > (installed_mb(["numpy"]) or 0) > 1  # bm25s needs numpy


def test_a_worker_learns_once_answers_and_counts_its_own_cpu_time(lessons: Lessons, tmp_path: Path) -> None:
    peer = worker()
    try:
        fitted(peer, lessons, tmp_path)
        before = peer.cpu_s()
        assert peer.answer(["发货", "取消"]) == [Prediction("ship-when", "SHIP", 0.5), Prediction(None, "CANCEL", 0.5)]
        assert peer.cpu_s() >= before > 0
        peer.fit(lessons, tmp_path)
        assert (tmp_path / "fits.txt").read_text() == "x"
    finally:
        peer.close()


def test_a_worker_that_breaks_says_what_kind_of_error_it_was(lessons: Lessons, tmp_path: Path) -> None:
    peer = worker(behaviour="break answering")
    try:
        fitted(peer, lessons, tmp_path)
        with pytest.raises(EvaluationError, match=r"^ValueError at peer_worker\.py:\d+$"):
            peer.answer(["发货"])
    finally:
        peer.close()


def test_a_worker_that_cannot_learn_is_quoted_from_its_log(lessons: Lessons, tmp_path: Path) -> None:
    said = r"^learning ended with exit code 1: ValueError at peer_worker\.py:\d+; see (?!/)\S*fit\.log$"
    with pytest.raises(EvaluationError, match=said):
        fitted(worker(behaviour="break learning"), lessons, tmp_path)
    assert not (tmp_path / "fitted").exists()


def test_a_worker_whose_process_ends_is_noticed(lessons: Lessons, tmp_path: Path) -> None:
    peer = worker(behaviour="leave")
    try:
        fitted(peer, lessons, tmp_path)
        with pytest.raises(EvaluationError, match=r"^its process ended with exit code 3; run `python -m tests\.peer_worker serve FOLDER`"):
            peer.answer(["发货"])
    finally:
        peer.close()


def test_a_worker_without_a_python_or_package_is_skipped_with_the_remedy(tmp_path: Path) -> None:
    assert worker(None).available() == REMEDY
    assert REMEDY in str(worker(tmp_path / "python").available())
    missing = ProcessPeer("rasa", "", module="evaluation.peers.workers.no_such_worker", python=Path(sys.executable), remedy=REMEDY)
    assert str(missing.available()).endswith(REMEDY)
    assert str(missing.available()).startswith(f"{Path(sys.executable).name} ended with exit code 1: ")
    assert "No module named" in str(missing.available())
    assert "/" not in str(worker(tmp_path / "python").available()), "a report names no folder of one machine"


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 5), st.integers(0, 9))
def test_a_sample_holds_so_many_messages_of_each_class_and_always_the_same(names: list[str], messages: int, seed: int) -> None:
    rows = [{"text": f"{name}{number}", "name": name} for number, name in enumerate(names)]

    def drawn(most: int | None) -> list[tuple[str, str]]:
        return sampled(rows, lambda row: str(row["name"]), messages=most, seed=seed)

    found = drawn(messages)
    assert found == drawn(messages)
    assert len(set(found)) == len(found)
    assert Counter(name for _, name in found) == {name: min(messages, names.count(name)) for name in set(names)}
    assert set(found) <= set(drawn(None)) == {(row["text"], row["name"]) for row in rows}
