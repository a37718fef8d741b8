"""The whole pipeline on a small encoder and a part of the pack: material in, a bundle that answers out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from training import base_encoder, bundle, calibrate, card, export, linear, prepare, train
from training.base_encoder import build_tokenizer
from training.params import load_params
from yingda.assemble import open_engine
from yingda.bundle import open_bundle
from yingda.domain.errors import MaterialError
from yingda.domain.message import Message

ROOT = Path(__file__).parents[2]
PACK = ROOT / "data/packs/retail"
ROWS = 700


def small_pack(target: Path) -> None:
    """The retail pack's knowledge with every 26th training message and no evaluation file at all."""
    (target / "utterances").mkdir(parents=True)
    for path in PACK.glob("*.yaml"):
        shutil.copyfile(path, target / path.name)
    lines = [line for path in sorted(PACK.glob("utterances/train-*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    chosen = lines[:: len(lines) // ROWS]
    (target / "utterances/train-1.jsonl").write_text("\n".join(chosen) + "\n", "utf-8")


def small_encoder(target: Path) -> None:
    """A random BERT of two layers over single characters, in the form a hub model has."""
    texts = "".join(path.read_text("utf-8") for path in PACK.glob("utterances/train-1.jsonl"))
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *sorted(set(texts) - {" ", "▁"}), "<mask>"]
    scores = np.full(len(pieces), -5.0, np.float32)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=build_tokenizer(pieces, scores), **base_encoder._SPECIAL)  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, pad_token_id=1
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(target)
    wrapped.save_pretrained(target)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which every stage but evaluation has run."""
    root = tmp_path_factory.mktemp("workshop")
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["prepare"]["pack"] = "pack"
    params["train"] |= {"layers": 2, "epochs": 2, "threads": 1}
    params["linear"] |= {"iterations": 5, "tolerance": 0.001}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    small_pack(root / "pack")
    small_encoder(root / "hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        base_encoder.main(["base", "--from-hub", "hub"])
        prepare.main(["data"])
        train.main(["--data", "data", "--base", "base", "--target", "weights"])
        linear.main(["--data", "data", "--target", "linear"])
        export.main(["--data", "data", "--base", "base", "--weights", "weights/weights.safetensors", "--target", "export"])
        shared = ["--data", "data", "--base", "base", "--export", "export", "--linear", "linear"]
        calibrate.main([*shared, "--weights", "weights/weights.safetensors", "--target", "calibration"])
        bundle.main([*shared, "--weights", "weights", "--calibration", "calibration", "--target", "candidate"])
        yield root


def test_a_bundle_made_from_material_answers(workshop: Path) -> None:
    engine = open_engine(workshop / "candidate")
    answer = engine.answer(Message("快递三天没动了"))
    assert answer.reply.text
    assert answer.classification.intent.code in engine.knowledge.taxonomy.intents


def test_words_embeddings_of_any_model_are_stored_in_few_bits(workshop: Path) -> None:
    facts = json.loads((workshop / "export/export.json").read_text("utf-8"))
    assert facts["embedding_bits"] == 8  # random weights are no multiples of a 4-bit step
    assert facts["int8_mean_cosine"] > 0.97


def test_training_needs_no_evaluation_file(workshop: Path) -> None:
    assert not list((workshop / "pack").rglob("test-*"))
    assert open_bundle(workshop / "candidate").manifest["data_sha256"]


def test_an_interrupted_training_goes_on_to_the_same_weights(workshop: Path, tmp_path: Path) -> None:
    data, base = workshop / "data", workshop / "base"
    params = load_params(workshop / "params.yaml")
    whole = train.train(data, base, tmp_path / "whole", params)

    class InterruptedRunError(Exception):
        pass

    def stop_after_first(run: train.Run, path: Path) -> None:
        train.save_checkpoint(run, path)
        raise InterruptedRunError

    with pytest.raises(InterruptedRunError):
        train.train(data, base, tmp_path / "parts", params, checkpoint=stop_after_first)
    parts = train.train(data, base, tmp_path / "parts", params)
    assert parts["history"] == whole["history"]
    assert (tmp_path / "parts/weights.safetensors").read_bytes() == (tmp_path / "whole/weights.safetensors").read_bytes()


def test_a_card_about_another_bundle_is_refused(workshop: Path, tmp_path: Path) -> None:
    report = {"bundle": {"sha256": "0" * 64}}
    with pytest.raises(MaterialError, match="another bundle"):
        card.ship(workshop / "candidate", report, {}, tmp_path / "current")
    assert not (tmp_path / "current").exists()
