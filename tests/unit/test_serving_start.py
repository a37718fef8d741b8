"""The command line, and starts that must fail clearly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from serving.__main__ import main
from serving.keys import AccessError
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
    code = "import sys; from serving.__main__ import main; sys.exit('numpy' in sys.modules or main(['openapi']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["info"]["title"] == "Yingda"


SERVER = """
import sys
from pathlib import Path
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
        server.communicate(timeout=30)
    assert server.returncode == 0


def test_a_server_that_cannot_decide_its_first_message_stops_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", SERVER, "broken"], capture_output=True, check=False, timeout=30)
    said = done.stderr.decode()
    assert done.stdout == b""
    assert "error: models/current: the engine could not decide its first message" in said
    assert "hunter2" not in said
    assert "Traceback" not in said
