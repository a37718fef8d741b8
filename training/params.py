"""``params.yaml`` as typed objects; an unknown or missing key is an error that names it."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yingda.domain.errors import MaterialError

PARAMS_FILE = Path("params.yaml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrepareParams(_Section):
    """How the pack becomes fit, selection and calibration rows."""

    pack: Path
    selection_share: float = Field(gt=0, lt=0.5)
    calibration_share: float = Field(gt=0, lt=0.5)
    near_duplicate: float = Field(gt=0, le=1)


class BaseEncoderParams(_Section):
    """Where the base weights come from; ``shared_rank`` null keeps the whole vocabulary."""

    hub_model: str | None
    shared_rank: int | None


class TrainParams(_Section):
    """Fine-tuning of the shared encoder."""

    layers: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    max_tokens: int = Field(ge=8, le=512)
    encoder_rate: float = Field(gt=0)
    head_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(ge=0, lt=1)
    dropout: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
    intent_weight: float = Field(ge=0)
    sentiment_weight: float = Field(ge=0)
    entry_scale: float = Field(gt=0)
    noise_share: float = Field(ge=0, le=1)
    threads: int = Field(ge=1)


class LinearParams(_Section):
    """The character n-gram view."""

    longest_gram: int = Field(ge=1, le=5)
    min_documents: int = Field(ge=1)
    strength: float = Field(gt=0)
    iterations: int = Field(ge=1)
    tolerance: float = Field(gt=0)


class CalibrateParams(_Section):
    """The promise: error budget, the confidence with which it holds, and the traffic it is made for."""

    error_budget: float = Field(gt=0, lt=1)
    assurance: float = Field(gt=0.5, lt=1)
    folds: int = Field(ge=2)
    unanswerable_share: float = Field(gt=0, lt=1)


class DecideParams(_Section):
    """Operating numbers of the decision policy; see ``yingda/decide/thresholds.py``."""

    ambiguity: float = Field(gt=0, le=1)
    clarify: float = Field(gt=0, le=1)
    angry: float = Field(gt=0, le=1)


class Params(_Section):
    """All parameters of the pipeline; ``version`` names the bundle it makes."""

    version: str
    seed: int
    prepare: PrepareParams
    base_encoder: BaseEncoderParams
    train: TrainParams
    linear: LinearParams
    calibrate: CalibrateParams
    decide: DecideParams


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check ``path``; raises MaterialError that lists every wrong key."""
    try:
        return Params.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path} cannot be read; run from the repository root") from error
    except yaml.YAMLError as error:
        raise MaterialError(f"{path} is not valid YAML; correct it: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise MaterialError(f"{path}: {wrong}") from error
