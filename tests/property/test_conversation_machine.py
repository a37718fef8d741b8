"""The conversation driven by random messages, beside a model that only looks back over what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.conversation_kit import ANGRY, DISPLEASED, START, entry_of, mumbled, nearly, said
from tests.fakes import FakeEngine
from tests.store_kit import a_turn
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Verdict, decide
from yingda.dialogue import Dialogue, Request, Told
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Answer, Handoff, Outcome, Reason
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import Priority
from yingda.domain.message import Customer, Message, Tier
from yingda.store.memory import VolatileMemory
from yingda.store.records import Masked, StoredTurn

MESSAGES: Mapping[str, Callable[[], Evidence]] = {
    "ship": lambda: said("什么时候发货", entry="ship-when"),
    "return": lambda: said("怎么退货", entry="return-how"),
    "nearly ship": lambda: nearly("ship-when"),
    "fragment ship": lambda: replace(said("那多久", entry="ship-when"), fragment=True),
    "hello": lambda: said("你好", entry="general-greeting"),
    "thanks": lambda: said("谢谢", entry="general-thanks"),
    "solved": lambda: said("解决了", entry="general-thanks"),
    "unhappy": lambda: said("没用", entry="general-unresolved"),
    "weather": lambda: said("天气", intent="OUT_OF_SCOPE"),
    "mumbled": mumbled,
    "person": lambda: mumbled("转人工"),
    "no person": lambda: said("不用转人工", entry="general-human"),
    "complaint": lambda: mumbled("我要投诉"),
    "angry ship": lambda: said("怎么还不发货", entry="ship-when", sentiment=ANGRY),
    "danger": lambda: said("冒烟了", entry="repair-dangerous"),
    "theft": lambda: mumbled("账号被盗了"),
    "stranger": lambda: said("有人登了我的号", intent="ACCOUNT_SECURITY"),
    "cancel": lambda: replace(said("取消的事", intent="ORDER_CANCEL"), askable=True),
    "and then": lambda: replace(mumbled("然后呢"), hanging=True, resumable=True),
    "yes": lambda: mumbled("嗯"),
    "slow": lambda: said("好慢啊", entry="general-greeting", sentiment=DISPLEASED),
    "ship's words": lambda: mumbled("什么时候发货！"),
    "which parcel": lambda: replace(said("单号是多少", entry="return-how"), wants=("order_no",), withheld=True),
    "nothing new": lambda: replace(said("还是那个", entry="return-how"), wants=("order_no",), withheld=True, fragment=True),
    "pick": lambda: replace(said("2", entry="return-how"), chosen=True, fragment=True),
    "all fine": lambda: mumbled("解决了"),
    "one of two": lambda: replace(said("给一个单号", entry="return-how"), wants=("order_no",), withheld=True, brings=True),
}
ABOUT = {"ship": "ship-when", "angry ship": "ship-when", "fragment ship": "ship-when", "return": "return-how", "danger": "repair-dangerous"}
ABOUT |= {"cancel": "ORDER_CANCEL", "stranger": "ACCOUNT_SECURITY", "pick": "return-how"}
WITHHELD = ("which parcel", "nothing new", "one of two")
"""Messages whose answer lacks a fact, so that the reply asks for it."""
ABOUT |= dict.fromkeys(WITHHELD, "return-how")
FRAGMENTS = {"fragment ship": "ship", "nothing new": "which parcel"}
"""And what each is where it completes nothing: another question, or the same in the same words."""
BY_ITSELF = {
    "person": Reason.REQUESTED,
    "complaint": Reason.COMPLAINT,
    "angry ship": Reason.NEGATIVE_SENTIMENT,
    "danger": Reason.NEEDS_HUMAN,
    "theft": Reason.SECURITY,
    "stranger": Reason.SECURITY,
}
SMALL_TALK = {"hello", "thanks", "solved", "all fine"}
FRESH = {"new", "chosen", "solved", "released"}
"""What begins every count anew; a choice leaves that of dissatisfied messages."""
RISING = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)
GROUPS = {Reason.VIP: "vip", Reason.NEGATIVE_SENTIMENT: "senior", Reason.COMPLAINT: "complaint"}
"""Groups that the default routes name, the most urgent first."""
POLICIES = st.builds(
    HandoffPolicy,
    repeats=st.integers(1, 4),
    dissatisfied=st.integers(1, 3),
    undecided=st.integers(1, 3),
    out_of_scope=st.integers(1, 3),
    requests=st.integers(1, 3),
)


class Past:
    """What was said since the conversation began or a person gave it back, told as (what, about)."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None]] = []
        self.question: str | None = None
        self.words = ""
        self.answered = False

    def add(self, name: str) -> None:
        about, words = ABOUT.get(name), MESSAGES[name]().message.text.rstrip("！")
        is_again = self.words == words and self.counts()["repeats"] > 0
        if name == "pick" and self.question == about:
            name = "fragment ship"
        elif name == "pick":
            self.said.append(("chosen", None))
            self.question, self.words = about, entry_of("return-how").question["zh"]
        if name == "all fine":
            name = "solved"
        if name == "nearly ship":
            name, about = ("ship", "ship-when") if self.question == "ship-when" else ("mumbled", None)
        elif name in FRAGMENTS and (self.question != about or is_again):
            name = FRAGMENTS[name]
        if name == "ship's words":
            name, about = ("ship", self.question) if is_again else ("mumbled", None)
        if name == "slow" and self.answered:
            name = "unhappy"
        if name == "and then":
            name = "mumbled" if self.question is None or self.hangs() else "hanging"
        if about is not None and about != self.question:
            self.said.append(("new", None))
            self.words = words
        if name == "mumbled" and self.question is None:
            about, self.words = "ORDER_STATUS", words
        self.question = about or self.question
        self.said.append((name, about))

    def hangs(self) -> bool:
        """True where a fragment already hangs in the air."""
        names = [name for name, _ in self.said]
        return "hanging" in names[_last(names, {*ABOUT, "solved", "released"}) :]

    def requests(self, *, before: int = 0) -> int:
        """Requests for facts in a row, without the last ``before`` messages."""
        names = [name for name, _ in self.said][: len(self.said) - before]
        row = names[_last(names, FRESH) :]
        return sum(name in WITHHELD for name in row[max(_last(row, {"one of two"}) - 1, 0) :])

    def counts(self) -> dict[str, int]:
        """Every count from scratch: back to the last new question, satisfaction or release."""
        names = [name for name, _ in self.said]
        row, unhelped = names[_last(names, FRESH) :], names[_last(names, FRESH - {"chosen"}) :]
        understood = row[_last(row, {*ABOUT}) :]
        return {
            "repeats": sum(name in {*ABOUT} - {*FRAGMENTS} for name in row),
            "dissatisfied": unhelped.count("unhappy"),
            "out_of_scope": understood.count("weather"),
            "undecided": understood.count("mumbled") + understood.count("weather"),
        }


def _last(names: list[str], wanted: set[str]) -> int:
    """The place behind the last of ``wanted``."""
    return max((place + 1 for place, name in enumerate(names) if name in wanted), default=0)


class Deciding(FakeEngine):
    """Decides, as an engine would, the evidence that a test puts there, and keeps what it was asked and what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence, self.seen = mumbled(), NEW
        self.verdicts: list[Verdict] = []

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        (self.seen,), (answer,) = states or (NEW,), super().answer_many(messages, states)
        open_ = self.seen.question is not None
        evidence = replace(self.evidence, state=self.seen, resumable=self.evidence.resumable and open_)
        verdict = decide(evidence)
        assert decide(evidence) == verdict
        self.verdicts.append(verdict)
        return [replace(answer, outcome=verdict.outcome, handoff=verdict.handoff, state=verdict.state)]


def record(_engine: object, request: Request, answer: Answer, told: Told, conversation: str) -> StoredTurn:
    """What is stored of a turn, as far as a conversation goes on from it."""
    message = request.message
    return a_turn(
        turn_id=told.turn_id,
        conversation_id=conversation,
        message_id=message.message_id,
        digest=request.digest,
        at=message.at,
        text=Masked(message.text),
        state=answer.state,
        answer=told.record,
    )


class Conversation(RuleBasedStateMachine):
    """One customer who writes at random, and whose messages may come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now, self.past = NEW, START, Past()
        self.engine, self.memory, self.sent = Deciding(), VolatileMemory(), dict[str, tuple[Request, Mapping[str, object]]]()
        numbers = count(1)
        self.dialogue = Dialogue(
            self.memory,
            render=lambda _, answer, turn_id: {"answer_id": turn_id, "outcome": answer.outcome.value},
            record=record,
            new_id=lambda: f"{next(numbers):026d}",
        )
        self.expected: Handoff | None = None
        self.policy, self.tier = HandoffPolicy(), Tier.NORMAL

    @rule(policy=POLICIES, tier=st.sampled_from([Tier.VIP, Tier.NORMAL]))
    @precondition(lambda self: self.state == NEW)
    def settings_are_chosen(self, policy: HandoffPolicy, tier: Tier) -> None:
        self.policy, self.tier = policy, tier

    @rule(name=st.sampled_from(sorted(MESSAGES)), minutes=st.integers(0, 300))
    def the_customer_writes(self, name: str, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        message = MESSAGES[name]()
        message = replace(message, message=replace(message.message, at=self.now, customer=Customer("1", tier=self.tier)))
        id_ = f"m-{len(self.sent)}"
        sent = Request(replace(message.message, conversation_id="c", message_id=id_), digest=id_)
        self.engine.evidence = replace(message, policy=self.policy, resumable=message.resumable and self.past.question is not None)
        (told,) = self.dialogue.take(self.engine, [sent])
        assert isinstance(told, Told) and len(self.engine.verdicts) == len(self.sent) + 1
        assert self.engine.seen == self.state
        self.sent[id_], verdict = (sent, told.record), self.engine.verdicts[-1]
        self.state = self.engine.seen
        self.check(name, verdict)
        self.state = verdict.state

    @rule(which=st.integers(0, 1000), times=st.integers(1, 3), minutes=st.integers(0, 300))
    @precondition(lambda self: self.sent)
    def a_message_comes_again(self, which: int, times: int, minutes: int) -> None:
        """A caller that heard nothing sends it again, later and as often as it likes: it is told the same, and nothing counts it."""
        request, told_before = list(self.sent.values())[which % len(self.sent)]
        later = replace(request, message=replace(request.message, at=self.now + timedelta(minutes=minutes)))
        before = (self.memory.recall("c"), self.memory.turns("c"), self.memory.handoffs("c"))
        for told in self.dialogue.take(self.engine, [later] * times):
            assert isinstance(told, Told)
            assert (told.record, told.answer, told.stored) == (told_before, None, True)
        assert (self.memory.recall("c"), self.memory.turns("c"), self.memory.handoffs("c")) == before
        assert len(self.engine.verdicts) == len(self.memory.turns("c")) == len(self.sent), "nothing is decided or kept twice"
        assert self.memory.recall("c")[0] == self.state

    def check(self, name: str, verdict: Verdict) -> None:
        if self.expected is not None:
            self.check_standing(name, verdict, self.expected)
            return
        self.past.add(name)
        reasons = self.reasons(name)
        self.past.answered |= verdict.outcome is Outcome.ANSWERED and name not in {*SMALL_TALK, *WITHHELD}
        assert set(verdict.handoff.reasons) == reasons
        assert list(verdict.handoff.reasons) == sorted(reasons, key=list(Reason).index)
        assert (verdict.outcome is Outcome.HANDOFF) == verdict.handoff.required == bool(reasons)
        assert verdict.second_response == (self.past.said[-1][0] == "unhappy" and not reasons)
        assert name != "yes" or (verdict.outcome, verdict.situation in ("acknowledged", "noted")) == (Outcome.CLARIFY, True)
        assert name != "slow" or verdict.outcome is not Outcome.ANSWERED
        assert not (reasons and name in SMALL_TALK)
        self.expected = verdict.handoff if reasons else None

    def check_standing(self, name: str, verdict: Verdict, before: Handoff) -> None:
        standing = verdict.state.standing
        assert standing is not None, "no hand-off is lost"
        assert replace(verdict.state, standing=None) == replace(self.state, last_at=self.now, standing=None), "nothing is counted"
        is_thanks = name in SMALL_TALK - {"hello"}
        assert verdict.outcome is (Outcome.ANSWERED if is_thanks else Outcome.HANDOFF)
        assert is_thanks or verdict.handoff == standing
        new = {BY_ITSELF[name]} - {Reason.NEEDS_HUMAN} - {*before.reasons} if name in BY_ITSELF else set()
        assert set(standing.reasons) == {*before.reasons} | new
        assert list(standing.reasons) == sorted(standing.reasons, key=list(Reason).index)
        assert (standing is self.state.standing) == (not new), "what is not new writes nothing new"
        assert RISING.index(standing.priority) >= RISING.index(before.priority)
        assert {*standing.notify} >= {*before.notify}
        assert not new or standing.skill in {before.skill, *(GROUPS.get(reason) for reason in new)}
        assert set(standing.reasons).isdisjoint(GROUPS) or standing.skill == next(GROUPS[r] for r in GROUPS if r in standing.reasons)
        self.expected = standing

    def reasons(self, name: str) -> set[Reason]:
        counts, said = self.past.counts(), self.past.said[-1][0]
        found = {BY_ITSELF[name]} if name in BY_ITSELF else set()
        if said in {*ABOUT} - {*FRAGMENTS} and counts["repeats"] >= self.policy.repeats:
            found.add(Reason.REPEATED_QUESTION)
        for kind, counter, reason in (
            ("unhappy", "dissatisfied", Reason.DISSATISFIED),
            ("weather", "out_of_scope", Reason.OUT_OF_SCOPE),
            ("mumbled", "undecided", Reason.LOW_CONFIDENCE),
        ):
            if said == kind and counts[counter] >= getattr(self.policy, counter):
                found.add(reason)
        is_mixed = counts["undecided"] > counts["out_of_scope"]
        if said == "weather" and is_mixed and counts["undecided"] >= self.policy.undecided:
            found.add(Reason.LOW_CONFIDENCE)
        if said in WITHHELD and said != "one of two" and self.past.requests(before=1) >= self.policy.requests:
            found.add(Reason.NEEDS_HUMAN)
        if len(found) > 1:
            found.discard(Reason.NEEDS_HUMAN)
        return found | ({Reason.VIP} if found and self.tier is Tier.VIP else set())

    @rule()
    @precondition(lambda self: self.expected is not None)
    def a_person_gives_it_back(self) -> None:
        self.state, self.expected = self.memory.release("c", by="agent", at=self.now), None
        self.past.said.append(("released", None))

    @rule(hours=st.integers(24, 72))
    def nobody_writes_for_long(self, hours: int) -> None:
        if self.state.last_at is not None:
            self.now += timedelta(hours=hours)
            self.past, self.expected = Past(), None

    @invariant()
    def counts_are_those_of_what_was_said(self) -> None:
        idle = self.state.last_at is not None and self.now - self.state.last_at >= timedelta(hours=self.policy.idle_hours)
        if not idle and self.state != NEW:
            assert {name: getattr(self.state, name) for name in self.past.counts()} == self.past.counts()
            assert self.state.standing == self.expected
            assert self.state.requests <= self.policy.requests, "no request beyond the setting"
            assert self.expected is not None or self.state.requests == self.past.requests()
            # a row that is all out of scope has its own limit
            limits = {"undecided": max(self.policy.undecided, self.policy.out_of_scope)}
            assert all(getattr(self.state, name) <= limits.get(name, getattr(self.policy, name)) for name in self.past.counts())


Conversation.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestConversation = Conversation.TestCase
