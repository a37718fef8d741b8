"""Two engines on the same messages: by how much they differ, who wins where, and which answers change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from scipy.stats import binomtest

from evaluation.bootstrap import Interval, Tally, difference_intervals, mean_f1, ratio
from evaluation.outcomes import Judged
from evaluation.suites import METRICS
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import OUT_OF_SCOPE, Sentiment

Tallier = Callable[[Sequence[Judged]], Tally]

TOGETHER = "together"
"""Name of the part that holds the messages of all files."""

_SENTIMENTS = tuple(label.value for label in Sentiment)

HEADLINES: Mapping[str, Tallier] = MappingProxyType(
    {
        "match_accuracy": lambda rows: ratio([r.accepted_right for r in rows], [r.accepted for r in rows]),
        "automatic_accuracy": lambda rows: ratio([r.automatic_right for r in rows], [r.automatic for r in rows]),
        "coverage": lambda rows: ratio([r.accepted for r in rows], [r.row.faq is not None for r in rows]),
        "wrong_automatic_answers": lambda rows: ratio([r.automatic and not r.automatic_right for r in rows], [True] * len(rows)),
        "faq_top1": lambda rows: ratio([r.best_right for r in rows], [r.row.faq is not None for r in rows]),
        "intent_accuracy": lambda rows: ratio([r.intent_right for r in rows], [r.row.intent is not None for r in rows]),
        "sentiment_macro_f1": lambda rows: mean_f1(
            [r.row.sentiment.value for r in rows],
            [r.answer.classification.sentiment.label.value for r in rows],
            classes=_SENTIMENTS,
        ),
        "out_of_scope_refusal": lambda rows: ratio([not r.automatic for r in rows], [r.row.intent == OUT_OF_SCOPE for r in rows]),
    }
)
"""The metrics compared, each as counts that can be resampled; their definitions are those of ``METRICS``."""

LOWER_IS_BETTER = frozenset({"wrong_automatic_answers"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of both engines; a value is None where no message counts for it, then there is no interval."""

    metric: str
    champion: float | None
    candidate: float | None
    interval: Interval | None

    @property
    def value(self) -> float | None:
        """Candidate minus champion."""
        return None if self.champion is None or self.candidate is None else self.candidate - self.champion

    @property
    def is_gain(self) -> bool:
        """True when the whole interval says that the candidate is better."""
        if self.interval is None:
            return False
        return self.interval.high < 0 if self.metric in LOWER_IS_BETTER else self.interval.low > 0

    @property
    def is_loss(self) -> bool:
        """True when the whole interval says that the candidate is worse."""
        if self.interval is None:
            return False
        return self.interval.low > 0 if self.metric in LOWER_IS_BETTER else self.interval.high < 0


@dataclass(frozen=True, slots=True)
class Part:
    """The messages of one file, or of all."""

    name: str
    rows: int
    differences: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Duel:
    """Messages of one intent that only the candidate gets right (``wins``) or only the champion (``losses``).

    ``p`` is the exact two-sided p-value of Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947): a fair coin tossed once for each message of the two.
    """

    metric: str
    intent: str
    rows: int
    wins: int
    losses: int
    p: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What the customer got: the entry sent, None when none was, and whether it was right."""

    outcome: Outcome
    entry: str | None
    right: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A message that the two engines answer differently; ``text`` is None where texts may not leave their file."""

    place: str
    label: str | None
    champion: Sent
    candidate: Sent
    text: str | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Both engines' judged rows of one file, in the same order; ``public`` tells whether its texts may be quoted."""

    name: str
    champion: Sequence[Judged]
    candidate: Sequence[Judged]
    public: bool


def compare_parts(files: Sequence[Pairs]) -> tuple[Part, ...]:
    """The differences of each file, then of all messages together."""
    whole = Pairs(
        TOGETHER, [row for file in files for row in file.champion], [row for file in files for row in file.candidate], public=False
    )
    return tuple(_part(pairs) for pairs in (*files, whole))


def duels(files: Sequence[Pairs]) -> tuple[Duel, ...]:
    """Who wins by labelled intent, first the best entry of answerable messages, then the intent; falling by messages at stake."""
    found = [
        *_duels(files, "faq_top1", counts=lambda item: item.row.faq is not None, right=lambda item: item.best_right),
        *_duels(files, "intent_accuracy", counts=lambda item: item.row.intent is not None, right=lambda item: item.intent_right),
    ]
    return tuple(found)


def changes(files: Sequence[Pairs]) -> tuple[Change, ...]:
    """Messages whose outcome or sent entry differs, in the order of the files."""
    return tuple(
        Change(before.row.place, before.row.faq, sent(before), sent(after), before.row.text if file.public else None)
        for file in files
        for before, after in zip(file.champion, file.candidate, strict=True)
        if sent(before) != sent(after)
    )


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided p-value; 1 when no message is at stake."""
    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def _part(pairs: Pairs) -> Part:
    before, after = ({name: tally(rows) for name, tally in HEADLINES.items()} for rows in (pairs.champion, pairs.candidate))
    intervals = difference_intervals(before, after)
    differences = {
        name: Difference(name, METRICS[name](pairs.champion).value, METRICS[name](pairs.candidate).value, intervals[name])
        for name in HEADLINES
    }
    return Part(pairs.name, len(pairs.champion), MappingProxyType(differences))


def _duels(files: Sequence[Pairs], metric: str, *, counts: Callable[[Judged], bool], right: Callable[[Judged], bool]) -> list[Duel]:
    outcomes: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for file in files:
        for before, after in zip(file.champion, file.candidate, strict=True):
            if counts(before):
                outcomes[before.row.intent or "unlabelled"].append((right(before), right(after)))
    found = [_duel(metric, intent, pairs) for intent, pairs in sorted(outcomes.items())]
    return sorted(found, key=lambda duel: -(duel.wins + duel.losses))


def _duel(metric: str, intent: str, pairs: Sequence[tuple[bool, bool]]) -> Duel:
    wins, losses = pairs.count((False, True)), pairs.count((True, False))
    return Duel(metric, intent, len(pairs), wins, losses, mcnemar(wins, losses))


def sent(judged: Judged) -> Sent:
    """What the customer got."""
    entry = judged.answer.faq
    return Sent(judged.answer.outcome, None if entry is None else entry.id, judged.automatic_right)
