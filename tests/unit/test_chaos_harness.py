"""The chaos harness finds what it is there to find: its ledger, its hostile clients, and its verdict."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from evaluation.bench.serving.load import Generator
from evaluation.bench.serving.traffic import Fresh
from evaluation.errors import EvaluationError
from tests.harness.chaos.__main__ import SCENARIOS, attempt, entries_of
from tests.harness.chaos.bodies import Hostile, hostile_requests
from tests.harness.chaos.client import until
from tests.harness.chaos.crowd import HALF, IDLE, SLOW_BODY, SLOW_HEAD, Crowd, crowd_of
from tests.harness.chaos.findings import Check, Finding, at_most, exactly, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Audit, Ledger, StoredTurn, audit, compare
from tests.harness.chaos.outage import drained, is_told
from tests.harness.chaos.page import to_markdown
from tests.harness.chaos.scenarios.duplicates import Reply, message, told
from tests.harness.chaos.sides import Sides
from tests.harness.chaos.wire import GONE, HANG, routes_of, send
from tests.harness.chaos.writers import Writers
from tests.store_kit import a_turn, opened
from yingda.store.conversations import SqlMemory

ONE, TWO = StoredTurn("c", 1, "m-1", "a-1"), StoredTurn("c", 2, "m-2", "a-2")


def kept() -> Ledger:
    return Ledger(turns={("c", "m-1"): "a-1", ("c", "m-2"): "a-2"}, feedback={("a-1", "f-1")})


def failed(found: Audit) -> list[str]:
    return [check.name for check in found.checks(kept()) if not check.holds]


def ground(folder: Path) -> Ground:
    def no_generator() -> Generator:
        raise EvaluationError("no package")

    return Ground(folder, frozenset({0}), Fresh(["什么时候发货"], seed=1), no_generator, lambda _: None)


class Answers(BaseHTTPRequestHandler):
    """Breaks every first attempt at a message off with 500, and stores all but the third."""

    seen: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = body.get("message_id") or body["reasons"][0]
        self.seen.append(name)
        first = self.seen.count(name) == 1
        content = json.dumps({"answer_id": f"a-{name}", "stored": name != "m-000003", "counted": True}).encode()
        self.send_response(500 if first else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def answering() -> Iterator[tuple[int, list[str]]]:
    seen: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answers,), {"seen": seen}))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def saying(*pieces: bytes, then_silent: bool = False) -> Iterator[int]:
    """A server that says ``pieces`` to one client, whatever it sends, and ends the connection, or waits until it is ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(65536)
                for piece in pieces:
                    link.sendall(piece)
                while then_silent and link.recv(65536):
                    pass

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


# ---- the ledger ----


def test_books_that_agree_hold() -> None:
    found = compare(kept(), [ONE, TWO], [("a-1", "f-1")])
    assert failed(found) == []
    assert (found.turns, found.feedback) == (2, 1)


@pytest.mark.parametrize(
    ("rows", "feedback", "what"),
    [
        ([ONE], [("a-1", "f-1")], "acknowledged turns lost"),
        ([ONE, StoredTurn("c", 2, "m-2", "other")], [("a-1", "f-1")], "turns stored under another answer_id than told"),
        ([ONE, TWO, StoredTurn("c", 3, "m-2", "a-2")], [("a-1", "f-1")], "turns stored twice"),
        ([ONE, TWO, StoredTurn("d", 1, None, "a-3")], [("a-1", "f-1")], "turns stored twice"),
        ([StoredTurn("c", 1, "m-2", "a-2"), StoredTurn("c", 2, "m-1", "a-1")], [("a-1", "f-1")], "turns out of order"),
        ([ONE, TWO], [], "acknowledged feedback lost"),
        ([ONE, TWO], [("a-1", "f-1")] * 2, "feedback stored twice"),
    ],
)
def test_each_fault_is_found_and_named(rows: list[StoredTurn], feedback: list[tuple[str, str]], what: str) -> None:
    assert failed(compare(kept(), rows, feedback)) == [what]


def test_a_ledger_without_acknowledgements_shows_nothing() -> None:
    assert [check.name for check in compare(Ledger(), [], []).checks(Ledger()) if not check.holds] == ["turns acknowledged"]


def test_a_database_is_read_as_it_is(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        SqlMemory(store).remember(a_turn(), version=0)
        ledger = Ledger(turns={("c-1", "m-1"): a_turn().turn_id, ("c-1", "m-2"): "gone"})
        found = audit(store.url, ledger)
    assert (found.turns, found.lost, found.altered, found.duplicates) == (1, 1, 0, 0)


def test_requests_without_a_reply_are_told_by_status() -> None:
    ledger = Ledger()
    assert ledger.answered().holds
    for status in (503, 0, 503):
        ledger.trouble(status)
    assert (ledger.answered().holds, ledger.answered().found) == (False, "1 of status 0, 2 of status 503")


def test_a_writer_sends_a_message_until_it_is_answered_and_notes_what_it_was_told() -> None:
    ledger = Ledger()
    with answering() as (port, seen), Writers(port, ["什么时候发货"], ledger, count=1):
        assert until(lambda: len(ledger.feedback) > 0, seconds=60) is not None
    assert seen[:6] == ["m-000001", "m-000001", "m-000002", "m-000002", "m-000003", "m-000003"]
    assert ("c-0", "m-000003") in ledger.unsaved
    assert ledger.turns[("c-0", "m-000002")] == "a-m-000002"
    assert ("a-m-000004", "c-0.4") in ledger.feedback
    assert ledger.troubles[500] == len(set(seen))


def test_a_writer_without_patience_goes_on_to_the_next_message() -> None:
    ledger = Ledger()
    with answering() as (port, seen), Writers(port, ["什么时候发货"], ledger, count=1, patient=False):
        assert until(lambda: ledger.troubles[500] > 3, seconds=60) is not None
    assert len(seen) == len(set(seen))
    assert not ledger.turns


# ---- hostile clients ----


def test_there_are_hundreds_of_hostile_requests_of_every_kind() -> None:
    found = hostile_requests()
    assert len(found) >= 300
    kinds = {each.name.split(":")[0].split(" ")[0] for each in found}
    assert {"encoding", "escape", "control", "number", "deep", "digits", "twice", "large", "coding", "length", "chunk", "slow"} <= kinds
    assert max(len(each.payload) for each in found) >= 20 << 20


def test_a_framed_request_says_its_true_length_and_every_head_can_be_sent() -> None:
    for each in hostile_requests():
        head = each.head("POST", "/v1/answer")
        assert head.endswith(b"\r\n\r\n")
        assert (b"content-length: %d\r\n" % len(each.payload) in head) or not each.framed


def test_routes_that_take_bodies_are_found_with_their_places_filled() -> None:
    calls = {"/v1/faq/{id}": ("get", "put"), "/v1/knowledge/{kind}/{id}/{step}": ("post",), "/livez": ("get",)}
    document = {"paths": {path: dict.fromkeys(methods) for path, methods in calls.items()}}
    assert routes_of(document, "e-1") == [("PUT", "/v1/faq/e-1"), ("POST", "/v1/knowledge/faq/e-1/review")]


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((b"HTTP/1.1 400 Bad", b" Request\r\n"), 400),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 422 X\r\n"), 422),
        ((), GONE),
        ((b"HTTP/1.1 2",), GONE),
    ],
)
def test_the_status_is_read_however_it_comes(pieces: tuple[bytes, ...], status: int) -> None:
    with saying(*pieces) as port:
        assert send(port, ("POST", "/"), Hostile("x", b"{}"), limit_s=60).status == status


def test_silence_is_a_hang() -> None:
    with saying(then_silent=True) as port:
        assert send(port, ("POST", "/"), Hostile("x", b"{}"), limit_s=0.05).status == HANG


def test_a_crowd_is_of_all_kinds_mixed() -> None:
    found = crowd_of((2, IDLE), (1, SLOW_HEAD), (3, HALF))
    assert [kind.name for kind in found] == ["idle", "slow head", "half a request", "idle", "half a request", "half a request"]


def test_a_crowd_is_there_at_once_and_comes_again_when_it_is_sent_away() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        crowd = Crowd(listener.getsockname()[1], [IDLE, SLOW_BODY, HALF])
        with crowd:
            links = [listener.accept()[0] for _ in range(3)]
            assert crowd.most == 3
            links[0].close()
            links[0] = listener.accept()[0]
            assert crowd.ended == 1
        for link in links:
            link.close()


def test_copies_of_a_message_are_told_apart_by_reply_and_id() -> None:
    one = Reply(200, {"answer_id": "a", "reply": {"text": "x"}, "stored": True})
    again = Reply(200, {"answer_id": "a", "reply": {"text": "x"}, "stored": False})
    assert told(one) == told(again) != told(Reply(200, {"answer_id": "b", "reply": {"text": "x"}}))
    head, _, body = message("发货", "m").partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head


# ---- outages ----


@pytest.mark.parametrize(
    ("status", "body", "away"),
    [
        (503, {"code": "store_unreachable"}, True),
        (503, {"code": "not_ready"}, False),
        (200, {"store": {"down_since": "2026-11-11T12:00:00Z"}}, True),
        (200, {"store": {"down_since": None}}, False),
        (200, {"store": None}, False),
        (0, None, False),
    ],
)
def test_readiness_tells_of_the_store(status: int, body: Any, away: bool) -> None:
    assert is_told(status, body) is away


def test_a_journal_is_empty_when_nothing_but_headers_is_left(tmp_path: Path) -> None:
    assert drained(tmp_path / "none")
    inner = tmp_path / "waiting-1"
    inner.mkdir()
    (inner / "own").write_bytes(b"x" * 16)
    assert drained(tmp_path)
    (inner / "other").write_bytes(b"x" * 17)
    assert not drained(tmp_path)


# ---- the verdict ----


def test_times_are_told_and_facts_decide() -> None:
    late, wrong = at_most("recovery, s", 9.0, 2.0), none("lost", 1)
    assert not late.holds
    assert Finding("x", "R2", [late]).holds
    assert not Finding("x", "R2", [late, wrong]).holds
    assert not Finding("x", "R2", [at_most("recovery, s", None, 2.0)]).holds


def test_a_scenario_that_breaks_down_fails_and_one_that_cannot_run_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(_: Ground) -> Finding:
        raise ValueError("a path")

    broken = attempt("x", breaks, ground(tmp_path))
    assert (broken.holds, broken.checks[0].found) == (False, "ValueError")
    skipped = attempt("overload", SCENARIOS["overload"], ground(tmp_path))
    assert (skipped.holds, skipped.skipped) == (True, "no load generator: k9-load could not be installed")
    assert "a path" in capsys.readouterr().err


def test_a_report_keeps_what_did_not_run_again() -> None:
    former: list[dict[str, Any]] = [
        {"name": "disk-full", "commit": "a", "holds": False},
        {"name": "clock-jumps", "commit": "a", "holds": True},
        {"name": "gone"},
    ]
    found = entries_of({"disk-full": Finding("disk full", "R4", [none("lost", 0)])}, former, "b")
    assert [(each["name"], each["commit"], each["holds"]) for each in found] == [("disk-full", "b", True), ("clock-jumps", "a", True)]


def test_the_page_tells_what_holds_what_was_missed_and_what_fails() -> None:
    def told_as(check: Check) -> dict[str, Any]:
        return {"name": check.name, "wanted": check.wanted, "found": check.found, "holds": check.holds, "timed": check.timed}

    checks = [told_as(check) for check in (none("lost", 0), exactly("status", 500, 200), at_most("p99, ratio", 1.5, 1.2))]
    run = {"python": "3.11", "packages": {"numpy": "2"}, "cores": 2}
    bad = {
        "scenario": "one",
        "commit": "0123456789abcdef-dirty",
        "target": "R3",
        "checks": checks,
        "figures": {"kills": 20},
        "skipped": None,
        "holds": False,
    }
    left_out: dict[str, Any] = {
        "scenario": "two",
        "commit": None,
        "target": "–",
        "checks": [],
        "figures": {},
        "skipped": "needs root",
        "holds": True,
    }
    page = to_markdown({"run": run, "scenarios": [bad, left_out]})
    assert "| one | R3 | **fails**; 1 timed target(s) missed | 0123456789ab-dirty |" in page
    assert "| two | – | skipped: needs root | – |" in page
    assert "| p99, ratio | ≤ 1.2 | 1.5 | missed |" in page
    assert "| kills | | 20 | |" in page
    assert "## two" not in page


def test_honest_clients_are_compared_within_repeats() -> None:
    sides = Sides(10.0, without=[[1.0, 2.0], [2.0, 1.0]], beside=[[2.0, 4.0], [4.0, 2.0]], errors_beside=1)
    assert sides.ratio.value == pytest.approx(2.0)
    lost, ratio = sides.checks()
    assert (lost.holds, ratio.holds, ratio.timed) == (False, False, True)
