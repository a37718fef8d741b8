"""The only wiring: a bundle folder (and a pack, when the operator edits one) in, a ready Engine out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from yingda import bundle as layout
from yingda.bundle import Bundle, open_bundle
from yingda.decide.thresholds import Thresholds
from yingda.domain.errors import BundleError, PackError
from yingda.domain.knowledge import Knowledge, Sentiment
from yingda.engine import Calibration, Engine, Model
from yingda.pack import read_knowledge
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights
from yingda.retrieve.index import build_index
from yingda.retrieve.space import build_space
from yingda.runtime import EncoderSession
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer
from yingda.understand.intent import IntentWeights
from yingda.understand.linear import LinearView
from yingda.understand.sentiment import SentimentScaling


def open_engine(bundle: Path, *, pack: Path | None = None) -> Engine:
    """A ready engine from the verified bundle at ``bundle``.

    Knowledge (taxonomy, FAQ, policy, keywords, templates) comes from ``pack``, so that an operator's edits need
    no new model, else from the copy inside the bundle. Raises BundleError or PackError.
    """
    verified = open_bundle(bundle)
    knowledge = read_knowledge(pack) if pack else _own_knowledge(verified)
    labels = _labels(verified)
    unknown = sorted(set(labels["intents"]) ^ set(knowledge.taxonomy.intents))
    if unknown:
        raise BundleError(f"bundle and pack disagree on intents: {', '.join(unknown)}; retrain for this taxonomy")
    model = _model(verified, labels)
    space = build_space(knowledge.faq.values(), labels["matches"], labels["intents"])

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.encoder.run(model.tokenizer.encode(texts)).embedding

    index = build_index(space, _vectors(verified), knowledge.faq, normalise=normalise, embed=embed)
    return Engine(model, index, knowledge)


def _own_knowledge(bundle: Bundle) -> Knowledge:
    """The knowledge inside the bundle, exactly as it was when the bundle was made."""
    path = bundle.path(layout.KNOWLEDGE)
    try:
        knowledge = read_knowledge(path)
    except PackError as error:
        raise BundleError(f"{path}: written for another version of Yingda; rebuild the bundle with `dvc repro`") from error
    if knowledge.digest != bundle.manifest.get("knowledge_sha256"):
        raise BundleError(f"{path}: differs from the knowledge the manifest names; restore the bundle or rebuild it with `dvc repro`")
    return knowledge


def _model(bundle: Bundle, labels: dict[str, list[str]]) -> Model:
    try:
        max_tokens = int(bundle.manifest["encoder"]["max_tokens"])
        thresholds = Thresholds(**bundle.manifest["thresholds"])
        calibration = read_calibration(bundle.read_json(layout.CALIBRATION))
        sentiments = tuple(Sentiment(label) for label in labels["sentiments"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path(layout.MANIFEST)}: written for another version of Yingda; rebuild it") from error
    return Model(
        identity=bundle.identity,
        tokenizer=MessageTokenizer(bundle.path(layout.TOKENIZER), max_tokens=max_tokens),
        encoder=EncoderSession(bundle.path(layout.ENCODER)),
        linear=LinearView.load(bundle.path(layout.LINEAR_GRAMS), bundle.path(layout.LINEAR_WEIGHTS)),
        intents=tuple(labels["intents"]),
        sentiments=sentiments,
        calibration=calibration,
        thresholds=thresholds,
    )


def read_calibration(fields: dict[str, Any]) -> Calibration:
    """The calibration file as typed numbers; raises KeyError, TypeError or ValueError when it does not fit."""
    confidence, sentiment = fields["confidence"], fields["sentiment"]
    return Calibration(
        fusion=FusionWeights(**fields["fusion"]),
        confidence=ConfidenceModel(tuple(float(w) for w in confidence["weights"]), float(confidence["bias"])),
        intent=IntentWeights(**fields["intent"]),
        sentiment=SentimentScaling(
            float(sentiment["temperature"]), tuple(float(b) for b in sentiment["bias"]), float(sentiment.get("alertness", 0.0))
        ),
    )


def _labels(bundle: Bundle) -> dict[str, list[str]]:
    labels = bundle.read_json(layout.LABELS)
    if not isinstance(labels, dict) or {"intents", "matches", "sentiments"} - set(labels):
        raise BundleError(f"{bundle.path(layout.LABELS)}: intents, matches or sentiments is missing; rebuild the bundle")
    return labels


def _vectors(bundle: Bundle) -> NDArray[np.float32]:
    path = bundle.path(layout.FAQ_VECTORS)
    try:
        return np.asarray(load_file(path)["classes"], np.float32)
    except (SafetensorError, KeyError) as error:
        raise BundleError(f"{path}: holds no class vectors; restore the bundle") from error
