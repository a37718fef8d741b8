"""A bundle as an MLflow model. MLflow keeps a copy of this file beside the bundle and runs it to load the model.

The copy must run without the rest of ``training``: it imports the core, pandas and MLflow alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, Schema, TensorSpec

from yingda.assemble import open_engine
from yingda.domain.decision import Answer
from yingda.domain.errors import MessageError
from yingda.domain.message import Channel, Customer, Message, Tier

BUNDLE = "bundle"
"""Name of the artifact that is the bundle folder."""

OPTIONAL = ("channel", "language", "customer_name", "customer_gender", "customer_tier")
"""Columns that may be left out, or be empty in a row: what the caller knows beside the text."""

_TEXTS = ("intent", "sentiment", "faq", "outcome", "reply")
_NUMBERS = ("intent_confidence", "match_confidence")
_Choice = TypeVar("_Choice", bound=StrEnum)


def signature() -> ModelSignature:
    """Input: ``text`` and the optional columns; output: the columns of ``record``, ``faq`` empty where no entry was sent."""
    given: list[ColSpec | TensorSpec] = [ColSpec("string", "text"), *(ColSpec("string", name, required=False) for name in OPTIONAL)]
    texts: list[ColSpec | TensorSpec] = [ColSpec("string", name, required=name != "faq") for name in _TEXTS]
    return ModelSignature(Schema(given), Schema([*texts, *(ColSpec("double", name) for name in _NUMBERS)]))


class BundleModel(PythonModel):
    """Answers rows with the engine that serves; nothing is decided here."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the verified bundle; raises BundleError."""
        self._engine = open_engine(Path(context.artifacts[BUNDLE]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow passes it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002 - MLflow passes it
    ) -> pd.DataFrame:
        """One row of output a row of input, in order; raises MessageError that names the row and never its text."""
        rows = model_input.to_dict(orient="records")
        answers = self._engine.answer_many([message_of(row, number) for number, row in enumerate(rows, 1)])
        records = [record(answer) for answer in answers]
        # as objects, an empty entry stays None; pandas would make it a number
        return pd.DataFrame({name: pd.Series([r[name] for r in records], dtype=object) for name in _TEXTS}).assign(
            **{name: pd.Series([r[name] for r in records], dtype="float64") for name in _NUMBERS}
        )


def message_of(row: Mapping[Any, Any], number: int) -> Message:
    """The message in ``row``, the ``number``th; raises MessageError that names both row and column."""
    said = {name: value for name in ("text", *OPTIONAL) if isinstance(value := row.get(name), str)}
    try:
        customer = Customer(
            id="",  # no decision reads it
            name=said.get("customer_name"),
            gender=said.get("customer_gender"),
            tier=_choice(Tier, said.get("customer_tier") or Tier.NORMAL, "customer_tier"),
        )
        channel = _choice(Channel, said.get("channel") or Channel.WEB, "channel")
        return Message(said.get("text", ""), channel=channel, language=said.get("language") or None, customer=customer)
    except MessageError as error:
        raise MessageError(f"row {number}: {error}", code=error.code, field=error.field) from None


def record(answer: Answer) -> dict[str, str | float | None]:
    """The columns of one answer; ``match_confidence`` is that of the best entry, sent or not."""
    said = answer.classification
    return {
        "intent": said.intent.code,
        "intent_confidence": said.intent.confidence,
        "sentiment": str(said.sentiment.label),
        "faq": answer.faq.id if answer.faq else None,
        "match_confidence": answer.candidates[0].confidence,
        "outcome": str(answer.outcome),
        "reply": answer.reply.text,
    }


def _choice(kind: type[_Choice], value: str, field: str) -> _Choice:
    known: Sequence[str] = [str(member) for member in kind]
    if value not in known:
        raise MessageError(f"{field} is unknown; use one of {', '.join(known)}, or leave it out", code=f"{field}_unknown", field=field)
    return kind(value)


set_model(BundleModel())
