"""A bundle is a folder with every fact about a model: written by training, verified by everyone before use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from yingda.domain.errors import BundleError
from yingda.domain.identity import ModelIdentity

FORMAT = 1
MANIFEST = "manifest.json"
ENCODER = "encoder.onnx"
TOKENIZER = "tokenizer.json"
LABELS = "labels.json"
CALIBRATION = "calibration.json"
LINEAR_GRAMS = "linear.json"
LINEAR_WEIGHTS = "linear.safetensors"
FAQ_VECTORS = "faq.safetensors"
KNOWLEDGE = "knowledge"
CARD = "MODEL_CARD.md"
TRAINED = "trained.safetensors"
"""Fingerprints of the rows that the models and the calibration saw; bundles made before there were any lack it."""
REQUIRED = (ENCODER, TOKENIZER, LABELS, CALIBRATION, LINEAR_GRAMS, LINEAR_WEIGHTS, FAQ_VECTORS, CARD)

SEAL = "seal"
"""Key of a manifest's own SHA-256 over everything else in it; manifests made before there was one lack it."""

_REMEDY = "restore the bundle from the repository or rebuild it with `dvc repro`"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its folder, identity and manifest."""

    root: Path
    identity: ModelIdentity
    manifest: Mapping[str, Any]

    def path(self, name: str) -> Path:
        """Path of the file ``name``."""
        return self.root / name

    def read_json(self, name: str) -> Any:
        """Parsed content of the JSON file ``name``."""
        return _read_json(self.root / name)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_manifest(root: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` with size and SHA-256 of every other file below ``root``; the last step of making a bundle."""
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != MANIFEST)
    files = {name: {"bytes": (root / name).stat().st_size, "sha256": file_digest(root / name)} for name in names}
    manifest = {"format": FORMAT, **facts, "files": files}
    manifest[SEAL] = _seal_of(manifest)
    partial = root / (MANIFEST + ".partial")
    partial.write_text(json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
    partial.replace(root / MANIFEST)


def settled(root: Path) -> Path:
    """The folder that ``root`` leads to now: a link may be switched while a bundle is read, and two must never be mixed."""
    try:
        return root.resolve() if root.is_symlink() else root
    except (OSError, RuntimeError):  # a loop of links; opening says what is wrong with it
        return root


def open_bundle(root: Path) -> Bundle:
    """The bundle at ``root``, every file checked; raises BundleError that names the file at fault and the remedy."""
    if not root.is_dir():
        raise BundleError(f"{root}: there is no bundle folder here; {_REMEDY}")
    manifest_path = root / MANIFEST
    manifest = _read_json(manifest_path)
    _check_manifest(manifest, manifest_path)
    _check_nothing_added(root, manifest["files"])
    for name, expected in manifest["files"].items():
        _verify(root / name, expected)
    if SEAL in manifest and manifest[SEAL] != _seal_of(manifest):
        raise BundleError(f"{manifest_path}: a value in it was altered after it was written; {_REMEDY}")
    return Bundle(root, ModelIdentity(manifest["version"], deciding_digest(manifest)), manifest)


_TOLD = frozenset({"data", "effort", "evaluation", "files", "promise_prices", "training", SEAL})
"""Parts of a manifest that tell where a bundle comes from and how good it is; the files are counted one by one."""
_TOLD_FILES = frozenset({CARD, TRAINED})
"""Files that tell likewise; the rows themselves count, through the manifest's ``data_sha256``."""


def deciding_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over all that can change an answer: the manifest without what it and its files tell of data, training and quality."""
    files = {name: facts for name, facts in manifest["files"].items() if name not in _TOLD_FILES}
    deciding = {name: value for name, value in manifest.items() if name not in _TOLD} | {"files": files}
    return _digest_of(deciding)


def _seal_of(manifest: Mapping[str, Any]) -> str:
    return _digest_of({name: value for name, value in manifest.items() if name != SEAL})


def _digest_of(value: Any) -> str:
    # a manifest may hold half a surrogate pair, which has no bytes of its own
    return sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _check_manifest(manifest: Any, path: Path) -> None:
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int or manifest["format"] != FORMAT:
        raise BundleError(f"{path}: not a manifest of format {FORMAT}; {_REMEDY}")
    files = manifest.get("files")
    if not isinstance(files, dict) or not isinstance(manifest.get("version"), str):
        raise BundleError(f"{path}: version or files is missing; {_REMEDY}")
    for name, expected in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BundleError(f"{path}: names a file outside the bundle; {_REMEDY}")
        if not isinstance(expected, dict) or not isinstance(expected.get("sha256"), str) or not isinstance(expected.get("bytes"), int):
            raise BundleError(f"{path}: the entry for {name} lacks bytes or sha256; {_REMEDY}")
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise BundleError(f"{path}: does not list {', '.join(missing)}; {_REMEDY}")


def _check_nothing_added(root: Path, files: Mapping[str, Any]) -> None:
    present = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    added = sorted(present - set(files) - {MANIFEST})
    if added:
        raise BundleError(f"{root / added[0]}: the manifest does not list this file; remove it, or {_REMEDY}")


def _verify(path: Path, expected: Mapping[str, Any]) -> None:
    try:
        found = path.is_file()
    except OSError:
        found = False
    if not found:
        raise BundleError(f"{path}: missing; {_REMEDY}")
    try:
        size, digest = path.stat().st_size, file_digest(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read; check its permissions, or {_REMEDY}") from error
    if size != expected["bytes"]:
        raise BundleError(f"{path}: has {size:,} bytes, the manifest says {expected['bytes']:,}; {_REMEDY}")
    if digest != expected["sha256"]:
        raise BundleError(f"{path}: its SHA-256 differs from the manifest; {_REMEDY}")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BundleError(f"{path}: missing; {_REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not readable as JSON; {_REMEDY}") from error
