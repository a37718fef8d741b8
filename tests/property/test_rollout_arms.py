"""What holds for the arms of every plan."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from yingda.decide.rollout import assign, plan_fields, position, read_plan
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import Arm, RolloutPlan, Stage

shares = st.floats(0, 1)
names = st.text(min_size=1).filter(str.strip)
plans = st.builds(
    RolloutPlan,
    release=names,
    salt=names,
    stage=st.sampled_from(Stage),
    share=shares,
    channels=st.dictionaries(st.sampled_from(Channel), shares),
    tiers=st.dictionaries(st.sampled_from(Tier), shares),
    reference=st.sampled_from([Arm.HUMAN, Arm.CONTROL]),
    reason=st.text(),
)
MANY = [f"customer\0{n}" for n in range(20_000)]


@given(plans, st.text(min_size=1), st.sampled_from(Channel), st.sampled_from(Tier))
def test_an_arm_is_sticky(plan: RolloutPlan, customer: str, channel: Channel, tier: Tier) -> None:
    again = read_plan(plan_fields(plan), source="store")

    assert again == plan
    assert assign(plan, customer_id=customer, channel=channel, tier=tier) is assign(again, customer_id=customer, channel=channel, tier=tier)


@given(plans, st.text(min_size=1), shares, shares)
def test_a_higher_share_moves_nobody_out(plan: RolloutPlan, customer: str, one: float, other: float) -> None:
    small, large = (replace(plan, stage=Stage.GRAY, share=share, channels={}, tiers={}) for share in sorted((one, other)))

    if assign(small, customer_id=customer) is Arm.AUTOMATED:
        assert assign(large, customer_id=customer) is Arm.AUTOMATED


@given(plans, st.text(min_size=1))
def test_from_gray_to_full_nobody_moves_out(plan: RolloutPlan, customer: str) -> None:
    gray = replace(plan, stage=Stage.GRAY)

    if assign(gray, customer_id=customer) is Arm.AUTOMATED:
        assert assign(replace(gray, stage=Stage.FULL), customer_id=customer) is Arm.AUTOMATED


@given(plans, st.text(min_size=1))
def test_a_place_lies_in_the_unit_interval(plan: RolloutPlan, key: str) -> None:
    assert 0 <= position(plan, key) < 1


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def test_places_are_uniform() -> None:
    """20 cells, 19 degrees of freedom: a uniform hash exceeds 43.8 with a probability of 0.001; the keys are fixed."""
    plan = RolloutPlan("2026.12", "pepper")
    cells = [0] * 20
    for key in MANY:
        cells[int(position(plan, key) * 20)] += 1

    assert chi_square(cells) < 43.8


def test_releases_and_salts_draw_independently() -> None:
    """Four quarters crossed with four quarters, 15 degrees of freedom: independence exceeds 37.7 with a probability of 0.001."""
    first = RolloutPlan("2026.12", "pepper")
    for second in (RolloutPlan("2027.01", "pepper"), RolloutPlan("2026.12", "salt")):
        cells = [0] * 16
        for key in MANY:
            cells[4 * int(4 * position(first, key)) + int(4 * position(second, key))] += 1
        assert chi_square(cells) < 37.7
