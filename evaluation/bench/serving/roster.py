"""Every server of the comparison; Yingda as it is shipped comes first and stands on one side of every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.bench.serving.environments import Venv
from evaluation.bench.serving.server import Server

ROOT = Path(__file__).parents[3]
SERVERS = Path(__file__).parent / "servers"
YINGDA, VOLATILE, FAST = "yingda", "yingda-memory", "yingda-fast"
ECHO = "echo"

_TORCH = ("torch==2.13.0", "transformers", "safetensors")
_WEB = ("fastapi", "uvicorn", "uvloop", "httptools")
_GRAPH = ("onnxruntime", "tokenizers", "numpy", "safetensors")


@dataclass(frozen=True, slots=True)
class Weights:
    """Folders: the bundle, a bundle of the fast profile, the base encoder; ``material`` is the file of labels and answers."""

    bundle: Path
    fast_bundle: Path | None
    base: Path
    material: Path


def yingda(weights: Weights, *, name: str = YINGDA) -> Server:
    """The service as `python -m serving` starts it, every reply stored in SQLite before it is told."""
    return Server(
        name,
        "python -m serving, default settings: every reply is stored in SQLite before it is told",
        Venv(YINGDA, ("-e", f"{ROOT}[serve]"), ROOT / "constraints.txt"),
        ("{python}", "-m", "serving"),
        {
            "YINGDA_PORT": "{port}",
            "YINGDA_BUNDLE": str(weights.bundle),
            "YINGDA_STORE": "sqlite:///{work}/stores/{port}.db",
            "PYTHONPATH": str(ROOT),
        },
        ROOT,
        "/v1/answer",
        packages=("onnxruntime", "fastapi", "uvicorn"),
    )


def make_servers(weights: Weights, *, rasa_python: Path | None) -> list[Server]:
    """All servers, Yingda first."""
    shipped = yingda(weights)
    volatile = {**shipped.env, "YINGDA_STORE": "memory"}
    fast = {**shipped.env, "YINGDA_BUNDLE": str(weights.fast_bundle)}
    return [
        shipped,
        replace(shipped, name=VOLATILE, note="the same, nothing stored on disk, as with the peers", env=volatile),
        replace(
            shipped,
            name=FAST,
            note="a bundle of the profile fast (4 layers)",
            env=fast,
            missing=None if weights.fast_bundle else "no bundle of the profile fast; name one with --fast-bundle",
        ),
        *_torch_peers(weights),
        *_graph_peers(weights),
        _infinity(weights),
        _rasa(weights, rasa_python),
        _peer(
            ECHO,
            "FastAPI that tells a parsed message back; Yingda answers one message again and again",
            _WEB,
            "echo",
            weights,
            repeated=True,
        ),
    ]


def _peer(name: str, note: str, requirements: Sequence[str], module: str, weights: Weights, **fields: Any) -> Server:
    """A FastAPI app of ``servers`` under uvicorn, on uvloop and httptools, without an access log."""
    command = (
        "{python}",
        "-m",
        "uvicorn",
        f"{module}:app",
        "--host",
        "127.0.0.1",
        "--port",
        "{port}",
        "--no-access-log",
        "--log-level",
        "warning",
    )
    known = {"venv": Venv(name, requirements, ROOT / "constraints.txt"), "command": command, "env": _env(weights), "folder": SERVERS}
    return Server(name, note, **{**known, "packages": ("fastapi", "uvicorn"), **fields})


def _env(weights: Weights) -> Mapping[str, str]:
    return {"BENCH_MATERIAL": str(weights.material), "BENCH_BASE": str(weights.base), "BENCH_BUNDLE": str(weights.bundle)}


def _older(weights: Weights) -> Sequence[str]:
    """The step that copies the base encoder for transformers before 5."""
    return ("{python}", "older_transformers.py", str(weights.base), "{work}/older-base")


def _torch_peers(weights: Weights) -> list[Server]:
    without = None if (weights.base / "config.json").is_file() else "no base encoder; run `dvc repro base_encoder` or name one with --base"
    torch = Venv("torch", (*_TORCH, *_WEB, "scikit-learn"), ROOT / "constraints.txt")
    onnx = {**_env(weights), "BENCH_ONNX": "{work}/st-onnx", "BENCH_ONNX_FILE": "onnx/model_quint8_avx2.onnx"}
    # its exporter needs an older transformers than the one Yingda trains with
    exporter = Venv("st-onnx", ("torch==2.13.0", "sentence-transformers[onnx]>=5", "requests", *_WEB))
    export = ("{python}", "prepare_st_onnx.py", "{work}/older-base", "{work}/st-onnx")
    return [
        _peer(
            "torch-three",
            "FastAPI, transformers: three e5-small forward passes in torch",
            (),
            "naive_torch",
            weights,
            venv=torch,
            missing=without,
        ),
        _peer(
            "torch-shared",
            "FastAPI, transformers: one e5-small pass in torch, scikit-learn heads",
            (),
            "shared_torch",
            weights,
            venv=torch,
            missing=without,
        ),
        _peer(
            "st-onnx",
            "FastAPI, sentence-transformers on ONNX Runtime: e5-small, 12 layers, int8 by its own exporter, shared by numpy heads",
            (),
            "st_onnx",
            weights,
            venv=exporter,
            env=onnx,
            steps=[_older(weights), export],
            packages=("sentence-transformers", "onnxruntime", "transformers"),
            missing=without,
        ),
    ]


def _graph_peers(weights: Weights) -> list[Server]:
    litserve = Venv("litserve", ("litserve", *_GRAPH))
    bentoml = Venv("bentoml", ("bentoml", *_GRAPH))
    bento = ("{python}", "-m", "bentoml", "serve", "bentoml_onnx:Answers", "--host", "127.0.0.1", "--port", "{port}")
    return [
        _peer("onnx-same", "FastAPI on our own encoder.onnx: identical weights", (*_WEB, *_GRAPH), "onnx_fastapi", weights),
        _peer(
            "litserve",
            "LitServe on our own encoder.onnx",
            (),
            "",
            weights,
            venv=litserve,
            command=("{python}", "litserve_onnx.py"),
            packages=("litserve",),
        ),
        _peer(
            "bentoml",
            "BentoML on our own encoder.onnx",
            (),
            "",
            weights,
            venv=bentoml,
            command=bento,
            env={**_env(weights), "BENTOML_HOME": "{work}/bentoml"},
            packages=("bentoml",),
        ),
    ]


def _infinity(weights: Weights) -> Server:
    command = (
        "{python}",
        "-m",
        "infinity_emb.cli",
        "v2",
        "--model-id",
        "{work}/older-base",
        "--served-model-name",
        "base",
        "--engine",
        "torch",
    )
    options = ("--device", "cpu", "--no-bettertransformer", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning")
    return Server(
        "infinity",
        "infinity-emb on e5-small; heads on the client, not counted",
        Venv("infinity", ("torch==2.13.0", "infinity-emb[server,torch]==0.0.78", "transformers<5")),
        (*command, *options),
        {"INFINITY_ANONYMOUS_USAGE_STATS": "0"},
        SERVERS,
        "/embeddings",
        lambda text: {"model": "base", "input": ["query: " + text]},
        steps=[_older(weights)],
        packages=("infinity-emb", "torch", "sentence-transformers"),
        missing=None
        if (weights.base / "config.json").is_file()
        else "no base encoder; run `dvc repro base_encoder` or name one with --base",
    )


def _rasa(weights: Weights, python: Path | None) -> Server:
    command = ("{python}", "-m", "rasa", "run", "--enable-api", "-m", "{work}/rasa/model/peer.tar.gz", "-i", "127.0.0.1", "-p", "{port}")
    return Server(
        "rasa",
        "Rasa 3.6: jieba, character n-grams, DIET and response selector, trained on the entries' wordings",
        Venv("rasa", ("rasa>=3.6,<3.7", "jieba", "setuptools<81"), ready=python),
        command,
        {},
        SERVERS,
        "/model/parse",
        steps=[
            ("{python}", "-c", "import pathlib; pathlib.Path('{work}/rasa').mkdir(exist_ok=True)"),
            ("{python}", "prepare_rasa.py", str(weights.material), "{work}/rasa"),
        ],
        packages=("rasa", "tensorflow"),
        missing=None if python else "no Python 3.10 with rasa 3.6; name one with --rasa-python (docs/performance.md)",
    )
