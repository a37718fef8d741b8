"""Fit the character n-gram view: ``python -m training.linear --data DIR --target DIR``.

Multinomial logistic regression over the match classes on TF-IDF of character n-grams. Weights near zero carry
nothing once they are rounded to 8 bits, so they are dropped, which makes the view a small part of its size.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from training.examples import IGNORED, Example, read_classes, read_examples, write_json
from training.params import LinearParams, load_params
from yingda.understand.linear import LinearWeights, grams

_LEVELS = 127


def fit_linear(examples: Sequence[Example], classes: int, params: LinearParams) -> LinearWeights:
    """The view fitted to ``examples``; every class must have at least one."""
    rows = [example for example in examples if example.match != IGNORED]

    def analyse(text: str) -> list[str]:
        return list(grams(text, longest=params.longest_gram).elements())

    vectoriser = TfidfVectorizer(analyzer=analyse, min_df=params.min_documents, sublinear_tf=True, dtype=np.float32)
    features = vectoriser.fit_transform([row.text for row in rows])
    labels = np.asarray([row.match for row in rows])
    model = LogisticRegression(C=params.strength, max_iter=params.iterations, tol=params.tolerance)
    with warnings.catch_warnings():
        # the number of iterations is a parameter: stopping early regularises, and costs no accuracy here
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(intercepts) == 1:  # for two classes scikit-learn keeps the difference alone
        coefficients, intercepts = np.concatenate([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    weights = np.zeros((features.shape[1], classes), np.float32)
    bias = np.full(classes, float(intercepts.min()), np.float32)
    weights[:, model.classes_], bias[model.classes_] = coefficients.T, intercepts
    names = list(vectoriser.get_feature_names_out())
    return sparsify(names, vectoriser.idf_, weights, bias, longest=params.longest_gram)


def sparsify(
    names: Sequence[str], idf: NDArray[np.float64], weights: NDArray[np.float32], bias: NDArray[np.float32], *, longest: int
) -> LinearWeights:
    """Weights [F, C] as int8 on one scale, zeros dropped; each row is first centred on its median.

    A constant added to all classes of a row changes no softmax, and most classes share the median, so centring
    turns most weights into zeros.
    """
    centred = weights - np.median(weights, axis=1, keepdims=True)
    scale = float(np.abs(centred).max()) / _LEVELS or 1.0
    numbers = np.round(centred / scale).astype(np.int8)
    rows, columns = np.nonzero(numbers)
    indptr = np.searchsorted(rows, np.arange(len(names) + 1)).astype(np.int32)
    vocabulary = {name: i for i, name in enumerate(names)}
    return LinearWeights(vocabulary, longest, idf.astype(np.float32), indptr, columns.astype(np.int16), numbers[rows, columns], scale, bias)


def write_linear(view: LinearWeights, target: Path) -> None:
    """Write the view as ``linear.json`` and ``linear.safetensors``."""
    target.mkdir(parents=True, exist_ok=True)
    described = {"longest": view.longest, "scale": view.scale, "grams": list(view.vocabulary)}
    (target / "linear.json").write_text(json.dumps(described, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    arrays: dict[str, NDArray[Any]] = {
        "idf": view.idf,
        "indptr": view.indptr,
        "classes": view.classes,
        "weights": view.weights,
        "bias": view.bias,
    }
    save_file(arrays, target / "linear.safetensors")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.linear", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    args = parser.parse_args(argv)
    classes = read_classes(args.data / "classes.json")
    examples = [example for part in ("fit", "entries") for example in read_examples(args.data / f"{part}.jsonl")]
    view = fit_linear(examples, len(classes.matches), load_params().linear)
    write_linear(view, args.target)
    write_json(args.target / "linear-facts.json", {"grams": len(view.vocabulary), "weights": len(view.weights)})


if __name__ == "__main__":
    main()
