"""Written conversations: read with every mistake named, and played so that each wrong turn is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.conversations.examine import METRICS, examine_conversations, workload
from evaluation.conversations.scenario import Scenario, read_scenarios
from evaluation.errors import EvaluationError
from tests.fakes_core import tiny_engine, tiny_knowledge


def turn(text: str, outcome: str = "answered", *, faq: str | None = None, reasons: list[str] | None = None, **more: Any) -> dict[str, Any]:
    expect = {"outcome": [outcome], "faq": [faq] if faq else None, "handoff_reasons": reasons or []}
    return {"text": text, "expect": {**expect, **more.pop("expect", {})}, **more}


def conversation(*turns: dict[str, Any], name: str = "c1") -> dict[str, Any]:
    return {"id": name, "title": "t", "customer": {"tier": "normal"}, "channel": "web", "turns": list(turns)}


def read(tmp_path: Path, *conversations: dict[str, Any]) -> tuple[Scenario, ...]:
    (tmp_path / "conversations").mkdir()
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in conversations)
    (tmp_path / "conversations" / "public.jsonl").write_text(lines, encoding="utf-8")
    return tuple(scenario for file in read_scenarios(tmp_path, tiny_knowledge()) for scenario in file.scenarios)


def ticks() -> None:
    """Progress that nobody looks at."""


THRICE = conversation(
    turn("什么时候发货", faq="ship-when"),
    turn("多久发", faq="ship-when", message_id="m"),
    turn("多久发", faq="ship-when", message_id="m"),
    turn("到底什么时候发", "handoff", reasons=["repeated_question"]),
)


def test_a_conversation_that_goes_as_expected_passes(tmp_path: Path) -> None:
    found = examine_conversations(tiny_engine(), read(tmp_path, THRICE), tick=ticks)

    assert {name: measure.value for name, measure in found.measures.items()} == dict.fromkeys(METRICS, 1.0)
    assert found.facts["failures"] == []


def test_a_turn_that_comes_out_otherwise_is_told_with_what_was_expected(tmp_path: Path) -> None:
    wrong = conversation(turn("什么时候发货", faq="cancel-how"), turn("转人工", "answered", expect={"priority": "high"}), name="c2")

    found = examine_conversations(tiny_engine(), read(tmp_path, THRICE, wrong), tick=ticks)

    assert found.measures["conversations_passed"].value == 0.5
    first, second = found.facts["failures"]
    assert (first["conversation"], first["turn"], first["wrong"]) == ("c2", 1, ["entry ship-when, expected cancel-how"])
    assert second["wrong"] == [
        "outcome handoff, expected answered",
        "reasons requested, expected none",
        "priority medium, expected high",
    ]
    assert "ship-when, expected cancel-how" in "\n".join(found.page)


def test_a_wrong_reason_of_a_hand_off_lowers_its_own_measure(tmp_path: Path) -> None:
    wrong = conversation(turn("转人工", "handoff", reasons=["complaint"]))

    assert examine_conversations(tiny_engine(), read(tmp_path, wrong), tick=ticks).measures["handoffs_right"].value == 0.0


def test_the_same_conversations_come_to_the_same(tmp_path: Path) -> None:
    scenarios = read(tmp_path, THRICE)

    first, second = (examine_conversations(tiny_engine(), scenarios, tick=ticks) for _ in range(2))

    assert first == second


def test_progress_counts_every_turn(tmp_path: Path) -> None:
    scenarios, seen = read(tmp_path, THRICE), list[int]()

    examine_conversations(tiny_engine(), scenarios, tick=lambda: seen.append(1))

    assert len(seen) == workload(scenarios) == 4


def test_a_pack_may_do_without(tmp_path: Path) -> None:
    assert read_scenarios(tmp_path, tiny_knowledge()) == ()
    assert examine_conversations(tiny_engine(), (), tick=ticks).missing


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (conversation(turn("发", faq="no-such")), "unknown entry 'no-such'"),
        (conversation(turn("发", "gone")), "unknown outcome 'gone'"),
        (conversation(turn("发", reasons=["why"])), "unknown handoff_reasons 'why'"),
        (conversation(), "'turns' is empty"),
        (conversation(turn("一", message_id="m"), turn("二", message_id="m")), "message_id 'm' stands for two texts"),
        (conversation(turn("x" * 2001)), "2,001 characters"),
        ({**conversation(turn("发")), "extra": 1}, "unknown field 'extra'"),
        ({**conversation(turn("发")), "channel": "fax"}, "field 'channel' is 'fax'"),
        ({**conversation(turn("发")), "customer": {}}, "field 'tier' is missing"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    with pytest.raises(EvaluationError) as error:
        read(tmp_path, THRICE, {**broken, "id": "c2"})

    assert said in str(error.value)
    assert "conversations/public.jsonl:2" in str(error.value)


def test_two_conversations_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="duplicate conversation 'c1'"):
        read(tmp_path, THRICE, THRICE)


def test_a_file_without_conversations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no conversation"):
        read(tmp_path)
