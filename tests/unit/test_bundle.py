"""Bundles: what is verified before use, and that everything else is refused with the file and the remedy."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes_core import write_fake_bundle, write_tiny_bundle
from yingda import bundle as layout
from yingda.assemble import open_engine
from yingda.bundle import MANIFEST, REQUIRED, open_bundle, write_manifest
from yingda.domain.errors import BundleError
from yingda.domain.message import Message
from yingda.text.fingerprint import write_fingerprints

REMEDY = "restore the bundle from the repository or rebuild it with `dvc repro`"


def refusal(root: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(root)
    return str(caught.value)


def read_manifest(root: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((root / MANIFEST).read_text("utf-8"))
    return manifest


def edit_manifest(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = read_manifest(root)
    change(manifest)
    (root / MANIFEST).write_text(json.dumps(manifest), "utf-8")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_fake_bundle(tmp_path / "b")


# ---- what is accepted ----


def test_an_untouched_bundle_opens(bundle: Path) -> None:
    opened = open_bundle(bundle)

    assert opened.identity.version == "1.0"
    assert re.fullmatch("[0-9a-f]{64}", opened.identity.sha256)
    assert opened.path("labels.json") == bundle / "labels.json"


def test_the_manifest_lists_every_file_with_size_and_digest(bundle: Path) -> None:
    files = open_bundle(bundle).manifest["files"]

    assert set(files) == {*REQUIRED, "knowledge/policy.yaml"}
    assert all(facts["bytes"] == (bundle / name).stat().st_size for name, facts in files.items())


def test_a_copy_elsewhere_has_the_same_identity(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "copy")

    assert open_bundle(tmp_path / "copy").identity == open_bundle(bundle).identity


def test_sealing_twice_changes_nothing(bundle: Path) -> None:
    before = (bundle / MANIFEST).read_bytes()

    write_manifest(bundle, {"version": "1.0", "thresholds": {"match": 0.5}})

    assert (bundle / MANIFEST).read_bytes() == before


# ---- identity ----


def test_identity_ignores_the_card_and_the_evaluation_it_reports(bundle: Path) -> None:
    before = open_bundle(bundle).identity
    (bundle / layout.CARD).write_text("# evaluated\n", "utf-8")

    write_manifest(bundle, {"version": "1.0", "thresholds": {"match": 0.5}, "evaluation": {"top1": 0.9}})

    assert open_bundle(bundle).identity == before


@pytest.mark.parametrize("name", [name for name in REQUIRED if name != layout.CARD] + ["knowledge/policy.yaml"])
def test_identity_changes_with_every_other_file(bundle: Path, name: str) -> None:
    before = open_bundle(bundle).identity.sha256
    (bundle / name).write_text("other", "utf-8")

    write_manifest(bundle, {"version": "1.0", "thresholds": {"match": 0.5}})

    assert open_bundle(bundle).identity.sha256 != before


def test_identity_ignores_the_fingerprints_of_trained_rows(bundle: Path) -> None:
    before = open_bundle(bundle).identity
    (bundle / layout.TRAINED).write_bytes(b"fingerprints")

    write_manifest(bundle, {"version": "1.0", "thresholds": {"match": 0.5}})

    assert open_bundle(bundle).identity == before
    assert layout.TRAINED in open_bundle(bundle).manifest["files"]


def test_identity_changes_with_a_threshold(bundle: Path) -> None:
    before = open_bundle(bundle).identity.sha256

    write_manifest(bundle, {"version": "1.0", "thresholds": {"match": 0.6}})

    assert open_bundle(bundle).identity.sha256 != before


def test_identity_is_the_same_with_and_without_a_seal(bundle: Path) -> None:
    before = open_bundle(bundle).identity

    edit_manifest(bundle, lambda manifest: manifest.pop("seal"))

    assert open_bundle(bundle).identity == before


# ---- what is refused ----


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'}: there is no bundle folder here; {REMEDY}"


@pytest.mark.parametrize("name", [*REQUIRED, MANIFEST, "knowledge/policy.yaml"])
def test_a_missing_file_is_refused_by_name(bundle: Path, name: str) -> None:
    (bundle / name).unlink()

    assert refusal(bundle) == f"{bundle / name}: missing; {REMEDY}"


@pytest.mark.parametrize("name", [*REQUIRED, "knowledge/policy.yaml"])
def test_a_truncated_file_is_refused_by_name(bundle: Path, name: str) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-1])

    message = refusal(bundle)

    assert message.startswith(f"{path}: has ")
    assert message.endswith(REMEDY)


@pytest.mark.parametrize("name", [*REQUIRED, "knowledge/policy.yaml"])
def test_an_altered_file_is_refused_by_name(bundle: Path, name: str) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    assert refusal(bundle) == f"{path}: its SHA-256 differs from the manifest; {REMEDY}"


@pytest.mark.parametrize(("content", "told"), [(b"fingerprint!", "its SHA-256 differs"), (b"", "has 0 bytes"), (None, "missing")])
def test_altered_fingerprints_are_refused_though_no_bundle_needs_them(bundle: Path, content: bytes | None, told: str) -> None:
    path = bundle / layout.TRAINED
    path.write_bytes(b"fingerprints")
    write_manifest(bundle, {"version": "1.0"})

    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    assert refusal(bundle).startswith(f"{path}: {told}")


def test_a_folder_in_place_of_a_file_is_refused(bundle: Path) -> None:
    (bundle / "labels.json").unlink()
    (bundle / "labels.json").mkdir()

    assert refusal(bundle) == f"{bundle / 'labels.json'}: missing; {REMEDY}"


def test_a_file_that_only_the_manifest_names_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].update({"extra.bin": {"bytes": 1, "sha256": "0" * 64}}))

    assert refusal(bundle) == f"{bundle / 'extra.bin'}: missing; {REMEDY}"


@pytest.mark.parametrize("name", ["../outside", "knowledge/../../outside", "/etc/hostname", ".."])
def test_a_manifest_that_leaves_the_bundle_is_refused(bundle: Path, name: str) -> None:
    (bundle.parent / "outside").write_text("x", "utf-8")

    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: {"bytes": 1, "sha256": "0" * 64}}))

    assert refusal(bundle) == f"{bundle / MANIFEST}: names a file outside the bundle; {REMEDY}"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_manifest_that_does_not_list_a_required_file_is_refused(bundle: Path, name: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].pop(name))

    assert refusal(bundle) == f"{bundle / MANIFEST}: does not list {name}; {REMEDY}"


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest.pop("version"),
        lambda manifest: manifest.update(version=1),
        lambda manifest: manifest.update(format=2),
        lambda manifest: manifest.pop("format"),
        lambda manifest: manifest["files"].update({"labels.json": None}),
        lambda manifest: manifest["files"]["labels.json"].pop("sha256"),
        lambda manifest: manifest["files"]["labels.json"].update(bytes="many"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit_manifest(bundle, change)

    message = refusal(bundle)

    assert message.startswith(f"{bundle / MANIFEST}: ")
    assert message.endswith(REMEDY)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_a_manifest_that_is_not_json_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / MANIFEST).write_bytes(content)

    message = refusal(bundle)

    assert message.startswith(f"{bundle / MANIFEST}: ")
    assert message.endswith(REMEDY)


def test_an_overlong_name_in_the_manifest_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].update({"n" * 5000: {"bytes": 1, "sha256": "0" * 64}}))

    assert refusal(bundle).endswith(REMEDY)


@given(st.sampled_from([*REQUIRED, "knowledge/policy.yaml"]), st.integers(0), st.integers(1, 255))
def test_any_flipped_byte_of_any_file_is_refused(name: str, place: int, flip: int) -> None:
    with TemporaryDirectory() as folder:
        path = write_fake_bundle(Path(folder)) / name
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= flip
        path.write_bytes(data)

        assert refusal(Path(folder)) == f"{path}: its SHA-256 differs from the manifest; {REMEDY}"


@given(st.integers(0), st.integers(1, 255))
def test_any_flipped_byte_of_the_manifest_is_refused_or_changes_the_identity(place: int, flip: int) -> None:
    with TemporaryDirectory() as folder:
        root = write_fake_bundle(Path(folder))
        before = open_bundle(root)
        data = bytearray((root / MANIFEST).read_bytes())
        data[place % len(data)] ^= flip
        (root / MANIFEST).write_bytes(data)

        try:
            after = open_bundle(root)
        except BundleError:
            return
        # white space between values carries nothing
        assert after.identity != before.identity or after.manifest == before.manifest


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["thresholds"].update(match=0.6),
        lambda manifest: manifest.update(version="2.0"),
        lambda manifest: manifest.update(added="half a pair: \ud800"),
        lambda manifest: manifest.update(seal=None),
    ],
)
def test_an_altered_value_of_a_sealed_manifest_is_refused(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit_manifest(bundle, change)

    assert refusal(bundle) == f"{bundle / MANIFEST}: a value in it was altered after it was written; {REMEDY}"


# ---- a bundle that answers ----


@pytest.mark.parametrize("value", ["0.5", True, None, -0.1, 1.5, float("nan"), float("inf"), [0.5], {}])
def test_a_threshold_that_is_no_share_is_refused_even_where_it_was_sealed(tmp_path: Path, value: object) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    facts = {name: fact for name, fact in read_manifest(root).items() if name not in ("files", "format")}
    write_manifest(root, {**facts, "thresholds": {**facts["thresholds"], "match": value}})

    with pytest.raises(BundleError, match="written for another version"):
        open_engine(root)


@pytest.mark.parametrize("value", ["128", True, None, 0, -5, 12.5])
def test_a_number_of_tokens_that_is_none_is_refused_even_where_it_was_sealed(tmp_path: Path, value: object) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    facts = {name: fact for name, fact in read_manifest(root).items() if name not in ("files", "format")}
    write_manifest(root, {**facts, "encoder": {"max_tokens": value}})

    with pytest.raises(BundleError, match="written for another version"):
        open_engine(root)


def test_a_whole_bundle_becomes_an_engine(tmp_path: Path) -> None:
    engine = open_engine(write_tiny_bundle(tmp_path / "b"))

    answer = engine.answer(Message("什么时候发货"))

    assert answer.faq is not None
    assert answer.faq.id == "ship-when"


def test_fingerprints_of_trained_rows_change_no_answer(tmp_path: Path) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    before = open_engine(root)
    write_fingerprints(root / layout.TRAINED, ["什么时候发货"])
    facts = {name: value for name, value in read_manifest(root).items() if name not in ("files", "format")}
    write_manifest(root, facts)

    after = open_engine(root)

    assert after.identity == before.identity
    assert after.answer(Message("什么时候发货")).candidates == before.answer(Message("什么时候发货")).candidates


def test_a_pack_beside_the_bundle_overrides_its_copy(tmp_path: Path) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    shutil.copytree(root / layout.KNOWLEDGE, tmp_path / "pack")
    policy = tmp_path / "pack" / "policy.yaml"
    policy.write_text(policy.read_text("utf-8").replace("48 小时", "24 小时"), "utf-8")

    answer = open_engine(root, pack=tmp_path / "pack").answer(Message("什么时候发货"))

    assert answer.reply.parts.solution == "24 小时内发出。"


def test_a_pack_with_other_intents_is_refused(tmp_path: Path) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    shutil.copytree(root / layout.KNOWLEDGE, tmp_path / "pack")
    taxonomy = tmp_path / "pack" / "taxonomy.yaml"
    added = "      - {code: ORDER_NEW, zh: 新, kind: none, priority: low, skill: order, is: 新, not: 旧}\n"
    lines = taxonomy.read_text("utf-8").split("  - code: AFTER_SALES", 1)
    taxonomy.write_text(lines[0] + added + "  - code: AFTER_SALES" + lines[1], "utf-8")

    with pytest.raises(BundleError, match="disagree on intents: ORDER_NEW; retrain"):
        open_engine(root, pack=tmp_path / "pack")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("labels.json", b"{}", "labels.json"),
        ("calibration.json", b"{}", "rebuild"),
        ("tokenizer.json", b"{}", "tokenizer.json"),
        ("encoder.onnx", b"x", "encoder.onnx"),
        ("linear.json", b"{}", "linear.json"),
        ("faq.safetensors", b"x", "faq.safetensors"),
    ],
)
def test_a_sealed_file_of_another_kind_is_refused_by_name(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    root = write_tiny_bundle(tmp_path / "b")
    (root / name).write_bytes(content)
    facts = json.loads((root / MANIFEST).read_text("utf-8"))
    write_manifest(root, {key: facts[key] for key in ("version", "encoder", "thresholds", "knowledge_sha256")})

    with pytest.raises(BundleError, match=told):
        open_engine(root)


def test_a_file_that_the_manifest_does_not_list_is_refused_by_name(bundle: Path) -> None:
    (bundle / "added.yaml").write_text("- id: injected\n", "utf-8")
    with pytest.raises(BundleError, match=r"added\.yaml: the manifest does not list this file; remove it"):
        open_bundle(bundle)


def test_knowledge_other_than_the_manifest_names_is_refused(tmp_path: Path) -> None:
    root = write_tiny_bundle(tmp_path / "bundle")
    manifest = json.loads((root / "manifest.json").read_text("utf-8"))
    facts = {name: value for name, value in manifest.items() if name not in ("files", "format")}
    write_manifest(root, {**facts, "knowledge_sha256": "0" * 64})
    with pytest.raises(BundleError, match="differs from the knowledge"):
        open_engine(root)
