"""The smallest change that would flip a decision: each one told is proved by deciding again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes_core import THRESHOLDS, tiny_knowledge
from yingda.decide.counterfactual import Decided, Flip, Lever, Value, decided, explain, flips, levers_of, rule_levers
from yingda.decide.evidence import Evidence
from yingda.decide.policy import decide
from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.decision import Acceptance, Candidate, Classification, IntentScore, LanguageGuess, SentimentScore, Timing
from yingda.domain.knowledge import Sentiment
from yingda.domain.message import Customer, CustomerProfile, Message, Tier

INTENTS = tiny_knowledge().taxonomy.intents


def evidence(
    text: str = "什么时候发",
    *,
    intent: str = "ORDER_SHIP_TIME",
    sure: float = 0.9,
    match: float = 0.9,
    entry: str = "ship-when",
    anger: float = 0.0,
    complaint: float = 0.0,
    tier: Tier = Tier.NORMAL,
    state: ConversationState = NEW,
) -> Evidence:
    """What the engine would hand to the policy."""
    best = tiny_knowledge().faq[entry]
    accepted = best if match >= THRESHOLDS.match else None
    label = Sentiment.ANGRY if anger >= 0.5 else Sentiment.NEUTRAL
    feeling = SentimentScore(label, max(anger, 1 - anger), {Sentiment.ANGRY: anger, Sentiment.NEUTRAL: 1 - anger})
    score = IntentScore(intent, sure)
    acceptance = Acceptance.ACCEPT if sure >= THRESHOLDS.intent else Acceptance.ABSTAIN
    about = Classification(
        LanguageGuess("zh", 1.0), score, acceptance, (score,), feeling, INTENTS[intent].priority, (), (), Timing(0.0, 0.0, 0.0, 0.0)
    )
    return Evidence(
        message=Message(text, customer=Customer("1", tier=tier)),
        classification=about,
        intent=INTENTS[accepted.intent if accepted else intent],
        accepted=accepted,
        candidates=(Candidate(entry, match, 0.5), Candidate("hello", 0.01, 0.1)),
        complaint=complaint,
        thresholds=THRESHOLDS,
        state=state,
        best=best,
    )


def explained(case: Evidence) -> dict[str, Flip]:
    """By lever, its smallest flip."""
    found: dict[str, Flip] = {}
    for flip in explain(case, decide=decide, intents=INTENTS):
        found.setdefault(flip.name, flip)
    return found


def test_a_match_just_too_unsure_says_how_much_it_lacks() -> None:
    flip = explained(evidence(match=0.65, sure=0.3))["match_confidence"]

    assert flip.after.outcome == "answered"
    assert flip.after.entry == "ship-when"
    assert flip.then == pytest.approx(0.7)
    assert flip.size == pytest.approx(0.05)
    assert flip.chinese() == "匹配置信度 0.65 → 0.70：结果 反问 → 回答，条目 – → ship-when"
    assert flip.english() == "match confidence 0.65 → 0.70: outcome clarify → answered, entry – → ship-when"


def test_a_sure_match_says_how_little_would_have_been_too_little() -> None:
    flip = explained(evidence(match=0.75))["match_confidence"]

    assert flip.after.outcome == "clarify"
    assert flip.then == pytest.approx(0.7)
    assert float(flip.then) < 0.7


def test_an_angry_customer_would_be_answered_below_the_threshold_of_anger() -> None:
    flip = explained(evidence(anger=0.8))["anger"]

    assert flip.before.reasons == ("negative_sentiment",)
    assert flip.after.reasons == ()
    assert flip.size == pytest.approx(0.2)


def test_anger_beside_a_complaint_flips_at_the_threshold_of_further_reasons() -> None:
    complaint = replace(evidence("我要投诉", anger=0.9), thresholds=replace(THRESHOLDS, angry_beside=0.8))

    flip = explained(complaint)["anger"]

    assert (flip.before.reasons, flip.after.reasons) == (("complaint", "negative_sentiment"), ("complaint",))
    assert flip.size == pytest.approx(0.1)


def test_the_tier_that_the_conversation_knows_is_told_as_the_customer_s() -> None:
    named = evidence(anger=0.8)
    known = replace(named, message=replace(named.message, customer=None), state=ConversationState(customer=CustomerProfile(Tier.VIP)))
    flip = explained(known)["tier"]

    assert (flip.now, flip.before.notify, flip.after.notify) == ("vip", ("supervisor",), ())


def test_an_ordinary_tier_would_drop_the_supervisor() -> None:
    flip = explained(evidence(anger=0.8, tier=Tier.VIP))["tier"]

    assert flip.now == "vip"
    assert flip.before.notify == ("supervisor",)
    assert flip.after.notify == ()


def test_one_more_dissatisfied_message_calls_a_person() -> None:
    flip = explained(evidence("没解决", sure=0.3, match=0.3))["dissatisfied_so_far"]

    assert (flip.now, flip.then) == (0, 1)
    assert flip.after.reasons == ("dissatisfied",)
    assert flip.chinese().startswith("此前不满意次数 0 → 1：结果 反问 → 转人工")


def test_a_limit_that_a_manager_could_change_is_told() -> None:
    flip = explained(evidence("没解决", sure=0.3, match=0.3, state=ConversationState(dissatisfied=1)))["dissatisfied_limit"]

    assert flip.before.outcome == "handoff"
    assert (flip.now, flip.then) == (2, 3)


def test_a_standing_hand_off_is_told() -> None:
    standing = decide(evidence(anger=0.8)).state

    assert explained(evidence(state=standing))["hand_off_stands"].after.outcome == "answered"


def test_changes_come_smallest_first() -> None:
    sizes = [flip.size for flip in explain(evidence(match=0.61), decide=decide, intents=INTENTS)]

    assert sizes == sorted(sizes)
    assert len(sizes) > 1


def test_a_rule_row_that_decided_alone_is_named() -> None:
    rows = frozenset({"vip-complaint", "greeting"})

    def by_rules(fired: frozenset[str]) -> Decided:
        return Decided("handoff" if "vip-complaint" in fired else "answered")

    found = flips(rows, rule_levers(sorted(rows), lambda fired, row: fired - {row}), by_rules)

    assert [(flip.name, flip.after.outcome) for flip in found] == [("rule vip-complaint", "answered")]
    assert found[0].chinese() == "规则 vip-complaint 生效 → 不生效：结果 转人工 → 回答"


evidences = st.builds(
    evidence,
    st.sampled_from(["什么时候发", "没解决", "人工", "投诉", "谢谢"]),
    intent=st.sampled_from(sorted(INTENTS)),
    sure=st.floats(0, 1),
    match=st.floats(0, 1),
    entry=st.sampled_from(["ship-when", "cancel-how", "security-lock"]),
    anger=st.floats(0, 1),
    complaint=st.floats(0, 1),
    tier=st.sampled_from(Tier),
    state=st.builds(ConversationState, repeats=st.integers(0, 4), dissatisfied=st.integers(0, 3), undecided=st.integers(0, 3)),
)


@given(evidences)
@settings(max_examples=40)
def test_every_change_told_flips_the_decision_to_what_is_told(case: Evidence) -> None:
    levers = {lever.name: lever for lever in levers_of(case, INTENTS)}
    before = decided(decide(case), case)

    for flip in explain(case, decide=decide, intents=INTENTS):
        moved = levers[flip.name].move(case, flip.then)
        assert decided(decide(moved), moved) == flip.after != before == flip.before
        assert flip.size == levers[flip.name].size(flip.then) > 0


Numbers = Mapping[str, float]


def number_lever(name: str, now: float) -> Lever[Numbers]:
    def move(numbers: Numbers, value: Value) -> Numbers:
        return {**numbers, name: float(value)}

    return Lever(name, now, (0.0, 1.0), move, continuous=True)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.99)), min_size=1, max_size=4))
def test_the_smallest_change_of_a_threshold_rule_is_the_way_to_its_threshold(pairs: list[tuple[float, float]]) -> None:
    """All numbers must reach their thresholds: the change is found to 1e-6 wherever one change alone can flip."""
    numbers = {f"n{i}": now for i, (now, _) in enumerate(pairs)}
    thresholds = {f"n{i}": threshold for i, (_, threshold) in enumerate(pairs)}

    def passes(case: Numbers) -> Decided:
        return Decided("yes" if all(case[name] >= thresholds[name] for name in case) else "no")

    found = {flip.name: flip for flip in flips(numbers, [number_lever(*item) for item in numbers.items()], passes)}

    short = [name for name in numbers if numbers[name] < thresholds[name]]
    assert set(found) == (set(numbers) if not short else set(short) if len(short) == 1 else set())
    for name, flip in found.items():
        assert flip.size == pytest.approx(abs(numbers[name] - thresholds[name]), abs=1e-6)


@given(evidences)
@settings(max_examples=8)
def test_explaining_leaves_the_evidence_as_it_was(case: Evidence) -> None:
    copy = replace(case)
    explain(case, decide=decide, intents=INTENTS)

    assert case == copy


def test_a_limit_of_requests_for_facts_that_decided_is_told() -> None:
    waits = ConversationState(question=Asked("ship-when", "什么时候发"), repeats=1, requests=2)
    stuck = replace(evidence(state=waits), wants=("order_no",), withheld=True, fragment=True)

    found = explained(stuck)

    assert decide(stuck).handoff.reasons == ("needs_human",)
    assert (found["requests_so_far"].then, found["requests_so_far"].after.outcome) == (1, "answered")
    assert (found["requests_limit"].then, found["requests_limit"].after.outcome) == (3, "answered")
