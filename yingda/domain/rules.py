"""What business rules see of a message, what they set, and the documents they are written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from yingda.domain.errors import YingdaError
from yingda.domain.labels import Priority, Sentiment
from yingda.domain.message import Channel, Tier

if TYPE_CHECKING:  # an answer may hold what rules set, so the module of answers must be free to import this one
    from yingda.domain.decision import Outcome


class Action(StrEnum):
    """What a rule does with a message; ``none`` leaves that to the answer and hand-off policy."""

    NONE = "none"
    ANSWER = "answer"
    CLARIFY = "clarify"
    HANDOFF = "handoff"


@dataclass(frozen=True, slots=True)
class Clock:
    """When the message arrived, in the shop's time: hour 0 to 23, weekday 1 (Monday) to 7 as in ISO 8601."""

    hour: int
    weekday: int
    holiday: bool
    open: bool


@dataclass(frozen=True, slots=True)
class RuleInput:
    """One message as rules see it.

    ``outcome`` is what the policy proposes, ``confidence`` that of the best entry in [0, 1], ``keywords`` the words of the
    keyword library found, as written there in the normalised text. ``repeats``, ``dissatisfied``, ``undecided`` and
    ``out_of_scope`` count as in ConversationState; ``standing`` says that a hand-off stands. Without ``clock`` no rule that
    looks at the time fires.
    """

    intent: str
    category: str
    outcome: Outcome
    tier: Tier = Tier.NORMAL
    sentiment: Sentiment = Sentiment.NEUTRAL
    channel: Channel = Channel.WEB
    keywords: tuple[str, ...] = ()
    clock: Clock | None = None
    repeats: int = 0
    dissatisfied: int = 0
    undecided: int = 0
    out_of_scope: int = 0
    standing: bool = False
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What the rules that fired set; None and empty leave a thing as it was. ``rows`` are the ids of those rules."""

    action: Action = Action.NONE
    priority: Priority | None = None
    skill: str | None = None
    template: str | None = None
    tags: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def filled_from(self, lower: RuleOutcome) -> RuleOutcome:
        """This outcome, with what it leaves open taken from a ``lower`` one; tags, notices and rows add up in order."""
        return RuleOutcome(
            action=lower.action if self.action is Action.NONE else self.action,
            priority=self.priority or lower.priority,
            skill=self.skill or lower.skill,
            template=self.template or lower.template,
            tags=tuple(dict.fromkeys((*self.tags, *lower.tags))),
            notify=tuple(dict.fromkeys((*self.notify, *lower.notify))),
            rows=(*self.rows, *lower.rows),
        )


@dataclass(frozen=True, slots=True)
class RuleDocument:
    """A rule file as it was saved: GoRules JDM in JSON; ``digest`` is the SHA-256 of ``text``."""

    name: str
    text: str
    digest: str

    @classmethod
    def of(cls, name: str, text: str) -> RuleDocument:
        """The document with its digest."""
        return cls(name, text, sha256(text.encode(errors="surrogatepass")).hexdigest())


@dataclass(frozen=True, slots=True)
class RuleMistake:
    """Why a rule file is refused: ``where`` names node, row and column, ``row`` the id of its row and ``line`` its line, where known."""

    where: str
    detail: str
    row: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


class RuleError(YingdaError):
    """A rule file is refused; ``mistakes`` has one line for each reason."""

    def __init__(self, mistakes: Sequence[RuleMistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
