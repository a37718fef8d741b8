"""The whole app with everything that writes, and a search for what was planted in whatever it wrote."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.testclient import TestClient

from serving.app import create_app
from serving.keys import KeyRing, NewKey
from serving.logs import LogBridge, open_log
from serving.settings import Settings
from serving.tracing import open_tracing
from tests.fakes_core import tiny_engine
from tests.lasting_kit import Shop
from tests.serving_kit import key_for
from yingda.access.scopes import Scope
from yingda.store.vault import Vault

ALL = key_for(*Scope)
"""A key that may do everything, and one that may do everything but see originals."""
MASKED_ONLY = key_for(*(scope for scope in Scope if scope is not Scope.DATA_UNMASK))
BREAKS = "引擎坏了"
"""A message with these words breaks the engine, which says the message in its error."""

_NUMERALS = str.maketrans("零一二三四五六七八九", "0123456789")
_PARTED = re.compile(r'[\x00-\x1f"{}\[\]<>;]+')
_LEAST = 11


class BreakableEngine:
    """An engine that some messages break."""

    def __init__(self) -> None:
        self._engine = tiny_engine()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def answer_many(self, messages: Any, states: Any = None) -> Any:
        """See Engine."""
        for message in messages:
            if BREAKS in message.text:
                raise ValueError(f"cannot decide {message}")
        return self._engine.answer_many(messages, states)


@dataclass
class Collector:
    """What a collector of OTLP over HTTP was sent, as it came."""

    address: str
    bodies: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """All of it: bytes as text, and in hexadecimal as ids of traces are shown."""
        body = b"".join(self.bodies)
        return "\n".join([*self.heads, body.decode("utf-8", "replace"), body.hex()])


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on this machine."""
    found = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.heads.append(f"{self.path} {self.headers}")
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@dataclass
class PlantedShop:
    """A shop with journal, keys, audit log, traces and a log at its most talkative; ``refused`` keeps every response from 400 on."""

    shop: Shop
    stream: io.StringIO
    client: TestClient
    refused: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def send(self, method: str, path: str, *, key: NewKey = ALL, headers: Sequence[tuple[str, str]] = (), **rest: Any) -> Any:
        """Send a request; what the caller is told is kept where it was refused."""
        sent = [(name.encode(), value.encode()) for name, value in (("authorization", f"Bearer {key.key}"), *headers)]
        response = self.client.request(method, path, headers=sent, **rest)
        self.statuses.add(response.status_code)
        if response.status_code >= 400:
            self.refused.append(f"{response.text} {response.headers}")
        return response

    def files(self) -> dict[str, str]:
        """Each file of the store and of the journal, as it is now: while the app runs, the newest pages stand in the write-ahead log."""
        paths = sorted(path for path in self.shop.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.shop.folder).as_posix(): path.read_bytes().decode("utf-8", "replace") for path in paths}


@contextmanager
def planted_shop(folder: Path, vault: Vault | None, *, traces: str) -> Iterator[PlantedShop]:
    """The app over a store that can go away, which sends its traces to the address ``traces``."""
    stream = io.StringIO()
    log = open_log(stream, "debug")
    bridge, root = LogBridge(log), logging.getLogger()
    settings = Settings(otlp_endpoint=traces, trace_sample=1.0, log_level="debug")
    with closing(Shop(folder)) as shop, closing(shop.process()) as memory:
        app = create_app(
            settings,
            BreakableEngine(),
            keys=KeyRing([ALL.record, MASKED_ONLY.record]),
            log=log,
            memory=memory,
            vault=vault,
            tracing=open_tracing(settings, version="1"),
        )
        root.addHandler(bridge)
        try:
            with TestClient(app, raise_server_exceptions=False) as client:
                yield PlantedShop(shop, stream, client)
        finally:
            root.removeHandler(bridge)


class Search:
    """Looks for secrets in every spelling in which they could be written down."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._forms = {form: secret for secret in secrets for form in spellings(secret)}

    def leaks(self, text: str) -> list[str]:
        """The secrets that stand in ``text``."""
        # most of what is written repeats itself
        told = "\n".join(dict.fromkeys(_PARTED.split(text)))
        return sorted({secret for form, secret in self._forms.items() if form in told})


def digits_of(secret: str) -> str:
    """The digits of a number in whatever spelling, without what parts them; empty for what is no number or a short one.

    Nobody can tell a number of fewer digits from chance in an id that is drawn at random.
    """
    narrow = unicodedata.normalize("NFKC", secret).translate(_NUMERALS)
    digits = re.sub(r"\D", "", narrow)
    return "" if len(digits) < _LEAST or re.search(r"[^\W\d]", narrow) else digits


def spellings(secret: str) -> set[str]:
    """``secret`` as it was sent, escaped, encoded, in half-width digits, and as bare digits."""
    narrow = unicodedata.normalize("NFKC", secret).translate(_NUMERALS)
    forms = {secret, narrow, json.dumps(secret)[1:-1], quote(secret), ascii(secret)[1:-1], secret.encode().decode("latin-1")}
    return {form for form in (*forms, digits_of(secret)) if form}
