"""A conversation's state survives being written as JSON, also by a newer version."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store_kit import NOON, STANDING
from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.errors import StoreError
from yingda.domain.knowledge import Priority
from yingda.domain.message import CustomerProfile, Tier
from yingda.domain.takeover import Handoff, Reason
from yingda.store.base import dump_json
from yingda.store.codec import decode_state, encode_state

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
handoffs = st.builds(Handoff, reasons=st.lists(st.sampled_from(Reason)).map(tuple), priority=st.sampled_from(Priority))
states = st.builds(
    ConversationState,
    question=st.none() | st.builds(Asked),
    standing=st.none() | handoffs,
    customer=st.none() | st.builds(CustomerProfile),
    last_at=st.none() | st.datetimes(timezones=zones),
)


@given(states)
def test_a_state_comes_back_as_it_was(state: ConversationState) -> None:
    back = decode_state(json.loads(dump_json(encode_state(state))))

    assert back == state
    assert asdict(back) == asdict(state)
    assert (back.last_at is None) == (state.last_at is None)
    if back.last_at is not None and state.last_at is not None:
        assert back.last_at.isoformat() == state.last_at.isoformat()


def test_what_a_newer_version_added_is_left_out() -> None:
    stored = encode_state(ConversationState(repeats=2, standing=STANDING))
    stored["mood"] = {"score": 1}
    stored["standing"]["queue"] = "a"
    stored["standing"]["reasons"] = ["telepathy", *stored["standing"]["reasons"]]

    assert decode_state(stored) == ConversationState(repeats=2, standing=STANDING)


def test_what_an_older_version_did_not_know_has_its_default() -> None:
    assert decode_state({"repeats": 2}) == ConversationState(repeats=2)
    assert decode_state({"customer": {"tier": "vip"}}) == ConversationState(customer=CustomerProfile(Tier.VIP))
    assert decode_state({}) == NEW


@pytest.mark.parametrize(
    "stored",
    [
        {"repeats": "two"},
        {"repeats": True},
        {"facts": 1},
        {"facts": "order_no"},
        {"last_at": "yesterday"},
        {"question": {"about": "ship-when"}},
        {"standing": {"required": True, "reasons": [], "skill": None, "priority": "cosmic"}},
        {"standing": []},
        [],
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_line(stored: dict[str, object]) -> None:
    with pytest.raises(StoreError, match=r"^a stored ConversationState cannot be read") as caught:
        decode_state(stored)

    assert caught.value.code == "store_too_new"
    assert "\n" not in str(caught.value)


def test_times_keep_their_offset() -> None:
    assert encode_state(ConversationState(last_at=NOON))["last_at"] == "2026-11-11T12:00:00+08:00"
    assert decode_state({"last_at": "2026-11-11T12:00:00+08:00"}).last_at == datetime(2026, 11, 11, 4, tzinfo=UTC)
