"""How long an evaluation took is counted by part and told in every report."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from evaluation.took import WHOLE, Stopwatch, Took


def steps(width: float) -> Iterator[float]:
    """A clock that goes on by ``width`` at every look."""
    return (width * number for number in count())


def test_each_part_and_the_whole_are_counted_by_both_clocks() -> None:
    wall, cpu = steps(2.0), steps(0.5)
    watch = Stopwatch(lambda: next(wall), lambda: next(cpu))

    with watch.part("test"):
        pass
    with watch.part("robustness"):
        pass

    assert dict(watch.read()) == {WHOLE: Took(10.0, 2.5), "test": Took(2.0, 0.5), "robustness": Took(2.0, 0.5)}
    assert list(watch.read()) == [WHOLE, "test", "robustness"]


def test_a_part_that_failed_is_not_told() -> None:
    watch = Stopwatch()

    with pytest.raises(ValueError, match="on the way"), watch.part("test"):
        raise ValueError("on the way")

    assert list(watch.read()) == [WHOLE]
