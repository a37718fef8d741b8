"""Wording for what a pack's templates leave out; it uses no value of a shop, so that it fits every pack."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yingda.domain.knowledge import ReplyTemplate

AUTOMATIC = (
    *("answered", "answered_missing", "smalltalk", "clarify", "no_answer", "second_response", "ask", "blocked"),
    *("facts_received", "facts_alone", "noted", "acknowledged", "heard", "fragment", "second_response_plain", "identity"),
    *("nudged", "resigned", "satisfied"),
)
"""Outcomes in which nobody but the engine has answered: each must offer a person."""

PERSON: Mapping[str, str] = MappingProxyType({"zh": "人工", "en": "agent"})
SOOTHING: Mapping[str, str] = MappingProxyType({"zh": "给您添麻烦了，实在抱歉。", "en": "We are very sorry for the trouble."})
SUBJECT: Mapping[str, str] = MappingProxyType({"zh": "您咨询的回复", "en": "Your enquiry"})

_OFFER = {"zh": "想找真人客服，回复“{}”就行。", "en": "Reply “{}” to reach a person."}
_SPOKEN_OFFER = {"zh": "想找真人客服，请说“{}”。", "en": "Say “{}” to reach a person."}


def offer(person: str, *, language: str, spoken: bool) -> str:
    """The sentence that offers a person, for a reply that does not."""
    return (_SPOKEN_OFFER if spoken else _OFFER)[language].format(person)


def _template(*parts: tuple[str, str]) -> ReplyTemplate:
    greeting, confirm, solution, following, closing = (MappingProxyType({"zh": zh, "en": en}) for zh, en in parts)
    return ReplyTemplate(greeting, confirm, solution, following, closing)


_NOTHING = ("", "")
_HELLO = ("{问候}。", "{问候}.")
_AGENT = ("想找真人客服，回复“人工”就行。", "Reply “agent” to reach a person.")

DEFAULTS: Mapping[str, ReplyTemplate] = MappingProxyType(
    {
        "second_response": _template(
            _NOTHING,
            ("刚才没帮到您，实在抱歉，我再试一次。", "Sorry that this did not help; let me try once more."),
            ("{答案}\n{候选问题}", "{答案}\n{候选问题}"),
            (
                "还不对的话，换个说法告诉我，或者回复“人工”，由真人客服来帮您。",
                "If this is still not it, please put it another way, or reply “agent” to reach a person.",
            ),
            _NOTHING,
        ),
        "handoff_closed": _template(
            _HELLO,
            _NOTHING,
            (
                "现在是非工作时间，您的情况已经记下，客服{上班时间} 上班后跟进，最晚{承诺时间} 前联系您。",
                "We are closed at the moment. Your message is noted; an agent starts {上班时间} and will contact you by {承诺时间}.",
            ),
            _NOTHING,
            _NOTHING,
        ),
        "handoff_late": _template(
            _HELLO,
            _NOTHING,
            ("这件事由人工客服来跟进，最晚{承诺时间} 前联系您。", "An agent is taking this over and will contact you by {承诺时间}."),
            _NOTHING,
            _NOTHING,
        ),
        "handoff_standing": _template(
            _NOTHING,
            _NOTHING,
            (
                "已经转给人工了，请稍等，同事会接着您说的往下办。",
                "This is already with an agent; please bear with us, they will take it from here.",
            ),
            _NOTHING,
            _NOTHING,
        ),
        "handoff_standing_closed": _template(
            _NOTHING,
            _NOTHING,
            (
                "已经转给人工了。现在是非工作时间，同事{上班时间} 上班后接着您说的往下办。",
                "This is already with an agent. We are closed at the moment; they start {上班时间} and will take it from here.",
            ),
            ("您刚补充的也记下了。", "What you have just added is noted as well."),
            _NOTHING,
        ),
        "second_response_plain": _template(
            _NOTHING,
            ("刚才没帮到您，实在抱歉。", "Sorry that this did not help."),
            ("麻烦换个说法再告诉我一次，我重新帮您看。", "Please put it another way, and I will look again."),
            ("也可以回复“人工”，由真人客服来帮您。", "Or reply “agent” to reach a person."),
            _NOTHING,
        ),
        "smalltalk_standing": _template(
            _NOTHING,
            _NOTHING,
            ("不客气，您的事同事正在跟进，请放心。", "You are welcome. An agent is looking after this."),
            _NOTHING,
            _NOTHING,
        ),
        "fragment": _template(
            _NOTHING,
            ("您接着问的，是下面哪一件？", "Which of these are you asking about?"),
            ("{候选问题}", "{候选问题}"),
            ("是哪一件，告诉我就好；都不是的话，请多说几个字。", "Just tell me which; if it is none of them, tell me a little more."),
            _NOTHING,
        ),
        "facts_received": _template(
            _NOTHING,
            ("收到，已经记下了。", "Thank you, noted."),
            ("方便的话，再把{所需信息}发给我。", "If you can, send us as well: {所需信息}."),
            (
                "要真人客服核实处理，回复“人工”就行，同事会接着往下办。",
                "Reply “agent” to have a person check it; they will take it from here.",
            ),
            _NOTHING,
        ),
        "facts_alone": _template(
            _NOTHING,
            ("收到，已经记下了。", "Thank you, noted."),
            (
                "您想了解它的什么？比如物流、退换货、发票，直接告诉我。",
                "What would you like to know about it? Delivery, returns, an invoice: just tell me.",
            ),
            _AGENT,
            _NOTHING,
        ),
        "noted": _template(
            _NOTHING,
            _NOTHING,
            ("好的，您请说，想了解什么？", "All right. What would you like to know?"),
            _AGENT,
            _NOTHING,
        ),
        "acknowledged": _template(
            _NOTHING,
            _NOTHING,
            ("好的，还有想了解的，直接告诉我。", "All right. If there is anything else, just tell me."),
            _NOTHING,  # the way to a person is added in the words of the channel
            _NOTHING,
        ),
        "nudged": _template(
            _NOTHING,
            _NOTHING,
            ("我在的，让您久等了。您要问的事，直接告诉我就好。", "I am here; sorry to keep you waiting. Just tell me what you need."),
            _NOTHING,
            _NOTHING,
        ),
        "resigned": _template(
            _NOTHING,
            _NOTHING,
            (
                "好的。刚才要是没能帮上您，实在抱歉。之后有要问的，直接发到这里就行。",
                "All right. I am sorry if I could not help. If anything else comes up, just send it here.",
            ),
            _NOTHING,
            _NOTHING,
        ),
        "satisfied": _template(
            _NOTHING,
            _NOTHING,
            (
                "太好了，能帮到您就好。之后有要问的，直接发到这里就行。",
                "Great, I am glad that helped. If anything else comes up, just send it here.",
            ),
            _NOTHING,
            _NOTHING,
        ),
        "identity": _template(
            _NOTHING,
            _NOTHING,
            (
                "我是智能客服，由程序自动回复，不是真人。订单、物流、退换货、发票这些，可以直接问我。",
                "I am an automated assistant, not a person. Just ask me about orders, delivery, returns or invoices.",
            ),
            _NOTHING,
            _NOTHING,
        ),
        "heard": _template(
            _NOTHING,
            ("给您添麻烦了，实在抱歉。", "We are very sorry for the trouble."),
            ("您遇到的是哪件事？说一句就行，我马上看。", "What is it about? A few words will do, and I will look at once."),
            _NOTHING,
            _NOTHING,
        ),
        "ask": _template(
            _HELLO,
            _NOTHING,
            ("请提供{所需信息}，收到后马上帮您核对。", "Please send us: {所需信息}. We will check as soon as we have it."),
            _AGENT,
            _NOTHING,
        ),
        "blocked": _template(
            _NOTHING,
            _NOTHING,
            (
                "为了保护您的个人信息，这一条不方便直接发出来。",
                "To protect your personal data we cannot send this reply here.",
            ),
            ("回复“人工”，由真人客服来帮您。", "Reply “agent” to reach a person."),
            _NOTHING,
        ),
    }
)
