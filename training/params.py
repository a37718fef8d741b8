"""``params.yaml`` as typed objects; an unknown or missing key is an error that names it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from yingda.domain.errors import MaterialError

PARAMS_FILE = Path("params.yaml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrepareParams(_Section):
    """How the pack becomes fit, selection and calibration rows."""

    pack: Path
    logs: tuple[Path, ...]
    weak_logs: tuple[Path, ...]
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
    contrast_weight: float = Field(ge=0)
    contrast_temperature: float = Field(gt=0)
    contrast_memory: int = Field(ge=0)
    threads: int = Field(ge=1)


class DistilParams(_Section):
    """How a shallower student learns from the trained network."""

    epochs: int = Field(ge=1)
    encoder_rate: float = Field(gt=0)
    temperature: float = Field(gt=0)
    heads_weight: float = Field(ge=0)
    embedding_weight: float = Field(ge=0)


class Profile(_Section):
    """One size of the product: how deep its encoder is."""

    layers: int = Field(ge=1)


class ExportParams(_Section):
    """The int8 graph: how far outliers move into the weights, on which share of the rows, and what it may cost."""

    smoothing: float = Field(ge=0, le=1)
    every: int = Field(ge=1)
    allowed_loss: float = Field(ge=0, lt=1)


class LinearParams(_Section):
    """The character n-gram view."""

    longest_gram: int = Field(ge=1, le=5)
    min_documents: int = Field(ge=1)
    strength: float = Field(gt=0)
    iterations: int = Field(ge=1)
    tolerance: float = Field(gt=0)


class CalibrateParams(_Section):
    """The promise: error budgets, the confidence with which they hold, the traffic it is fitted to; and who must be noticed."""

    error_budget: float = Field(gt=0, lt=1)
    anger_budget: float = Field(gt=0, lt=1)
    assurance: float = Field(gt=0.5, lt=1)
    folds: int = Field(ge=2)
    unanswerable_share: float = Field(gt=0, lt=1)
    displeased_recall: float = Field(gt=0, lt=1)


class DecideParams(_Section):
    """Operating numbers of the decision policy; see ``yingda/decide/thresholds.py``."""

    ambiguity: float = Field(gt=0, le=1)
    clarify: float = Field(gt=0, le=1)


class Params(_Section):
    """All parameters of the pipeline; ``version`` names the bundle it makes."""

    version: str
    seed: int
    profile: str
    profiles: dict[str, Profile]
    prepare: PrepareParams
    base_encoder: BaseEncoderParams
    train: TrainParams
    distil: DistilParams
    export: ExportParams
    linear: LinearParams
    calibrate: CalibrateParams
    decide: DecideParams

    @model_validator(mode="after")
    def _profile_is_known(self) -> Self:
        if self.profile not in self.profiles:
            raise ValueError(f"profile {self.profile!r} is none of {', '.join(sorted(self.profiles))}")
        return self

    @property
    def layers(self) -> int:
        """Depth of the encoder that the chosen profile serves."""
        return self.profiles[self.profile].layers


def load_params(path: Path | None = None) -> Params:
    """Read and check ``path``; raises MaterialError that lists every wrong key.

    Without a path the file is the one that ``YINGDA_PARAMS`` names, else ``params.yaml`` of the working directory.
    """
    path = path or Path(os.environ.get("YINGDA_PARAMS", PARAMS_FILE))
    try:
        return Params.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path} cannot be read; run from the repository root") from error
    except yaml.YAMLError as error:
        raise MaterialError(f"{path} is not valid YAML; correct it: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise MaterialError(f"{path}: {wrong}") from error
