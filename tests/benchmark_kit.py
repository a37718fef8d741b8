"""Toy data sets in the form of the public ones, and a small random encoder to train on them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
import yaml
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from training.base_encoder import build_tokenizer
from training.benchmark.sets import SETS, Task

ROOT = Path(__file__).parents[1]
TOPICS = {"refund": "退款怎么还没到账", "parcel": "快递什么时候能到", "invoice": "发票可以开电子的吗"}
TAILS = ("", "呢", "啊", "谢谢", "急", "在吗", "请问", "麻烦了", "好吗", "亲")


def lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as JSON lines, gzipped when the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def text_rows(labels: Iterable[object] = TOPICS) -> list[dict[str, object]]:
    """Ten wordings of each topic, under the given labels."""
    return [{"text": topic + tail, "label": label} for label, topic in zip(labels, TOPICS.values(), strict=False) for tail in TAILS]


def pair_rows() -> list[dict[str, object]]:
    """Pairs of wordings of one topic and of two topics; each text is in one pair only."""
    topics = list(TOPICS.values())
    same = [
        {"text_a": topic + first, "text_b": topic + second, "label": 1}
        for topic in topics
        for first, second in zip(TAILS[::2], TAILS[1::2], strict=True)
    ]
    other = [{"text_a": f"{topics[n % 3]}{n}", "text_b": f"{topics[(n + 1) % 3]}{n}", "label": 0} for n in range(15)]
    return [*same, *other]


def write_sets(data: Path) -> None:
    """Every set of the table with toy rows in each of its files."""
    for dataset in SETS.values():
        rows = pair_rows() if dataset.task is Task.MATCHING else text_rows(TOPICS if dataset.task is Task.INTENT else (0, 1))
        if dataset.outside:
            rows += [{"text": f"今天天气{tail}", "label": dataset.outside} for tail in TAILS]
        for name in (name for files in dataset.files.values() for name in files):
            lines(data / dataset.name / name, rows)


def write_base(target: Path) -> None:
    """A random BERT of two layers over the toy sets' characters."""
    letters = set("".join([*TOPICS.values(), *TAILS, "今天天气0123456789"]))
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *sorted(letters), "<mask>"]
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
    tokenizer = build_tokenizer(pieces, np.full(len(pieces), -5.0, np.float32))
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(pieces), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=1
    )
    BertModel(shape, add_pooling_layer=False).save_pretrained(target)
    wrapped.save_pretrained(target)


def write_params(target: Path) -> None:
    """The repository's parameters, for two layers, two epochs and one thread."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["train"] |= {"layers": 2, "epochs": 2, "threads": 1, "max_tokens": 32}
    params["linear"] |= {"iterations": 5}
    # the toy wordings of a topic are near-duplicates of each other: they may stand on both sides here
    params["prepare"] |= {"near_duplicate": 1.0, "selection_share": 0.2, "calibration_share": 0.2}
    target.write_text(yaml.safe_dump(params), "utf-8")
