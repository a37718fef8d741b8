"""The data sets by name: files, split, licence, and what others published on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

HUMAN = "human"


class Task(StrEnum):
    """What a row is: a text with a class, or two texts that ask the same or not."""

    INTENT = "intent"
    SENTIMENT = "sentiment"
    MATCHING = "question matching"


class Scheme(StrEnum):
    """Which rows train and which judge: as published, five folds, or our own seeded deal where nothing is published."""

    OFFICIAL = "official split"
    FOLDS = "5-fold"
    DEAL = "own split"


@dataclass(frozen=True)
class Published:
    """A published figure, in percent, with what it was measured on where that is not what we measure on."""

    system: str
    metric: str
    percent: float
    source: str
    differs: str = ""


@dataclass(frozen=True)
class Hub:
    """Where a set lives on the Hugging Face hub: its splits for each of our parts, and its names of our fields."""

    name: str
    parts: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, str]
    config: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One benchmark. ``files`` are its parts (train, dev, test, or all) under DATA/``name``.

    ``targets`` are proportions by metric; ``outside`` is the label of out-of-scope rows. ``licence`` None: none stated,
    for benchmarks only.
    """

    name: str
    task: Task
    language: str
    files: Mapping[str, tuple[str, ...]]
    scheme: Scheme
    licence: str | None
    published: tuple[Published, ...]
    metric: str = "accuracy"
    targets: Mapping[str, float] | None = None
    outside: str | None = None
    hub: Hub | None = None
    note: str = ""


_OFFICIAL = {"train": ("train.jsonl",), "dev": ("dev.jsonl",), "test": ("test.jsonl",)}
_FEW = {"train": ("train_few_all.jsonl",), "dev": ("dev_few_all.jsonl",), "test": ("test_public.jsonl",)}
_LEADERBOARD = "leaderboard in the README of github.com/jianguoz/Few-Shot-Intent-Detection"
_FEWCLUE = "FewCLUE, table 3 (github.com/CLUEbenchmark/FewCLUE)"
_DATACLUE = "README of github.com/CLUEbenchmark/DataCLUE"
_CLINC = "Larson et al., EMNLP 2019, table 2 (github.com/clinc/oos-eval)"
_WAIMAI = "MTEB leaderboard, copy in the Hugging Face space Thun09/leaderboard_demo"
_TEN = "10 rows an intent"
_CARDS = "model card on Hugging Face"
FLOOR = "TF-IDF + linear SVM"
"""Our own measurement of a simple system: a floor, and nothing published."""
_FLOOR = "character n-grams, C = 0.5, run once on these files"

_LIST = (
    DataSet(
        name="banking77",
        task=Task.INTENT,
        language="en",
        files={"train": ("train.jsonl",), "test": ("test.jsonl",)},
        scheme=Scheme.OFFICIAL,
        licence="CC BY 4.0",
        targets={"accuracy": 0.935},
        published=(
            Published("ICDA", "accuracy", 89.79, _LEADERBOARD, _TEN),
            Published("CPFT", "accuracy", 87.20, _LEADERBOARD, _TEN),
            Published(FLOOR, "accuracy", 91.3, _FLOOR),
        ),
        hub=Hub("mteb/banking77", {"train": ("train",), "test": ("test",)}, {"text": "text", "label": "label_text"}),
    ),
    DataSet(
        name="clinc150",
        task=Task.INTENT,
        language="en",
        files=_OFFICIAL,
        scheme=Scheme.OFFICIAL,
        licence="CC BY 3.0",
        metric="in_scope_accuracy",
        targets={"in_scope_accuracy": 0.965, "out_of_scope_recall": 0.70},
        outside="oos",
        published=(
            Published("BERT, oos-train", "in_scope_accuracy", 96.9, _CLINC),
            Published("BERT, oos-train", "out_of_scope_recall", 40.3, _CLINC),
            Published("BERT, oos-threshold", "in_scope_accuracy", 96.2, _CLINC),
            Published("BERT, oos-threshold", "out_of_scope_recall", 52.3, _CLINC),
            Published("ICDA", "in_scope_accuracy", 94.84, _LEADERBOARD, f"{_TEN}, no out-of-scope rows"),
            Published(FLOOR, "in_scope_accuracy", 92.6, _FLOOR, "no out-of-scope rows"),
        ),
        hub=Hub(
            "clinc/clinc_oos",
            {"train": ("train",), "dev": ("validation",), "test": ("test",)},
            {"text": "text", "label": "intent"},
            config="plus",
        ),
        note="The hub has no `full` form of it: `plus` holds 250 out-of-scope training rows, the files 100.",
    ),
    DataSet(
        name="hwu64",
        task=Task.INTENT,
        language="en",
        files=_OFFICIAL,
        scheme=Scheme.OFFICIAL,
        licence="CC BY 4.0",
        published=(
            Published("ICDA", "accuracy", 87.41, _LEADERBOARD, _TEN),
            Published("CPFT", "accuracy", 87.13, _LEADERBOARD, _TEN),
            Published(FLOOR, "accuracy", 88.2, _FLOOR),
        ),
    ),
    DataSet(
        name="jddc_intent",
        task=Task.INTENT,
        language="zh",
        files={"all": ("intent_dev.jsonl", "intent_test_slice.jsonl")},
        scheme=Scheme.FOLDS,
        licence="Apache-2.0",
        targets={"accuracy": 0.75},
        published=(Published(FLOOR, "accuracy", 67.7, _FLOOR), Published(FLOOR, "macro_f1", 61.8, _FLOOR)),
        note="Some rows cannot be decided from their text alone; labels are noisy.",
    ),
    DataSet(
        name="dataclue_cic",
        task=Task.INTENT,
        language="zh",
        files={"train": ("train.jsonl",), "test": ("dev.jsonl",)},
        scheme=Scheme.OFFICIAL,
        licence=None,
        targets={"accuracy": 0.85},
        published=(
            Published(HUMAN, "accuracy", 87.40, _DATACLUE, "clean test split"),
            Published("best data-centric entry", "macro_f1", 74.62, _DATACLUE, "clean test split"),
            Published("RoBERTa-3L-wwm", "macro_f1", 72.78, _DATACLUE, "clean test split"),
            Published(FLOOR, "accuracy", 63.8, _FLOOR),
        ),
        note="Judged on the development split, whose labels are noisy on purpose; target and published figures are for clean labels.",
    ),
    DataSet(
        name="bustm",
        task=Task.MATCHING,
        language="zh",
        files=_FEW,
        scheme=Scheme.OFFICIAL,
        licence=None,
        targets={"accuracy": 0.75},
        published=(
            Published(HUMAN, "accuracy", 88.0, _FEWCLUE),
            Published("EFL", "accuracy", 71.8, _FEWCLUE, "32 training rows"),
            Published("P-tuning", "accuracy", 60.9, _FEWCLUE, "32 training rows"),
        ),
    ),
    DataSet(
        name="atec",
        task=Task.MATCHING,
        language="zh",
        files={"all": ("train.jsonl.gz",)},
        scheme=Scheme.DEAL,
        licence=None,
        metric="spearman",
        published=(
            Published("xiaobu-embedding", "spearman", 55.14, _CARDS, "C-MTEB test split, not trained on ATEC alone"),
            Published("gte-large-zh", "spearman", 54.60, _CARDS, "C-MTEB test split"),
            Published("jina-embeddings-v2-base-zh", "spearman", 51.29, _CARDS, "C-MTEB test split"),
            Published("gte-small-zh", "spearman", 45.77, _CARDS, "C-MTEB test split"),
            Published(HUMAN, "accuracy", 81.00, _DATACLUE, "AFQMC, a part of ATEC"),
        ),
        hub=Hub(
            "C-MTEB/ATEC",
            {"all": ("train", "validation", "test")},
            {"text_a": "sentence1", "text_b": "sentence2", "label": "score"},
        ),
        note="One file: a quarter of the pairs judges, no text of which is in the other three quarters.",
    ),
    DataSet(
        name="eprstmt",
        task=Task.SENTIMENT,
        language="zh",
        files=_FEW,
        scheme=Scheme.OFFICIAL,
        licence=None,
        targets={"accuracy": 0.88},
        published=(
            Published(HUMAN, "accuracy", 90.0, _FEWCLUE),
            Published("P-tuning RoBERTa", "accuracy", 88.3, _FEWCLUE, "32 training rows"),
            Published("PET", "accuracy", 86.7, _FEWCLUE, "32 training rows"),
            Published("RoBERTa, zero-shot", "accuracy", 85.2, _FEWCLUE, "no training rows"),
        ),
    ),
    DataSet(
        name="waimai_10k",
        task=Task.SENTIMENT,
        language="zh",
        files={"all": ("all.jsonl",)},
        scheme=Scheme.FOLDS,
        licence=None,
        targets={"accuracy": 0.91},
        published=(
            Published("piccolo-large-zh-v2", "accuracy", 89.59, _WAIMAI, "C-MTEB split, linear probe"),
            Published("gte-Qwen2-7B-instruct", "accuracy", 89.47, _WAIMAI, "C-MTEB split, linear probe"),
            Published(FLOOR, "accuracy", 90.1, _FLOOR),
        ),
        hub=Hub("C-MTEB/waimai-classification", {"all": ("train", "test")}, {"text": "text", "label": "label"}),
    ),
    DataSet(
        name="chnsenticorp_htl",
        task=Task.SENTIMENT,
        language="zh",
        files={"all": ("all.jsonl.gz",)},
        scheme=Scheme.FOLDS,
        licence=None,
        published=(Published(FLOOR, "accuracy", 90.2, _FLOOR),),
    ),
)

SETS: Mapping[str, DataSet] = {found.name: found for found in _LIST}
"""Every data set by its name, in the order of the table."""
