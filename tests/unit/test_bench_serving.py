"""The bench of the service: what is asked, what is read of machine and load generator, and how figures are made of it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bench.serving import figures
from evaluation.bench.serving.alone import Probe, answered_at, recovery_s, without_volatile
from evaluation.bench.serving.command import choose, material_of
from evaluation.bench.serving.environments import Installed, Venv
from evaluation.bench.serving.kept import Kept
from evaluation.bench.serving.load import Offer, plan_of, read_samples
from evaluation.bench.serving.machine import read_machine
from evaluation.bench.serving.processes import cpu_s, parse_pss, parse_stat, pinned, pss_mib, tree
from evaluation.bench.serving.roster import ROOT, SERVERS, Weights, make_servers
from evaluation.bench.serving.server import Server, ask, start
from evaluation.bench.serving.soak import judge_soak, soak_to_markdown
from evaluation.bench.serving.traffic import Fresh, read_texts, repeating
from evaluation.errors import EvaluationError

BUNDLE = ROOT / "models" / "current"
WEIGHTS = Weights(BUNDLE, None, Path("no-base"), Path("material.json"))
ANSWERING = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["BENCH_PORT"])), Handler).serve_forever()
"""


def sample(name: str, value: float, status: str = "", *, second: int = 0) -> str:
    tags = {"status": status} if status else {}
    data = {"time": f"2026-01-01T00:00:{second:02}.123456789Z", "value": value, "tags": tags}
    return json.dumps({"type": "Point", "metric": name, "data": data})


def own_server(code: str) -> Server:
    here = Path(sys.executable)
    return Server("own", "", Venv("own", (), ready=here), ("{python}", "-c", code))


def test_stat_is_read_whatever_the_program_is_called() -> None:
    fields = ["S", "7", *["0"] * 9, "150", "50", "20", "30", *["0"] * 30]
    found = parse_stat("42 (a) b (c) " + " ".join(fields), ticks=100)
    assert (found.parent, found.own_s, found.ended_s) == (7, 2.0, 0.5)


def test_memory_is_read_in_mib() -> None:
    assert parse_pss("Rss:  4096 kB\nPss:  2048 kB\nPss_Anon: 1 kB\n") == 2.0
    assert parse_pss("") == 0.0


def test_this_process_has_used_time_and_memory() -> None:
    assert tree(os.getpid())[0] == os.getpid()
    assert cpu_s(os.getpid()) > 0
    assert pss_mib(os.getpid()) > 1


def test_affinity_is_given_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned(frozenset([min(before)])):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_a_rate_is_offered_open_loop() -> None:
    scenario = plan_of(Offer(2.0, rate=12.5), "http://127.0.0.1:1/answer", Path("b.json"))["options"]["scenarios"]["load"]
    assert (scenario["executor"], scenario["rate"], scenario["timeUnit"]) == ("constant-arrival-rate", 750, "1m")
    assert scenario["maxVUs"] >= scenario["preAllocatedVUs"]


def test_without_a_rate_connections_ask_again_once_answered() -> None:
    scenario = plan_of(Offer(2.0, connections=3), "http://127.0.0.1:1/answer", Path("b.json"))["options"]["scenarios"]["load"]
    assert (scenario["executor"], scenario["vus"], scenario["duration"]) == ("constant-vus", 3, "2000ms")


def test_samples_tell_replies_refusals_and_losses_apart() -> None:
    rows = [
        json.dumps({"type": "Metric", "metric": "http_req_duration", "data": {}}),
        sample("http_req_duration", 5.0, "200"),
        sample("http_req_duration", 1.0, "503"),
        sample("http_req_duration", 0.0, "0"),
        sample("iteration_duration_corrected", 9.0),
        sample("dropped_iterations", 3.0),
        sample("data_sent", 100.0),
    ]
    found = read_samples(rows, Offer(1.0))
    assert (found.replies_ms, found.refusals_ms, found.due_ms, found.lost, found.errors) == ([5.0], {"503": [1.0]}, [9.0], 4, 5)
    assert found.answered_at == [1767225600.123456]
    assert found.begun == found.answered_at[0] - 0.005


def test_no_message_is_asked_twice_or_as_it_was_learnt() -> None:
    texts = ["快递三天没动了", "怎么退货", "发票"]
    found = Fresh(texts, seed=1).take(300)
    assert len(set(found)) == 300
    assert not set(found) & set(texts)
    assert found == Fresh(texts, seed=1).take(300)


@given(st.integers(1, 400), st.sampled_from([0.2, 0.6]))
def test_so_many_repeats_as_was_said(count: int, share: float) -> None:
    fresh = [f"f{number}" for number in range(count)]
    mixed = repeating(["a", "b"], fresh, share=share, seed=1)
    assert sorted(text for text in mixed if text not in "ab") == sorted(fresh)
    assert abs(sum(text in "ab" for text in mixed) - share * len(mixed)) <= 1


def test_training_messages_are_asked_and_no_test_message(tmp_path: Path) -> None:
    folder = tmp_path / "utterances"
    folder.mkdir()
    (folder / "train-1.jsonl").write_text('{"text": "怎么退货"}\n{"text": "x"}\n{"text": "怎么退货"}\n', encoding="utf-8")
    (folder / "test-1.jsonl").write_text('{"text": "发票呢"}\n', encoding="utf-8")
    assert read_texts(tmp_path) == ["怎么退货"]


def test_a_pack_without_training_messages_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--pack"):
        read_texts(tmp_path)


@given(st.lists(st.tuples(st.floats(1, 9), st.floats(1, 9)), min_size=1, max_size=6))
def test_a_ratio_lies_in_its_interval(pairs: list[tuple[float, float]]) -> None:
    above, below = ([pair[side] for pair in pairs] for side in (0, 1))
    found = figures.ratio(above, below)
    assert found.low <= found.value <= found.high
    assert found.value == pytest.approx(sum(above) / sum(below))  # two ways to round the same quotient


def test_one_repeat_has_no_interval() -> None:
    found = figures.mean([3.0])
    assert (found.low, found.value, found.high) == (3.0, 3.0, 3.0)


def test_both_sides_of_a_ratio_are_drawn_together() -> None:
    found = figures.ratio([2.0, 200.0, 20.0], [1.0, 100.0, 10.0])
    assert (found.low, found.high) == pytest.approx((2.0, 2.0))  # exact but for rounding


def test_a_quantile_is_of_all_repeats() -> None:
    assert figures.quantile([[1.0, 2.0], [3.0]], 0.5).value == 2.0
    assert figures.quantile_ratio([[4.0]], [[2.0]], 0.99).value == 2.0


def test_what_was_kept_is_void_once_its_basis_changed(tmp_path: Path) -> None:
    kept = Kept(tmp_path, {"commit": "a"})
    kept.write("echo", 0, "as it is", {"x": 1})
    assert kept.read("echo", 0, "as it is") == {"x": 1}
    assert kept.read("echo", 1, "as it is") is None
    assert kept.read("echo", 0, "otherwise") is None
    assert Kept(tmp_path, {"commit": "b"}).read("echo", 0, "as it is") is None


def test_a_damaged_file_is_measured_again(tmp_path: Path) -> None:
    (tmp_path / "echo-0.json").write_text("{", encoding="utf-8")
    assert Kept(tmp_path, {}).read("echo", 0, "") is None


def test_recovery_lasts_until_the_last_bad_reply() -> None:
    probes = [Probe(9.0, 900.0, 503, True), Probe(10.5, 2.0, 503, True), Probe(11.2, 80.0, 200, False), Probe(12.0, 3.0, 200, False)]
    assert recovery_s(probes, end=10.0, slow_ms=50.0) == pytest.approx(1.2)  # a difference of two clocks
    assert recovery_s(probes[3:], end=10.0, slow_ms=50.0) == 0.0


def test_goodput_is_that_of_the_load_once_it_has_settled() -> None:
    seconds = (1, 4, 5, 6, 7, 11)
    found = read_samples([sample("http_req_duration", 500.0, "200", second=second) for second in seconds], Offer(8.0))
    # a second after the first request was sent, the load has settled: four replies in seven seconds
    assert found.goodput() == pytest.approx(4 / 7)  # a quotient of floats
    assert found.goodput([found.begun + 2.0, found.begun + 9.0]) == pytest.approx(5 / 7)
    assert read_samples([], Offer(2.0)).goodput() == 0.0


def test_probes_that_were_refused_are_no_goodput() -> None:
    probes = [Probe(1.0, 500.0, 200, False), Probe(1.0, 500.0, 503, True)]
    (at,) = answered_at(probes)
    assert at == pytest.approx(time.time() - time.monotonic() + 1.5, abs=1.0)  # two clocks, read one after the other


def test_replies_are_compared_without_what_always_differs() -> None:
    reply = {
        "answer_id": "1",
        "reply": {"text": "a"},
        "classification": {"timing_ms": {"total": 1}, "intent": "x"},
        "candidates": [{"timing_ms": 1}],
    }
    assert without_volatile(reply) == {"reply": {"text": "a"}, "classification": {"intent": "x"}, "candidates": [{}]}


def test_versions_are_found_by_either_spelling() -> None:
    assert Installed(("sentence_transformers==5.0",), 1.0).version("sentence-transformers") == "5.0"
    assert Installed((), 1.0).version("rasa") is None


def test_every_server_is_complete() -> None:
    servers = make_servers(WEIGHTS, rasa_python=None)
    names = [server.name for server in servers]
    assert names[0] == "yingda"
    assert len(set(names)) == len(names) == 12
    for server in servers:
        assert server.bodies(["你好"])[0].count("你好") == 1
        scripts = [word.partition(":")[0].removesuffix(".py") for word in server.command if word.endswith((":app", ":Answers", ".py"))]
        assert all((SERVERS / f"{script}.py").is_file() for script in scripts)


def test_what_a_server_lacks_is_named() -> None:
    missing = {server.name: server.missing for server in make_servers(WEIGHTS, rasa_python=None) if server.missing}
    assert "--rasa-python" in missing["rasa"]
    assert "--base" in missing["torch-three"]
    assert "--fast-bundle" in missing["yingda-fast"]
    assert "onnx-same" not in missing


def test_yingda_is_always_among_the_chosen() -> None:
    servers = make_servers(WEIGHTS, rasa_python=None)
    assert [server.name for server in choose(servers, ["echo"])] == ["yingda", "echo"]
    assert choose(servers, []) == servers
    with pytest.raises(EvaluationError, match="unknown server 'nobody'"):
        choose(servers, ["nobody"])


def test_peers_know_the_entries_and_labels_of_the_bundle() -> None:
    material = material_of(BUNDLE)
    known = {entry["id"] for entry in material["entries"]}
    assert known <= set(material["matches"])
    assert len(material["sentiments"]) == 4


def test_a_server_is_ready_with_its_first_reply(tmp_path: Path) -> None:
    running = start(own_server(ANSWERING), tmp_path, frozenset(os.sched_getaffinity(0)), log=tmp_path / "log")
    try:
        with running.halted():
            pass
        assert ask(running.port, "/answer", "{}")[0] == 200
        assert running.cold_start_s > 0
    finally:
        running.stop()
    assert running.process.returncode is not None


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="ended with 3 before it was ready: no model"):
        start(own_server("import sys; print('no model'); sys.exit(3)"), tmp_path, frozenset(os.sched_getaffinity(0)), log=tmp_path / "log")


def test_the_machine_is_told_without_names(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 sse\n", encoding="utf-8")
    found = read_machine(tmp_path / "cpuinfo")
    assert (found["processor"], found["flags"]) == ("Some CPU", ["avx2"])


def stretch(p99_ms: float, pss_mib: float, errors: float = 0.0) -> dict[str, Any]:
    return {"from_s": 0.0, "requests": 100.0, "errors": errors, "p50_ms": 1.0, "p99_ms": p99_ms, "pss_mib": pss_mib}


def test_a_steady_soak_meets_its_target_whatever_its_first_stretch() -> None:
    found = judge_soak([stretch(90, 100), *[stretch(10, 200)] * 6], rate=10.0, minutes=1.0)
    assert found["met"]
    assert found["requests"] == 700


@pytest.mark.parametrize("last", [stretch(12, 200), stretch(10, 210), stretch(10, 200, errors=1.0)])
def test_drift_growth_and_errors_each_miss_it(last: dict[str, Any]) -> None:
    found = judge_soak([stretch(10, 200)] * 5 + [last] * 2, rate=10.0, minutes=1.0)
    assert not found["met"]
    page = soak_to_markdown({**found, "run": {"commit": None, "machine": {"cores": 2, "processor": "x"}}})
    assert "| p99 drift |" in page
