"""The table of BM25 scores that bm25s looks up, made by array operations instead of a pass in Python over every document.

Every score is, bit for bit, the one ``bm25s.BM25().index`` computes from the tokens of ``bigrams`` or ``characters``
(Lucene's variant: Kamphuis et al. 2020, "Which BM25 Do You Mean?"); only the numbers of the tokens are others, and they
are the same in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import log
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray

_SHIFT = 21
"""Bits of a code point and one more, so that 0 says that there is none."""

SPARE = 63 - 2 * _SHIFT
"""Bits that a token leaves of a number: those of two million documents."""

Codes = NDArray[np.int64]


def build_table(documents: Sequence[Sequence[str]], *, whole: bool, spare: int = SPARE) -> Any:
    """The bm25s table of ``documents``, each one or more texts: by bigrams, and where ``whole`` by single characters too.

    A text of one character or none is one token. Tokens are replaced by their ranks first where the documents need more than
    ``spare`` bits beside them. Raises ValueError where there are no documents.
    """
    if not documents:
        raise ValueError("a table needs at least one document")
    table = bm25s.BM25()
    tokens, owners = _tokens(documents, whole=whole)
    lengths = np.bincount(owners, minlength=len(documents))
    codes, frequencies, rows, counts = _postings(tokens, owners, len(documents), spare)
    # float64 up to the last step, as bm25s has it: its mean length is a float64
    counted, mean = counts.astype(np.float64), lengths.mean()
    share = counted / (table.k1 * ((1 - table.b) + table.b * lengths[rows] / mean) + counted)
    data = (np.repeat(_weights(frequencies, len(documents)), frequencies) * share).astype(np.float32)
    table.scores = {
        "data": data,
        "indices": rows.astype(np.int32),
        "indptr": np.concatenate(([0], np.cumsum(frequencies))),
        "num_docs": len(documents),
    }
    table.vocab_dict = {_spelled(code): number for number, code in enumerate(codes.tolist())}
    table.vocab_dict.setdefault("", len(codes))
    table.unique_token_ids_set = set(table.vocab_dict.values())
    table.nonoccurrence_array = None
    return table


def _tokens(documents: Sequence[Sequence[str]], *, whole: bool) -> tuple[Codes, Codes]:
    """Every token as a number, and the number of its document: bigrams, then what texts of one character or none are."""
    texts = [text.lower() for text in chain.from_iterable(documents)]
    owners = np.repeat(np.arange(len(documents)), [len(each) for each in documents])
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64) + 1
    text_of = np.repeat(np.arange(len(texts)), sizes)
    follows = text_of[1:] == text_of[:-1]
    bigrams = ((points[:-1] << _SHIFT) | points[1:])[follows]
    single = slice(None) if whole else sizes[text_of] == 1
    empty = sizes == 0
    tokens = np.concatenate((bigrams, points[single] << _SHIFT, np.zeros(int(empty.sum()), np.int64)))
    return tokens, np.concatenate((owners[text_of[:-1][follows]], owners[text_of[single]], owners[empty]))


def _postings(tokens: Codes, owners: NDArray[np.intp], documents: int, spare: int) -> tuple[Codes, Codes, Codes, Codes]:
    """Distinct tokens in ascending order with the number of documents each is in; then of every such pair the document, and how often.

    Token and document are packed into one number, because sorting numbers takes a third of the time of sorting places by them.
    """
    bits, distinct = documents.bit_length(), None
    if bits > spare:
        distinct, tokens = np.unique(tokens, return_inverse=True)
    packed = np.sort((tokens << bits) | owners)
    places = np.flatnonzero(np.concatenate(([True], packed[1:] != packed[:-1])))
    codes, rows = packed[places] >> bits, packed[places] & ((1 << bits) - 1)
    begins = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    frequencies, counts = np.diff(begins, append=len(codes)), np.diff(places, append=len(packed))
    return codes[begins] if distinct is None else distinct, frequencies, rows, counts


def _weights(frequencies: NDArray[np.intp], documents: int) -> NDArray[np.float32]:
    """Inverse document frequency of each token; few frequencies differ, and ``math.log`` is what bm25s takes of each."""
    found, places = np.unique(frequencies, return_inverse=True)
    logs = [log(1 + (documents - one + 0.5) / (one + 0.5)) for one in found.tolist()]
    return np.asarray(logs, np.float32)[places]


def _spelled(code: int) -> str:
    first, second = divmod(code, 1 << _SHIFT)
    return "".join(chr(point - 1) for point in (first, second) if point)
