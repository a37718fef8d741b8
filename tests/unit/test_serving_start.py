"""The command line, and starts that must fail clearly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from serving.command import main
from serving.keys import AccessError
from serving.processes import READY, spawn
from serving.server import serve
from serving.settings import Settings, SettingsError
from yingda.domain.errors import BundleError, YingdaError


def never(_settings: Settings) -> object:
    raise AssertionError("the engine must not be opened")


def test_an_open_address_without_keys_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("YINGDA_HOST", "0.0.0.0")
    assert main([]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "YINGDA_KEYS_FILE" in said


def test_malformed_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("[]")
    with pytest.raises(AccessError, match="holds no key"):
        serve(Settings(keys_file=path), never, never)  # type: ignore[arg-type]


def test_a_port_in_use_is_refused_before_the_engine_is_opened() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1 port {port}"):
            serve(Settings(port=port), never, never)  # type: ignore[arg-type]


def test_a_bundle_that_cannot_be_opened_is_reported_as_it_is() -> None:
    def refuse(_settings: Settings) -> object:
        raise BundleError("models/current: manifest.json is missing; run `dvc repro pack`")

    with pytest.raises(YingdaError, match=r"manifest\.json is missing"):
        serve(Settings(port=0), refuse, refuse)  # type: ignore[arg-type]


def test_the_contract_needs_no_model_runtime() -> None:
    code = "import sys; from serving.command import main; sys.exit('numpy' in sys.modules or main(['openapi']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["info"]["title"] == "Yingda"


SERVER = """
import sys
from pathlib import Path
from serving.processes import READY, spawn
from serving.server import serve
from serving.settings import Settings
from tests.fakes import FakeEngine
from yingda.domain.errors import YingdaError
from yingda.store.memory import VolatileMemory
failure = KeyError("hunter2") if "broken" in sys.argv else None
try:
    serve(Settings(port=0), lambda _settings: FakeEngine(failure=failure), lambda _settings: VolatileMemory())
except YingdaError as error:
    sys.exit(f"error: {error}")
"""


def test_a_server_says_where_it_listens_and_stops_when_told() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        said = server.stdout.readline().decode()
        address = said.removeprefix("listening on ").strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/readyz") as response:
            assert json.load(response)["status"] == "ready"
        server.terminate()
        server.communicate(timeout=180)
    assert server.returncode == 0


def test_a_server_that_cannot_decide_its_first_message_stops_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", SERVER, "broken"], capture_output=True, check=False, timeout=180)
    said = done.stderr.decode()
    assert done.stdout == b""
    assert "error: models/current: the engine could not decide its first message" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


WORKER = """
import socket, sys
from serving.server import Openers, serve_worker
from serving.settings import Settings
from tests.fakes import FakeEngine
from yingda.store.memory import VolatileMemory
listener, channel = (socket.socket(fileno=int(sys.argv[sys.argv.index(name) + 1])) for name in ("--listener", "--channel"))
openers = Openers(lambda _settings: FakeEngine(), lambda _settings: VolatileMemory())
serve_worker(Settings(), openers, listener=listener, channel=channel, number=7)
"""


def test_a_worker_serves_the_socket_it_is_given_counts_for_all_and_ends_with_its_supervisor(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = "http://{}:{}".format(*listener.getsockname())
        worker = spawn(listener, tmp_path, 7, command=[sys.executable, "-c", WORKER])
        assert worker.channel.recv(16) == READY
        with urllib.request.urlopen(f"{address}/readyz") as response:
            assert json.load(response)["status"] == "ready"
        with urllib.request.urlopen(f"{address}/metrics") as response:
            told = response.read().decode().splitlines()
        worker.channel.close()
        assert worker.process.wait(timeout=180) == 0

    assert 'yingda_http_requests_total{method="GET",route="/readyz",status="200"} 1.0' in told
    assert "yingda_queue_messages 0.0" in told
    assert "yingda_http_requests_in_flight 1.0" in told
    assert any(path.name.startswith("counter_") for path in tmp_path.iterdir())
