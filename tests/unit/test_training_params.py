"""params.yaml: typed, and every wrong key is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from training.params import load_params
from yingda.domain.errors import MaterialError

REAL = Path(__file__).parents[2] / "params.yaml"


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The project's own parameters with one change."""
    fields = yaml.safe_load(REAL.read_text("utf-8"))
    change(fields)
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(fields), "utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(MaterialError) as caught:
        load_params(path)
    return str(caught.value)


def test_the_projects_own_parameters_are_valid() -> None:
    params = load_params(REAL)

    assert params.prepare.pack == Path("data/packs/retail")
    assert params.calibrate.assurance > 0.5


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda fields: fields.update(colour="red"), "colour"),
        (lambda fields: fields["train"].update(epoch=3), "train.epoch"),
        (lambda fields: fields["linear"].update(gram=3), "linear.gram"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it(tmp_path: Path, change: Callable[[dict[str, Any]], object], key: str) -> None:
    assert f"{key}: Extra inputs are not permitted" in refusal(changed(tmp_path, change))


def test_a_missing_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert "train.epochs: Field required" in refusal(changed(tmp_path, lambda fields: fields["train"].pop("epochs")))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("prepare", "calibration_share", 0.5),
        ("train", "epochs", 0),
        ("train", "max_tokens", 1024),
        ("calibrate", "error_budget", 0),
        ("calibrate", "assurance", 0.5),
        ("calibrate", "anger_budget", 1),
        ("decide", "clarify", "very"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(tmp_path: Path, section: str, key: str, value: object) -> None:
    assert f"{section}.{key}: " in refusal(changed(tmp_path, lambda fields: fields[section].update({key: value})))


def test_all_wrong_keys_are_named_together(tmp_path: Path) -> None:
    message = refusal(changed(tmp_path, lambda fields: (fields["train"].pop("epochs"), fields.update(colour="red"))))

    assert "train.epochs" in message
    assert "colour" in message


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    assert refusal(tmp_path / "params.yaml").endswith("cannot be read; run from the repository root")


@pytest.mark.parametrize("content", [b"", b"- 1", b"a: [", b"\xff\xfe\xff"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)

    assert str(tmp_path / "params.yaml") in refusal(tmp_path / "params.yaml")


def test_an_unknown_profile_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    message = refusal(changed(tmp_path, lambda fields: fields.update(profile="huge")))

    assert "profile 'huge' is none of accurate, current, fast" in message


def test_the_profile_decides_the_depth(tmp_path: Path) -> None:
    params = load_params(changed(tmp_path, lambda fields: fields.update(profile="fast")))

    assert params.layers == params.profiles["fast"].layers < params.train.layers


def test_the_environment_may_name_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGDA_PARAMS", str(changed(tmp_path, lambda fields: fields.update(version="7"))))

    assert load_params().version == "7"
