"""SetFit: contrastive tuning of a sentence encoder on a few messages a class (Tunstall et al. 2022, arXiv:2209.11055)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.peers.workers.protocol import Answer, Answering, Worker, main
from evaluation.peers.workers.sampling import sampled

_NONE = "none:"


def fit(lessons: Mapping[str, Any], folder: Path) -> None:
    """Tune the body and fit the head on ``messages`` texts of each match class; the head is kept as plain numbers, not as a pickle."""
    setfit, numpy = import_module("setfit"), import_module("numpy")
    settings = lessons["settings"]
    chosen = sampled(lessons["rows"], _match_class, messages=settings["messages"], seed=lessons["seed"])
    texts, labels = [text for text, _ in chosen], [name for _, name in chosen]
    model = setfit.SetFitModel.from_pretrained(settings["base"], head_params={"max_iter": 1000})
    arguments = setfit.TrainingArguments(
        output_dir=str(folder / "training"),
        batch_size=16,
        num_epochs=1,
        num_iterations=settings["iterations"],
        seed=lessons["seed"],
        report_to="none",
        save_strategy="no",
    )
    rows = import_module("datasets").Dataset.from_dict({"text": texts, "label": labels})
    setfit.Trainer(model=model, args=arguments, train_dataset=rows).train()
    model.model_body.save(str(folder / "body"))
    head = model.model_head
    numpy.savez(folder / "head.npz", coef=head.coef_, intercept=head.intercept_, classes=numpy.asarray(head.classes_, dtype=str))


def load(lessons: Mapping[str, Any], folder: Path) -> Answering:
    """The tuned model, on one thread."""
    numpy, linear_model = import_module("numpy"), import_module("sklearn.linear_model")
    import_module("torch").set_num_threads(1)
    body = import_module("sentence_transformers").SentenceTransformer(str(folder / "body"), device="cpu")
    with numpy.load(folder / "head.npz", allow_pickle=False) as kept:
        head = linear_model.LogisticRegression()
        head.coef_, head.intercept_, head.classes_ = kept["coef"], kept["intercept"], kept["classes"]
    classes = head.classes_.tolist()
    model = import_module("setfit").SetFitModel(model_body=body, model_head=head, labels=classes)
    intent_of = {_match_class(row): row["intent"] for row in lessons["rows"]}
    entries = [number for number, name in enumerate(classes) if not name.startswith(_NONE)]

    def answering(texts: Sequence[str]) -> list[Answer]:
        found = numpy.asarray(model.predict_proba(list(texts), as_numpy=True, show_progress_bar=False))
        best = [max(entries, key=row.__getitem__) for row in found]
        intents = [intent_of[classes[int(number)]] for number in found.argmax(axis=1)]
        return [(classes[number], intent, float(row[number])) for row, number, intent in zip(found, best, intents)]  # noqa: B905

    return answering


def _match_class(row: Mapping[str, Any]) -> str:
    return str(row["entry"] if row["entry"] is not None else f"{_NONE}{row['intent']}")


if __name__ == "__main__":
    sys.exit(main(Worker(("setfit",), fit, load), sys.argv[1:]))
