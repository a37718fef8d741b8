"""A tiny shop and a model that knows ten characters, so that a test of the core can foresee every number.

Each character of ``TOPICS`` is one direction of the embedding; all other characters say nothing. The same tables
drive the fakes in memory and the tiny real bundle that ``write_tiny_bundle`` makes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yingda import bundle as layout
from yingda.assemble import read_calibration
from yingda.decide.thresholds import Thresholds
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge, Sentiment
from yingda.engine import Encoder, Engine, Model
from yingda.pack import read_knowledge
from yingda.probability import log_softmax
from yingda.retrieve.index import build_index
from yingda.retrieve.space import build_space
from yingda.runtime import Encodings
from yingda.text.normalise import normalise

Floats = NDArray[np.float32]

TOPICS = "发消好盗诉人股旧保怒"
"""发货 取消 你好 盗号 投诉 人工 股票 旧 保修 怒: what each character speaks for."""

_INTENT_OF = {
    "发": "ORDER_SHIP_TIME",
    "消": "ORDER_CANCEL",
    "好": "GENERAL_GREETING",
    "盗": "ACCOUNT_SECURITY",
    "诉": "COMPLAINT_SERVICE",
    "人": "GENERAL_HUMAN",
    "股": "OUT_OF_SCOPE",
    "保": "AFTER_SALES_WARRANTY",
}
TAXONOMY = """\
version: 1
language: zh
categories:
  - code: ORDER
    zh: 订单问题
    en: Order
    intents:
      - {code: ORDER_SHIP_TIME, zh: 发货时间, en: dispatch time, kind: consult, priority: medium, skill: order, is: 何时发, not: 到哪了}
      - {code: ORDER_CANCEL, zh: 取消订单, kind: consult, priority: low, skill: order, is: 不要了, not: 退货}
  - code: AFTER_SALES
    zh: 售后服务
    intents:
      - {code: AFTER_SALES_WARRANTY, zh: 保修, en: warranty, kind: consult, priority: low, skill: technical, is: 保多久, not: 坏了}
  - code: ACCOUNT
    zh: 账户
    intents:
      - {code: ACCOUNT_SECURITY, zh: 账户安全, kind: after_sales, priority: high, skill: security, is: 被盗, not: 忘密码}
  - code: COMPLAINT
    zh: 投诉
    intents:
      - {code: COMPLAINT_SERVICE, zh: 投诉客服, kind: complaint, priority: medium, skill: complaint, is: 态度差, not: 催单}
  - code: GENERAL
    zh: 通用
    intents:
      - {code: GENERAL_GREETING, zh: 问候, en: greeting, kind: none, priority: low, skill: general, is: 你好, not: 有事}
      - {code: GENERAL_HUMAN, zh: 转人工, en: ask for a person, kind: none, priority: medium, skill: general, is: 要人工, not: 投诉}
      - {code: OUT_OF_SCOPE, zh: 超出范围, en: out of scope, kind: none, priority: low, skill: general, is: 闲聊, not: 业务}
"""
POLICY = """\
version: 1
values:
  店铺名称: 小店
  发货时限: 48 小时
context:
  订单号: 客户的订单编号
  问题类型: 识别出的意图名称
"""
FAQ = """\
- id: ship-when
  intent: ORDER_SHIP_TIME
  question: {zh: 什么时候发, en: When do you ship}
  similar: {zh: [多久发]}
  answer: {zh: "{发货时限}内发出。", en: "Within {发货时限}."}
  ask: [order_no]
- id: cancel-how
  intent: ORDER_CANCEL
  question: {zh: 怎么取消, en: How do I cancel}
  similar: {zh: []}
  answer: {zh: 点取消。, en: Press cancel.}
- id: hello
  intent: GENERAL_GREETING
  question: {zh: 你好, en: Hello}
  similar: {zh: []}
  answer: {zh: 在的。, en: Hi.}
- id: security-lock
  intent: ACCOUNT_SECURITY
  question: {zh: 被盗了, en: My account was stolen}
  similar: {zh: []}
  answer: {zh: 请立即改密码。, en: Change your password.}
  needs_human: true
- id: warranty-new
  intent: AFTER_SALES_WARRANTY
  question: {zh: 保多久, en: How long is the warranty}
  similar: {zh: [在保吗]}
  answer: {zh: 一年。, en: One year.}
"""
KEYWORDS = """\
version: 1
keywords:
  - {term: 发货, synonyms: [出库], intents: [ORDER_SHIP_TIME]}
  - {term: 取消, synonyms: [不要了], intents: [ORDER_CANCEL]}
"""


def _outcome(solution: str, following: str = "") -> str:
    parts = {
        "greeting": ("{称呼}好，这里是{店铺名称}。", "Hello {称呼}, this is {店铺名称}."),
        "confirm": ("关于{问题类型}：", "About {问题类型}:"),
        "solution": (solution, solution),
        "next": (following, following),
        "closing": ("祝您愉快。", "Goodbye."),
    }
    return "".join(f'    {name}: {{zh: "{zh}", en: "{en}"}}\n' for name, (zh, en) in parts.items())


TEMPLATES = f"""\
id: tiny
version: "2.0"
facts:
  order_no: {{zh: 订单号, en: order number}}
  photo: {{zh: 照片, en: photo}}
context_of: {{order_no: 订单号}}
outcomes:
  answered:
{_outcome("{答案}")}  answered_missing:
{_outcome("{答案}", "{所需信息}")}  smalltalk:
    greeting: {{zh: "", en: ""}}
    confirm: {{zh: "", en: ""}}
    solution: {{zh: "{{答案}}", en: "{{答案}}"}}
    next: {{zh: "", en: ""}}
    closing: {{zh: "", en: ""}}
  clarify:
{_outcome("{候选问题}")}  handoff:
{_outcome("human")}  no_answer:
{_outcome("unknown")}"""

PACK: Mapping[str, str] = {
    "taxonomy.yaml": TAXONOMY,
    "policy.yaml": POLICY,
    "faq-all.yaml": FAQ,
    "keywords.yaml": KEYWORDS,
    "templates.yaml": TEMPLATES,
}
TRAINED = ("ship-when", "cancel-how", "hello", "security-lock", "retired", "none:OUT_OF_SCOPE")
"""Match classes of the tiny model: ``warranty-new`` came after training, ``retired`` has left the pack since."""

_TRAINED_TOPICS = "发消好盗旧股"
SENTIMENTS = tuple(Sentiment)
THRESHOLDS = Thresholds(match=0.7, intent=0.6, ambiguity=0.4, clarify=0.6, angry=0.6)
CALIBRATION: Mapping[str, Any] = {
    "fusion": {"scale": 10.0, "dense": 1.0, "linear": 1.0, "intent": 0.3, "lexical": 0.0, "none": 0.0},
    "confidence": {"weights": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "bias": 0.0},
    "intent": {"head": 1.0, "match": 0.0},
    "sentiment": {"temperature": 1.0, "bias": [0.0, 0.0, 0.0, 0.0]},
}
"""The confidence of the best entry is its posterior; intents are what the head says."""


def write_tiny_pack(root: Path) -> Path:
    """The tiny shop's pack as files."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in PACK.items():
        (root / name).write_text(content, "utf-8")
    return root


@cache
def tiny_knowledge() -> Knowledge:
    """The tiny shop as an engine knows it."""
    with TemporaryDirectory() as folder:
        return read_knowledge(write_tiny_pack(Path(folder)))


def without_entry(knowledge: Knowledge, entry: str) -> Knowledge:
    """The same shop after ``entry`` was taken out of its pack."""
    return replace(knowledge, faq={id_: faq for id_, faq in knowledge.faq.items() if id_ != entry})


def tiny_intents() -> tuple[str, ...]:
    """Intent codes in the order of the tiny model's head."""
    return tuple(tiny_knowledge().taxonomy.intents)


def character_tables() -> tuple[Floats, Floats, Floats]:
    """By character number (0 is any other): direction [V, D], intent logits [V, I], sentiment logits [V, S]."""
    intents = tiny_intents()
    embedding = np.eye(len(TOPICS) + 1, len(TOPICS), -1, np.float32)
    intent = np.zeros((len(TOPICS) + 1, len(intents)), np.float32)
    sentiment = np.zeros((len(TOPICS) + 1, len(SENTIMENTS)), np.float32)
    sentiment[:, SENTIMENTS.index(Sentiment.NEUTRAL)] = 0.2
    for number, topic in enumerate(TOPICS, 1):
        if topic in _INTENT_OF:
            intent[number, intents.index(_INTENT_OF[topic])] = 6.0
    sentiment[TOPICS.index("怒") + 1, SENTIMENTS.index(Sentiment.ANGRY)] = 6.0
    return embedding, intent, sentiment


def trained_vectors() -> Floats:
    """One unit vector a trained class [C, D]."""
    vectors = np.zeros((len(TRAINED), len(TOPICS)), np.float32)
    for row, topic in enumerate(_TRAINED_TOPICS):
        vectors[row, TOPICS.index(topic)] = 1.0
    return vectors


class FakeTokenizer:
    """One id a character: its place among the topics, else 0."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text."""
        return [[TOPICS.find(char) + 1 for char in text] for text in texts]


class FakeEncoder:
    """Sums what each character says; a text that says nothing has the zero vector."""

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """Unit embeddings and logits of each row of ids."""
        said, intent, sentiment = (np.stack([table[list(row)].sum(0) for row in ids]) for table in character_tables())
        length = np.maximum(np.linalg.norm(said, axis=1, keepdims=True), 1.0)
        return Encodings(np.asarray(said / length, np.float32), intent, sentiment)


class FakeLinear:
    """Log probabilities of the trained classes by their characters."""

    def log_probabilities(self, texts: Sequence[str]) -> Floats:
        """[N, trained]."""
        return log_softmax(np.asarray([[5.0 * text.count(topic) for topic in _TRAINED_TOPICS] for text in texts], np.float32))


def tiny_model(thresholds: Thresholds = THRESHOLDS) -> Model:
    """The tiny model with fakes in place of every file."""
    return Model(
        identity=ModelIdentity("1.0", "0" * 64),
        tokenizer=FakeTokenizer(),
        encoder=FakeEncoder(),
        linear=FakeLinear(),
        intents=tiny_intents(),
        sentiments=SENTIMENTS,
        calibration=read_calibration(dict(CALIBRATION)),
        thresholds=thresholds,
    )


def tiny_engine(
    knowledge: Knowledge | None = None, *, thresholds: Thresholds = THRESHOLDS, encoder: Encoder | None = None, cache_size: int = 0
) -> Engine:
    """A ready engine over the tiny shop, or over ``knowledge`` made from it; ``encoder`` in place of the fake one."""
    known = knowledge or tiny_knowledge()
    model = replace(tiny_model(thresholds), encoder=encoder or FakeEncoder())
    space = build_space(known.faq.values(), TRAINED, model.intents)

    def embed(texts: Sequence[str]) -> Floats:
        return model.encoder.run(model.tokenizer.encode(texts)).embedding

    index = build_index(space, trained_vectors(), known.faq, normalise=normalise, embed=embed)
    return Engine(model, index, known, cache_size=cache_size)


# ---- a bundle on disk ----


def write_fake_bundle(root: Path) -> Path:
    """A sealed bundle whose files hold a few bytes each: enough to verify, not to answer."""
    for name in layout.REQUIRED:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} \n", "utf-8")
    (root / layout.KNOWLEDGE).mkdir(exist_ok=True)
    (root / layout.KNOWLEDGE / "policy.yaml").write_text("version: 1\n", "utf-8")
    layout.write_manifest(root, {"version": "1.0", "thresholds": {"match": 0.5}})
    return root


def write_tiny_bundle(root: Path) -> Path:
    """A sealed bundle that answers exactly as ``tiny_engine`` does."""
    from safetensors.numpy import save_file

    root.mkdir(parents=True, exist_ok=True)
    write_tiny_pack(root / layout.KNOWLEDGE)
    _write_tokenizer(root / layout.TOKENIZER)
    _write_graph(root / layout.ENCODER)
    _write_linear(root)
    save_file({"classes": trained_vectors()}, root / layout.FAQ_VECTORS)
    labels = {"intents": tiny_intents(), "matches": TRAINED, "sentiments": SENTIMENTS}
    (root / layout.LABELS).write_text(json.dumps(labels), "utf-8")
    (root / layout.CALIBRATION).write_text(json.dumps(CALIBRATION), "utf-8")
    (root / layout.CARD).write_text("# tiny\n", "utf-8")
    numbers = {name: getattr(THRESHOLDS, name) for name in ("match", "intent", "ambiguity", "clarify", "angry", "angry_beside")}
    facts = {"version": "1.0", "encoder": {"max_tokens": 128}, "thresholds": numbers}
    layout.write_manifest(root, {**facts, "knowledge_sha256": read_knowledge(root / layout.KNOWLEDGE).digest})
    return root


def _write_tokenizer(path: Path) -> None:
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    vocabulary = {"?": 0, **{topic: number for number, topic in enumerate(TOPICS, 1)}}
    tokenizer: Tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = Split(Regex("."), behavior="isolated")
    tokenizer.save(str(path))


def _write_graph(path: Path) -> None:
    import onnx
    from onnx import helper, numpy_helper

    tables = dict(zip(("embedding", "intent_logits", "sentiment_logits"), character_tables(), strict=True))
    weights = [numpy_helper.from_array(table, f"{name}.table") for name, table in tables.items()]
    weights += [numpy_helper.from_array(np.asarray([1], np.int64), "axis"), numpy_helper.from_array(np.asarray([[1]], np.float32), "one")]
    nodes = []
    for name in tables:
        nodes.append(helper.make_node("Gather", [f"{name}.table", "input_ids"], [f"{name}.rows"]))
        nodes.append(helper.make_node("ReduceSum", [f"{name}.rows", "axis"], [name], keepdims=0))
    nodes.append(helper.make_node("ReduceL2", ["embedding"], ["norm"], axes=[1]))
    nodes.append(helper.make_node("Max", ["norm", "one"], ["length"]))
    nodes.append(helper.make_node("Div", ["embedding", "length"], ["sentence_embedding"]))
    ids = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, [1, "tokens"])
    names = ("sentence_embedding", "intent_logits", "sentiment_logits")
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes, "tiny", [ids], outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _write_linear(root: Path) -> None:
    """Counts of single characters, each a weight of 5 towards its class; the view scales counts to unit length."""
    from safetensors.numpy import save_file

    size = len(_TRAINED_TOPICS)
    described = {"longest": 1, "scale": 1.0, "grams": list(_TRAINED_TOPICS)}
    (root / layout.LINEAR_GRAMS).write_text(json.dumps(described), "utf-8")
    arrays: dict[str, NDArray[Any]] = {
        "idf": np.ones(size, np.float32),
        "indptr": np.arange(size + 1, dtype=np.int32),
        "classes": np.arange(size, dtype=np.int16),
        "weights": np.full(size, 5, np.int8),
        "bias": np.zeros(size, np.float32),
    }
    save_file(arrays, root / layout.LINEAR_WEIGHTS)
