"""What holds for the fused posterior and the confidences whatever the views say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry
from yingda.probability import log_softmax, softmax
from yingda.retrieve.fusion import FEATURES, ConfidenceModel, FusionWeights, Views, confidences, features, fuse, spread
from yingda.retrieve.space import MatchSpace, build_space
from yingda.understand.intent import IntentWeights, intent_posterior

ROUNDING = 1e-5  # float32 sums over a few dozen numbers
INTENTS = ("A", "B", "C")
WEIGHTS = FusionWeights(scale=10.0, dense=0.8, linear=0.7, intent=0.3, lexical=0.2, none=-0.1)


@dataclass(frozen=True)
class Case:
    """A match space and some views over it."""

    space: MatchSpace
    views: Views
    model: ConfidenceModel


def entry(name: str, intent: str) -> FaqEntry:
    return FaqEntry(name, intent, {"zh": name}, {}, {"zh": name})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    live = [entry(f"e{n}", draw(st.sampled_from(INTENTS))) for n in range(draw(st.integers(1, 6)))]
    known = [faq.id for faq in live if draw(st.booleans())]
    trained = [*known, "retired", "none:A", "none:C"]
    space = build_space(live, trained, INTENTS)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(1, 5))
    spiky = draw(st.sampled_from([0.1, 1.0, 8.0]))  # from nothing known to almost certain
    views = Views(
        cosine=np.tanh(generator.normal(size=(rows, space.size))).astype(np.float32),
        linear=spread(log_softmax((spiky * generator.normal(size=(rows, len(trained)))).astype(np.float32)), space),
        lexical=generator.exponential(size=(rows, space.size)).astype(np.float32),
        intent=log_softmax((spiky * generator.normal(size=(rows, len(INTENTS)))).astype(np.float32)),
    )
    model = ConfidenceModel(tuple(generator.normal(size=len(FEATURES)).tolist()), draw(st.floats(-8, 4)))
    return Case(space, views, model)


def judge(case: Case) -> NDArray[np.float32]:
    """Confidences as the engine computes them."""
    posterior = fuse(case.views, WEIGHTS, case.space)
    intents = intent_posterior(case.views.intent, np.exp(posterior), case.space.intents.tolist(), IntentWeights(0.5, 0.5))
    return confidences(posterior, features(posterior, case.views, intents, case.space), case.model, case.space)


def rows_of(views: Views, rows: list[int]) -> Views:
    return Views(views.cosine[rows], views.linear[rows], views.lexical[rows], views.intent[rows])


@given(cases())
def test_the_posterior_sums_to_1(case: Case) -> None:
    posterior = fuse(case.views, WEIGHTS, case.space)

    np.testing.assert_allclose(np.exp(posterior).sum(1), 1.0, atol=ROUNDING)


@given(cases())
def test_confidences_lie_between_0_and_1_and_sum_to_at_most_1(case: Case) -> None:
    result = judge(case)

    assert result.shape == (len(case.views.cosine), len(case.space.entries))
    assert ((result >= 0) & (result <= 1)).all()
    assert (result.sum(1) <= 1 + ROUNDING).all()


@given(cases())
def test_the_best_entry_stays_first_when_the_engine_ranks_by_confidence(case: Case) -> None:
    best = fuse(case.views, WEIGHTS, case.space)[:, : len(case.space.entries)].argmax(1)

    ranked = np.argsort(-judge(case), axis=1, kind="stable")

    assert ranked[:, 0].tolist() == best.tolist()


def test_a_very_unsure_best_entry_still_ranks_first() -> None:
    space = build_space([entry("e0", "A"), entry("e1", "B")], ["e0", "e1"], INTENTS)
    posterior = np.log(np.asarray([[0.4, 0.6]], np.float32))
    judged = np.zeros((1, len(FEATURES)), np.float32)

    result = confidences(posterior, judged, ConfidenceModel((0.0,) * len(FEATURES), -3.0), space)

    assert np.argsort(-result[0], kind="stable")[0] == 1


def test_what_an_unsure_best_entry_leaves_is_shared_also_where_the_posterior_is_saturated() -> None:
    space = build_space([entry(f"e{n}", "A") for n in range(4)], [f"e{n}" for n in range(4)], INTENTS)
    posterior = log_softmax(np.asarray([[0.0, -18.0, -18.0, -18.0]], np.float32))

    result = confidences(posterior, np.zeros((1, len(FEATURES)), np.float32), ConfidenceModel((0.0,) * len(FEATURES), 0.0), space)

    np.testing.assert_allclose(result, [[0.5, 1 / 6, 1 / 6, 1 / 6]], atol=1e-4)


@given(cases())
def test_nothing_is_nan_where_entries_are_new(case: Case) -> None:
    assert np.isnan(case.views.linear).any(0).tolist() == case.space.is_new.tolist()
    assert np.isfinite(fuse(case.views, WEIGHTS, case.space)).all()
    assert np.isfinite(judge(case)).all()


def test_without_the_linear_view_a_new_entry_stands_like_a_known_one() -> None:
    known = build_space([entry("e0", "A"), entry("e1", "A")], ["e0", "e1"], INTENTS)
    fresh = build_space([entry("e0", "A"), entry("e1", "A")], ["e0"], INTENTS)
    cosine = np.asarray([[0.2, 0.9]], np.float32)
    intent = log_softmax(np.zeros((1, 3), np.float32))
    dense = log_softmax(WEIGHTS.scale * cosine)
    nan = np.asarray([[dense[0, 0], np.nan]], np.float32)

    as_known = fuse(Views(cosine, dense, np.zeros_like(cosine), intent), WEIGHTS, known)
    as_new = fuse(Views(cosine, nan, np.zeros_like(cosine), intent), WEIGHTS, fresh)

    np.testing.assert_allclose(as_new, as_known, atol=ROUNDING)


@given(cases())
def test_the_order_of_messages_does_not_matter(case: Case) -> None:
    rows = list(range(len(case.views.cosine)))[::-1]

    turned = judge(Case(case.space, rows_of(case.views, rows), case.model))

    np.testing.assert_allclose(turned, judge(case)[rows], atol=ROUNDING)


@given(cases())
def test_a_message_alone_fares_as_in_a_batch(case: Case) -> None:
    together = judge(case)

    for row in range(len(together)):
        alone = judge(Case(case.space, rows_of(case.views, [row]), case.model))
        np.testing.assert_allclose(alone[0], together[row], atol=ROUNDING)


@given(cases())
def test_features_are_finite_and_as_many_as_their_names(case: Case) -> None:
    posterior = fuse(case.views, WEIGHTS, case.space)
    judged = features(posterior, case.views, softmax(case.views.intent), case.space)

    assert judged.shape == (len(posterior), len(FEATURES))
    assert np.isfinite(judged).all()


def test_retired_entries_give_their_share_to_all_others_alike() -> None:
    space = build_space([entry("e0", "A"), entry("new", "A")], ["e0", "retired"], INTENTS)
    trained = np.log(np.asarray([[0.001, 0.999]], np.float32))
    cosine = np.zeros((1, 2), np.float32)

    views = Views(cosine, spread(trained, space), cosine, log_softmax(np.zeros((1, 3), np.float32)))

    # nothing but the retired entry fits this message: the new one must not look like the answer
    assert np.exp(fuse(views, WEIGHTS, space)).max() < 0.7
