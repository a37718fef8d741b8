"""When a person takes over, as settings a manager reads and changes, and what that person is then given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from yingda.domain.decision import Outcome
from yingda.domain.labels import Priority, Sentiment
from yingda.domain.message import CustomerProfile as CustomerProfile
from yingda.domain.takeover import Reason


@dataclass(frozen=True, slots=True)
class WordList:
    """Words for one thing a customer may say.

    ``phrases`` count anywhere in a message, ``ends`` only where nothing but ``polite`` words follows (登上去了，谢谢), ``alone``
    only where they and ``polite`` words are the whole of it (人工). ``nouns`` say nothing by themselves, but a negation before
    one (不要人工) takes the thing back. A word of ``vetoes`` anywhere else in the message silences phrases and ends (解决了，但…).
    In phrases and ends, … stands for up to eight characters of one sentence (按你…没), and a 了 at the end also for 啦, 咯, 喽,
    咧, 嘞 and 喇.
    """

    phrases: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    polite: tuple[str, ...] = ()
    vetoes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negation:
    """How a customer takes words back.

    Before a phrase stand ``refusing`` words (不用转人工), ``denying`` ones (不是投诉) and ``lacking`` ones (没解决), with at most
    two words of ``between`` (不用帮我转人工). Denying words take back no noun; lacking ones never a person, for 没有人工
    complains. ``after`` stands behind a phrase (投诉就算了), and so does ``ends``, where nothing but particles follows in the
    clause (人工不用, but not 人工不用排队吗). A word of ``unless`` right before a negation, of ``urging`` right before a bare 不, or
    of ``despite`` right behind a phrase that is not refused, makes it a demand (怎么不转人工, 还不转人工, 不投诉不行).
    """

    refusing: tuple[str, ...] = ()
    denying: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    urging: tuple[str, ...] = ()
    despite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Framing:
    """How a customer talks to the bot around a question, without asking anything.

    ``leads`` may run into the question (请问运费多少, 换个问题，…). ``calls`` end their clause, or another frame follows (你好，…;
    亲请问…). ``closings`` stand behind the last mark (…，直接告诉我就行). A person refused (不用转人工，…) frames a question as well, and
    needs no list of its own.
    """

    calls: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()


_PERSON = WordList(
    phrases=("转人工", "转接人工", "接人工", "找人工", "要人工", "转真人", "接真人", "找真人", "human agent", "real person"),
    alone=("人工", "人工客服", "真人", "agent"),
    nouns=("人工", "真人", "human", "agent"),
)
_DISSATISFIED = WordList(
    phrases=(
        *("没解决", "没有解决", "没搞定", "答非所问", "没看明白", "不是这个意思", "还是不行", "还是不会", "没讲明白", "没答到点"),
        *("没帮到", "没有帮助", "帮不上", "文不对题", "不是我问的", "你在说什么", "跟没说一样", "按你…没", "照着…不行"),
        *("didn't help", "not helpful", "not what i asked"),
    ),
    alone=("没用", "不对", "不是这个", "不懂", "看不懂", "不明白"),
    ends=("没懂", "没看懂", "没明白", "不是我要的"),
)
_SATISFIED = WordList(
    phrases=(
        *("解决了", "搞定了", "弄好了", "弄出来了", "办好了", "找到了", "明白了", "没问题了", "没事了", "没别的事", "知道怎么…了"),
        *("登上去了", "申请上了", "不用查了", "problem solved", "it works now", "never mind"),
    ),
    alone=("可以了", "好了", "行了", "懂了", "不用了", "没有了"),
    ends=("收到了", "看到了", "领到了", "能用了", "登录成功", "付款成功", "知道了", "清楚了", "太好了", "没啥问题", "就这样吧"),
    polite=("谢谢", "谢", "多谢", "感谢", "辛苦", "辛苦了", "麻烦", "你", "您", "好的", "嗯", "再见", "拜拜", "thanks", "thank", "bye"),
    vetoes=("但", "不过", "可是", "怎么", "咋", "哪", "多少", "多久", "什么时候", "能不能", "是不是", "如果", "又不", "又坏", "but", "how"),
)
_ACKNOWLEDGED = WordList(alone=("好", "好的", "好滴", "好嘞", "嗯", "恩", "行", "噢", "喔", "呃", "额", "ok", "okay", "okk", "oh", "hmm"))
_IDENTITY = WordList(
    alone=(
        *("你是机器人吗", "是机器人吗", "你是不是机器人", "你是真人吗", "是真人吗", "你是人工吗", "你是人吗", "真人还是机器人"),
        *("are you a bot", "are you a robot", "are you human"),
    ),
    polite=("你好", "您好", "请问", "hi", "hello"),
)
_NEGATION = Negation(
    refusing=(
        "不用",
        "不要",
        "先别",
        "别",
        "不需要",
        "无需",
        "不想",
        "不是来",
        "不是要",
        "不必",
        "不至于",
        "取消",
        "撤销",
        "don't need",
        "don't want",
        "no need for",
    ),
    denying=("不是", "不", "not", "no"),
    lacking=("没有", "没", "未"),
    between=("给我", "帮我", "再", "来", "要", "去", "转", "找", "接", "a", "an", "to"),
    after=("不用了", "就不用", "就算了", "先不说", "取消了", "撤销了", "撤了"),
    unless=("怎么", "为什么", "为啥", "凭什么", "不得"),
    urging=("还", "再", "老", "一直", "就是", "如果"),
    despite=("不行", "说不过去", "是吧", "你们不会", "你们就不"),
)


_FRAMING = Framing(
    calls=("你好", "您好", "亲", "客服", "在吗", "在不在", "hello", "hi"),
    leads=(
        "请问",
        "请问一下",
        "问一下",
        "问下",
        "我想问",
        "我想问一下",
        "我就想问",
        "麻烦问下",
        "换个问题",
        "再问下",
        "另外问一下",
        "还有个事",
        "你直接告诉我",
    ),
    closings=("直接告诉我就行", "你直接告诉我"),
)


@dataclass(frozen=True, slots=True)
class Words:
    """All words the policy listens for.

    ``exceptions`` are longer words that only look like one, or like a negation (人工智能, 特别); their … stays within one clause.
    ``framing`` words say nothing of the matter.
    """

    person: WordList = _PERSON
    complaint: WordList = WordList(phrases=("投诉", "举报", "12315", "complaint"))
    security: WordList = WordList(phrases=("账号被盗", "被盗号", "盗刷", "不是我下的单"))
    dissatisfied: WordList = _DISSATISFIED
    satisfied: WordList = _SATISFIED
    exceptions: tuple[str, ...] = ("人工智能", "人工费", "人工审", "是不是我下的", "特别", "级别", "区别")
    negation: Negation = _NEGATION
    framing: Framing = _FRAMING
    acknowledged: WordList = _ACKNOWLEDGED
    identity: WordList = _IDENTITY
    nudged: WordList = WordList(alone=("回话", "说话", "怎么不说话", "怎么不回"))
    resigned: WordList = WordList(alone=("算了", "那算了", "算了不用了"))


@dataclass(frozen=True, slots=True)
class Route:
    """Who takes over for ``reason``: a skill group and a priority (None: those of the intent), and who is told besides."""

    reason: Reason
    skill: str | None = None
    priority: Priority | None = None
    notify: tuple[str, ...] = ()


_ROUTES = (
    Route(Reason.VIP, "vip", Priority.HIGH, ("supervisor",)),
    Route(Reason.NEGATIVE_SENTIMENT, "senior", Priority.HIGH),
    Route(Reason.SECURITY, None, Priority.HIGH),
    Route(Reason.COMPLAINT, "complaint", Priority.HIGH),
)


@dataclass(frozen=True, slots=True)
class HandoffPolicy:
    """The whole table; the defaults serve a pack that brings none.

    A person takes over at the ``repeats``-th time of the same question, at the ``dissatisfied``-th dissatisfied message, and
    at the ``out_of_scope``-th or ``undecided``-th message of that kind, each in a row. Facts of one question are asked for
    ``requests`` times at most, then a person takes over what cannot be answered without them. After ``idle_hours`` of silence a
    conversation begins anew, and a standing hand-off is released. Of ``routes``, the first whose reason holds names the group.
    """

    repeats: int = 3
    dissatisfied: int = 2
    out_of_scope: int = 2
    undecided: int = 2
    requests: int = 2
    idle_hours: int = 24
    words: Words = field(default=Words())
    routes: tuple[Route, ...] = _ROUTES

    @property
    def skills(self) -> frozenset[str]:
        """Every group that a route names."""
        return frozenset(route.skill for route in self.routes if route.skill)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One past turn as an agent may see it: nothing in it shows personal data."""

    at: datetime | None
    text_masked: str
    outcome: Outcome
    intent: str
    sentiment: Sentiment
    faq: str | None = None
    reply_text: str = ""


@dataclass(frozen=True, slots=True)
class HandoffPackage:
    """What the agent is given; ``sentiments`` has one label a turn, ``suggested`` and ``tried`` are entry ids.

    ``skill``, ``priority``, ``notify`` and ``tags`` are those of the hand-off: by the routes of the policy and the operator's rules.
    ``intents`` is the history with repetitions in a row told once. ``summary`` holds the customer's own words, masked.
    """

    reasons: tuple[Reason, ...]
    skill: str | None
    priority: Priority
    notify: tuple[str, ...]
    tags: tuple[str, ...]
    summary: str
    customer: CustomerProfile | None
    transcript: tuple[TurnRecord, ...]
    intents: tuple[str, ...]
    sentiments: tuple[Sentiment, ...]
    suggested: tuple[str, ...]
    tried: tuple[str, ...]
    facts: tuple[str, ...]
