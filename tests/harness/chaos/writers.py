"""Clients that go on writing whatever happens: each message is sent, with its message_id, until it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Any

from tests.harness.chaos.client import Client, Told
from tests.harness.chaos.ledger import Ledger
from tests.harness.chaos.site import ANSWER, FEEDBACK

_OK = 200
_AGAIN_S = 0.05
_FEEDBACK_EVERY = 4
_TIMEOUT_S = 20.0
_LAST_TRIES = 600


class Writers:
    """``count`` clients, each with a conversation of its own; they begin inside ``with`` and finish what they sent at its end.

    A client that gives up waits for nobody: ``patient`` ones alone try again, as callers do who may not lose a message.
    """

    def __init__(
        self,
        port: int,
        texts: Sequence[str],
        ledger: Ledger,
        *,
        count: int = 6,
        name: str = "c",
        pace_s: float = 0.0,
        patient: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.ledger = ledger
        self._port, self._texts, self._pace_s, self._patient, self._headers = port, texts, pace_s, patient, headers
        self._enough = Event()
        self._threads = [Thread(target=self._write, args=(f"{name}-{number}",), name=f"writer-{number}") for number in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _write(self, conversation: str) -> None:
        client, number = Client(self._port, timeout_s=_TIMEOUT_S), 0
        while not self._enough.wait(self._pace_s):
            number += 1
            place = (conversation, f"m-{number:06d}")
            told = self._post(
                client, ANSWER, {"text": self._texts[number % len(self._texts)], "conversation_id": place[0], "message_id": place[1]}
            )
            if told is None:
                continue
            answer_id, stored = str(told.body["answer_id"]), bool(told.body["stored"])
            self.ledger.turn(place, answer_id, stored=stored, ms=told.ms)
            if stored and number % _FEEDBACK_EVERY == 0:
                label = f"{conversation}.{number}"
                if self._post(client, FEEDBACK, {"answer_id": answer_id, "rating": number % 5 + 1, "reasons": [label]}):
                    self.ledger.thought(answer_id, label)
        client.close()

    def _post(self, client: Client, path: str, body: Mapping[str, Any]) -> Told | None:
        """The reply with status 200; None where the client gave up, which a patient one does long after its time alone."""
        over = 0
        while over < _LAST_TRIES:
            told = client.post(path, body, self._headers)
            if told.status == _OK:
                return told
            self.ledger.trouble(told.status)
            if not self._patient:
                return None
            over += self._enough.is_set()
            Event().wait(_AGAIN_S)
        return None
