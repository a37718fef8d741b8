"""Robustness and conversations of two engines: paired figures, and every test that ends otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.behaviour import Behaviour, behaviour_parts
from evaluation.compare import run
from evaluation.conversations.play import Played
from evaluation.recommendation import Advice, recommend
from evaluation.robustness.cases import Case, CaseKind
from evaluation.robustness.examine import Asked
from evaluation.robustness.invariance import Invariance, Perturbed
from evaluation.robustness.trials import Trial
from evaluation.turned import turned
from tests.fakes_evaluation import FakeEngine, Said, exam, knows, make_answer, make_judged, make_row, write_gates, write_pack
from yingda.domain.decision import Outcome
from yingda.pack import read_knowledge

SILENT = Said(accepted=False, outcome=Outcome.NO_ANSWER)
WRONG = Said(entry="coupon-use")
PAIR = Case("ship-not", CaseKind.NEGATION, ("多久发货", "先别发货"), never=("ship-when",))
ROWS = exam(90)


def message(place: int, after: Said, *, accepted: bool = True, perturbation: str = "emoji") -> Perturbed:
    row = make_row("多久发货", place=f"test-1.jsonl:{place}")
    changed = replace(row, text="多久发货😊")
    before = make_judged(row, accepted=accepted)
    return Perturbed(perturbation, before, replace(make_judged(changed), answer=make_answer(after)))


def talk(*wrong: str, name: str = "c1") -> list[Played]:
    """A conversation of two turns; the second is a hand-off that went as expected unless ``wrong`` says what did not."""
    first = Played(name, 1, "多久发货", "", Outcome.ANSWERED, "ship-when", (), (), concerns_handoff=False)
    outcome, reasons = (Outcome.ANSWERED, ()) if wrong else (Outcome.HANDOFF, ("requested",))
    return [first, Played(name, 2, "转人工", "", outcome, None, reasons, wrong, concerns_handoff=True)]


def behaviour(*tests: Perturbed, second: Said = SILENT, played: list[list[Played]] | None = None) -> Behaviour:
    trial = Trial(PAIR, (make_answer(Said()), make_answer(second)))
    return Behaviour(Asked(Invariance(9, 9, 9, tests), (trial,)), [talk()] if played is None else played)


def figures(champion: Behaviour, candidate: Behaviour) -> dict[str, tuple[float | None, float | None]]:
    parts = behaviour_parts(champion, candidate)
    return {name: (found.champion, found.candidate) for part in parts for name, found in part.differences.items()}


def test_an_engine_beside_itself_differs_in_nothing() -> None:
    one = behaviour(message(1, Said()), message(2, WRONG), played=[talk(), talk("outcome answered, expected handoff", name="c2")])

    parts = behaviour_parts(one, one)

    assert [(part.name, part.rows) for part in parts] == [
        ("robustness: perturbed messages", 2),
        ("robustness: written cases", 1),
        ("conversations", 2),
    ]
    measured = [found for part in parts for found in part.differences.values() if found.value is not None]
    assert measured and all((d.value, d.interval and (d.interval.low, d.interval.high)) == (0, (0, 0)) for d in measured)
    assert turned(one, one) == ()


def test_each_share_is_counted_over_what_both_were_asked() -> None:
    champion = behaviour(message(1, Said()), message(1, WRONG, perturbation="typo"), message(2, Said(), accepted=False))
    candidate = behaviour(message(1, Said()), message(1, Said(), perturbation="typo"), message(2, WRONG, accepted=False), message(3, WRONG))

    found = figures(champion, candidate)

    # the third message is the candidate's alone, and the second neither had accepted
    assert found["invariance"] == (0.5, 1.0)
    assert found["invariance_kept"] == (0.5, 1.0)
    assert found["invariance_all"] == found["best_kept"] == (2 / 3, 2 / 3)  # one division each, of the same numbers
    assert found["directional"] == (1.0, 1.0)
    assert found["minimum_function"] == (None, None)


def test_messages_cases_and_conversations_are_drawn_whole() -> None:
    lost = [message(place, Said()) for place in range(40)] + [message(1, Said(), perturbation=f"p{n}") for n in range(40)]
    broken = [message(place, Said()) for place in range(40)] + [message(1, WRONG, perturbation=f"p{n}") for n in range(40)]

    (part, *_) = behaviour_parts(behaviour(*lost), behaviour(*broken))

    assert part.rows == 40
    difference = part.differences["invariance"]
    assert (difference.value, difference.is_loss) == (-0.5, False), "all of it is one message, which a draw may leave out"


def test_what_ends_otherwise_is_listed_with_both_sides() -> None:
    missed = "reasons none, expected requested"
    champion, candidate = behaviour(message(1, Said())), behaviour(message(1, WRONG), second=Said(), played=[talk(missed)])

    turn, pair, changed = turned(champion, candidate)

    assert (turn.kind, turn.place, turn.text) == ("conversations", "c1 · 2", "转人工")
    assert (turn.champion.came, turn.champion.right) == ("handoff, requested", True)
    assert (turn.candidate.came, turn.candidate.right) == ("answered", False)
    assert (pair.kind, pair.place, pair.before, pair.text) == ("negation", "ship-not", "多久发货", "先别发货")
    assert (pair.champion.right, pair.candidate.came) == (True, "wrong: answered, ship-when (0.99)")
    assert (changed.kind, changed.place, changed.before, changed.text) == ("emoji", "test-1.jsonl:1", "多久发货", "多久发货😊")
    assert changed.candidate.came == "wrong: answered, coupon-use (0.99)"


def test_a_sure_loss_of_conversations_stands_against_a_candidate_and_a_gain_wins_no_prize() -> None:
    kept, lost = ([talk(*wrong, name=f"c{n}") for n in range(60)] for wrong in ((), ("outcome answered, expected handoff",)))

    def further(before: list[list[Played]], after: list[list[Played]]) -> Any:
        parts = behaviour_parts(behaviour(played=before), behaviour(played=after))
        return [difference for part in parts for difference in part.differences.values()]

    rows = {name: found for part in behaviour_parts(behaviour(), behaviour()) for name, found in part.differences.items()}
    prizes = {name: replace(rows["directional"], metric=name) for name in ("coverage", "faq_top1")}
    worse = recommend(champion=(), candidate=(), differences=prizes, further=further(kept, lost))
    better = recommend(champion=(), candidate=(), differences=prizes, further=further(lost, kept))

    assert worse.advice is better.advice is Advice.KEEP
    assert any(reason.startswith("worse: handoffs_right 1.000 -> 0.000") for reason in worse.reasons)
    assert better.reasons[0].startswith("neither coverage nor top-1 is surely better")


def test_the_command_examines_written_cases_of_the_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": ROWS})
    case = {"id": "ship-not", "kind": "negation", "texts": ["多久发货", "先别发货"], "never": ["ship-when"]}
    (pack / "robustness.yaml").write_text(json.dumps({"version": 1, "cases": [case]}), encoding="utf-8")
    known = read_knowledge(pack)
    says = {**knows(ROWS).says, "多久发货": Said()}
    engines = {
        "a": FakeEngine({**says, "先别发货": SILENT}, knowledge=known),
        "b": FakeEngine({**says, "先别发货": Said()}, knowledge=known),
    }

    def opener(bundle: Path, /, *, pack: Path | None = None) -> FakeEngine:
        return engines[bundle.name]

    words = ["a", "b", "--pack", str(pack), "--out", str(tmp_path / "out")]
    assert run(words, opener=opener, gates=write_gates(tmp_path / "gates.yaml")) == 1

    found = json.loads((tmp_path / "out/compare.json").read_text(encoding="utf-8"))
    part = found["behaviour"]["robustness: written cases"]
    assert (part["rows"], part["differences"]["directional"]["champion"], part["differences"]["directional"]["candidate"]) == (1, 1, 0)
    assert found["turned"][0]["candidate"] == {"came": "wrong: answered, ship-when (0.99)", "right": False}
    assert "robustness.yaml" in found["files"]
    page = (tmp_path / "out/compare.md").read_text(encoding="utf-8")
    assert "### robustness: written cases (1)" in page
    assert "| negation | ship-not | 多久发货 | 先别发货 |" in page
    screen = capsys.readouterr().out
    assert "directional " in screen and "and 1 turns, cases and perturbed messages" in screen
