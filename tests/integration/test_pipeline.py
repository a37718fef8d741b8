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

from training import base_encoder, bundle, calibrate, card, checkpoint, distil, export, export_proof, linear, prepare, study, train
from training.base_encoder import build_tokenizer
from training.examples import IGNORED, read_examples
from training.logs import command as logs
from training.origins import PARTS
from training.params import load_params
from yingda.assemble import open_engine
from yingda.bundle import TRAINED, open_bundle
from yingda.domain.errors import MaterialError, PackError
from yingda.domain.message import Message
from yingda.pack import read_pack
from yingda.text.fingerprint import fingerprints, read_fingerprints

ROOT = Path(__file__).parents[2]
PACK = ROOT / "data/packs/retail"
ROWS = 700
EVALUATION = ("utterances/test-1.jsonl", "utterances/test-2.jsonl", "utterances/multilingual.jsonl", "conversations/public.jsonl")


def small_pack(target: Path) -> None:
    """The retail pack's knowledge with some of its training messages; each evaluation file is a trap.

    The traps are folders with the files' names: whatever tries to read one fails.
    """
    (target / "utterances").mkdir(parents=True)
    for path in PACK.glob("*.yaml"):
        shutil.copyfile(path, target / path.name)
    lines = [line for path in sorted(PACK.glob("utterances/train-*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    chosen = lines[:: len(lines) // ROWS]
    (target / "utterances/train-1.jsonl").write_text("\n".join(chosen) + "\n", "utf-8")
    for name in EVALUATION:
        (target / name).mkdir(parents=True)


def log_file(target: Path) -> None:
    """A log in which most labels are missing: rows with an intent alone, with an entry alone, and without a sentiment."""
    lines = (PACK / "utterances/train-10.jsonl").read_text("utf-8").splitlines()[1:1000:4]
    rows = [json.loads(line) for line in lines]
    kept = [({"text": r["text"], "intent": r["intent"]} if n % 2 else {"text": r["text"], "faq": r["faq"]}) for n, r in enumerate(rows)]
    target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), "utf-8")


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
    params["prepare"] |= {"logs": ["logs"], "weak_logs": ["nowhere"]}
    params["profiles"] = {"current": {"layers": 2}, "fast": {"layers": 1}}
    params["train"] |= {"layers": 2, "epochs": 2, "threads": 1, "contrast_memory": 256}
    params["distil"] |= {"epochs": 1}
    params["export"] |= {"every": 10, "allowed_loss": 0.1}  # random weights over few rows: one row is a tenth of a point
    params["linear"] |= {"iterations": 5, "tolerance": 0.001}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    small_pack(root / "pack")
    small_encoder(root / "hub")
    log_file(root / "log.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        base_encoder.main(["base", "--from-hub", "hub"])
        assert logs.run(["import", "log.jsonl", "--out", "logs", "--pack", "pack"]) == 0
        prepare.main(["data"])
        train.main(["--data", "data", "--base", "base", "--target", "weights"])
        linear.main(["--data", "data", "--target", "linear"])
        distil.main(["--data", "data", "--base", "base", "--teacher", "weights", "--target", "student"])
        export.main(["--data", "data", "--base", "base", "--weights", "student/weights.safetensors", "--target", "export"])
        shared = ["--data", "data", "--base", "base", "--export", "export", "--linear", "linear"]
        calibrate.main([*shared, "--weights", "student/weights.safetensors", "--target", "calibration"])
        judged = [*shared, "--calibration", "calibration"]
        export_proof.main([*judged, "--weights", "student/weights.safetensors", "--target", "proof"])
        bundle.main([*judged, "--weights", "student", "--proof", "proof", "--target", "candidate"])
        yield root


def test_a_bundle_made_from_material_answers(workshop: Path) -> None:
    engine = open_engine(workshop / "candidate")
    answer = engine.answer(Message("快递三天没动了"))
    assert answer.reply.text
    assert answer.classification.intent.code in engine.knowledge.taxonomy.intents


def test_rows_of_logs_that_lack_labels_take_part(workshop: Path) -> None:
    rows = {part: read_examples(workshop / f"data/{part}.jsonl") for part in ("fit", "calibrate")}
    for part in rows.values():
        assert any(row.style == "log" and row.match == IGNORED for row in part)
        assert any(row.style == "log" and row.match != IGNORED and row.sentiment == IGNORED for row in part)
    assert [log["name"] for log in open_bundle(workshop / "candidate").manifest["data"]["logs"]] == ["logs"]


def test_a_bundle_recognises_every_row_it_was_made_from(workshop: Path) -> None:
    assert TRAINED in open_bundle(workshop / "candidate").manifest["files"]
    trained = read_fingerprints(workshop / "candidate" / TRAINED)
    texts = [row.text for part in PARTS for row in read_examples(workshop / f"data/{part}.jsonl")]
    assert set(trained.tolist()) == set(fingerprints(texts).tolist())
    assert len(trained) == len(set(texts))  # texts of the data are normalised


def test_studies_measure_unseen_entries_more_data_and_less_depth(workshop: Path, tmp_path: Path) -> None:
    params = load_params(workshop / "params.yaml")
    quick = params.model_copy(update={"train": params.train.model_copy(update={"epochs": 1})})
    shop = study.Workshop(workshop / "data", workshop / "base", tmp_path, quick)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workshop)
        unseen = study.held_out(shop)
        points = study.learning_curve(shop, frozenset())
        depths = study.depth(shop, workshop / "weights/weights.safetensors", depths=[1])

    assert unseen["entries"] == round(0.2 * 176)
    assert 0 <= unseen["top1"] <= unseen["top1_by_text_alone"] <= 1
    assert [point["trained_on"] for point in points] == ["25%", "50%", "75%", "100%", "with the logs"]
    assert [(row["layers"], row["precision"]) for row in depths] == [(2, "float32"), (2, "int8"), (1, "float32"), (1, "int8")]
    assert json.loads((tmp_path / "depth.json").read_text("utf-8")) == depths


def test_words_embeddings_of_any_model_are_stored_in_few_bits(workshop: Path) -> None:
    facts = json.loads((workshop / "export/export.json").read_text("utf-8"))
    assert facts["embedding_bits"] == 8  # random weights are no multiples of a 4-bit step
    assert facts["int8_mean_cosine"] > 0.97


def test_int8_is_proven_on_every_headline_and_the_bundle_says_so(workshop: Path) -> None:
    proof = open_bundle(workshop / "candidate").manifest["encoder"]["export"]["proof"]
    assert set(proof["headlines"]) == {*export_proof.HEADLINES, *export_proof.OWN}
    assert proof["rows"] == len(read_examples(workshop / "data/calibrate.jsonl"))
    assert all(proof["headlines"][name]["loss"] <= proof["allowed_loss"] for name in export_proof.HEADLINES)


def test_no_stage_reads_an_evaluation_file(workshop: Path) -> None:
    assert all((workshop / "pack" / name).is_dir() for name in EVALUATION)  # the traps stood there while all stages ran
    assert open_bundle(workshop / "candidate").manifest["data_sha256"]
    with pytest.raises(PackError):
        read_pack(workshop / "pack")  # a reader of evaluation files does fail on them


def test_an_interrupted_training_goes_on_to_the_same_weights(workshop: Path, tmp_path: Path) -> None:
    data, base = workshop / "data", workshop / "base"
    params = load_params(workshop / "params.yaml")
    whole = train.train(data, base, tmp_path / "whole", params)

    class InterruptedRunError(Exception):
        pass

    def stop_after_first(run: checkpoint.Run, path: Path) -> None:
        checkpoint.save_checkpoint(run, path)
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
