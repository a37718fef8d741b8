"""A shortlist scores its candidates as the whole space would, whatever the vectors, wordings and weights."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yingda.domain.knowledge import FaqEntry
from yingda.probability import log_softmax
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights, Views, confidences, fuse, spread
from yingda.retrieve.index import FaqIndex, build_search
from yingda.retrieve.shortlist import fuse_shortlist
from yingda.retrieve.space import build_space

ROUNDING = 1e-4  # float32 sums over some dozens of numbers, in log
INTENTS = ("A", "B", "C")
TEXTS = st.text(st.sampled_from("退换货款发票券码"), min_size=0, max_size=6)


@st.composite
def cases(draw: st.DrawFn) -> tuple[FaqIndex, str, FusionWeights, np.random.Generator, list[str]]:
    count = draw(st.integers(1, 25))
    faq = [FaqEntry(f"e{n}", draw(st.sampled_from(INTENTS)), {"zh": draw(TEXTS)}, {}, {"zh": ""}) for n in range(count)]
    trained = [*(entry.id for entry in faq[: draw(st.integers(0, 3))]), "retired", "none:A"]
    space = build_space(faq, trained, INTENTS)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    drawn = generator.normal(size=(space.size, 8))
    vectors = np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)
    wordings = {entry.id: entry.texts() for entry in faq}
    index = FaqIndex(space, vectors, wordings, search=build_search(space, vectors, wordings))
    dense, linear, intent = (draw(st.floats(0, 1)) for _ in range(3))
    weights = FusionWeights(draw(st.floats(1, 20)), dense, linear, intent, 0.0, draw(st.floats(-1, 1)))
    return index, draw(TEXTS), weights, generator, trained


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(1, 30))
def test_a_sample_of_all_entries_gives_the_posterior_of_the_whole_space(case, k: int) -> None:  # type: ignore[no-untyped-def]
    index, text, weights, generator, trained = case
    message = index.vectors[0]
    linear = log_softmax(generator.normal(size=(1, len(trained))).astype(np.float32))
    intent = log_softmax(generator.normal(size=(1, 3)).astype(np.float32))
    whole = fuse(
        Views(index.cosines(message[None], [text]), spread(linear, index.space), index.lexical([text]), intent), weights, index.space
    )

    short = index.shortlist(message, text, k=k)
    posterior, left = fuse_shortlist(short.views(linear, intent), weights, short)

    places = {name: place for place, name in enumerate(index.space.entries)}
    numbers = [*(places[name] for name in short.space.entries), *range(len(places), index.space.size)]
    np.testing.assert_allclose(posterior[0], whole[0, numbers], atol=ROUNDING)
    np.testing.assert_allclose(np.exp(posterior).sum() + left.sum(), 1.0, atol=ROUNDING)
    model, judged, count = ConfidenceModel((0.0,), 0.0), np.zeros((1, 1), np.float32), len(places)
    if index.space.entries[whole[0, :count].argmax()] not in short.space.entries:
        return  # with few candidates the best entry by intent or n-grams may not be among them
    shares = confidences(posterior, judged, model, short.space, elsewhere=left.sum(1))
    expected = confidences(whole, judged, model, index.space)[:, numbers[: len(short.space.entries)]]
    np.testing.assert_allclose(shares, expected, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(cases(), TEXTS)
def test_the_lexical_view_of_some_entries_is_that_of_all(case, text: str) -> None:  # type: ignore[no-untyped-def]
    index, *_ = case
    count = len(index.space.entries)
    whole = index.wordings.best(text, count)
    for chosen in (np.arange(count), np.arange(count)[::3]):
        assert index.wordings.best_of(text, chosen).tobytes() == whole[chosen].tobytes()


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(1, 30))
def test_a_shortlist_holds_trained_entries_the_nearest_and_every_class_without_entry(case, k: int) -> None:  # type: ignore[no-untyped-def]
    index, text, *_ = case
    short = index.shortlist(index.vectors[0], text, k=k)
    trained = {name for name, new in zip(index.space.entries, index.space.is_new, strict=False) if not new}
    assert trained <= set(short.space.entries)
    nearest = index.cosines(index.vectors[:1], [text])[0, : len(index.space.entries)].argmax()
    assert index.space.entries[nearest] in short.space.entries
    assert short.space.size - len(short.space.entries) == index.space.size - len(index.space.entries)
