"""The written conversations of the retail pack, played by the shipped bundle through the dialogue that serves."""

from __future__ import annotations

from pathlib import Path

from evaluation.conversations.play import play
from evaluation.conversations.scenario import read_scenarios
from yingda.assemble import open_engine

ROOT = Path(__file__).parents[2]
PACK = ROOT / "data/packs/retail"


def test_every_conversation_passes() -> None:
    engine = open_engine(ROOT / "models/current", pack=PACK)
    files = {file.name: file.scenarios for file in read_scenarios(PACK, engine.knowledge)}
    played = play(engine, files["conversations/public.jsonl"], tick=lambda: None)

    assert len(played) == 35 and all(played)
    assert {each[0].scenario for each in played if any(turn.wrong for turn in each)} == set()
