"""Past conversations under another configuration: what would have been said instead."""

from yingda.replay.records import PastTurn, Seen, read_turns
from yingda.replay.report import Costs, Difference, compare
from yingda.replay.run import Decider, Run, Step, replay

__all__ = ["Costs", "Decider", "Difference", "PastTurn", "Run", "Seen", "Step", "compare", "read_turns", "replay"]
