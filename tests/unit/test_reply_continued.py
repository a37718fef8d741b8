"""In the middle of a conversation nobody is greeted again; after a pause, and in letters, everybody is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.reply_kit import CLOSED, LANGUAGES, OPEN, retail
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Outcome, Reply
from yingda.domain.message import Channel, Message
from yingda.reply.request import PAUSE, ReplyRequest, is_opening
from yingda.reply.writer import ReplyWriter

MET = ConversationState(language="zh", last_at=OPEN)
INTENT = {Outcome.HANDOFF: "ORDER_MODIFY"}


def reply(
    outcome: Outcome, *, opening: bool, channel: Channel = Channel.WEB, language: str = "zh", intent: str | None = None, at: datetime = OPEN
) -> Reply:
    shop = retail()
    entry = shop.faq["product-material"] if outcome is Outcome.ANSWERED else None
    code = intent or (entry.intent if entry else INTENT.get(outcome, "PRODUCT_INFO"))
    message, offered = Message("…", channel=channel, at=at), tuple(list(shop.faq.values())[:2])
    request = ReplyRequest(message, language, outcome, shop.taxonomy.intents[code], entry, offered, (), opening=opening)
    return ReplyWriter(shop).write(request)


@pytest.mark.parametrize(
    ("state", "at", "expected"),
    [
        (NEW, OPEN, True),
        (NEW, None, True),
        (MET, OPEN + timedelta(minutes=5), False),
        (MET, OPEN + PAUSE, True),
        (MET, OPEN + timedelta(days=1), True),
        (MET, OPEN - PAUSE, False),
        (MET, None, False),
        (MET, OPEN.replace(tzinfo=None), False),
        (replace(MET, last_at=None), OPEN, False),
    ],
)
def test_the_first_message_and_one_after_a_pause_open(state: ConversationState, at: datetime | None, expected: bool) -> None:
    assert is_opening(state, at) is expected


def test_a_later_answer_goes_straight_to_the_matter() -> None:
    first, later = (reply(Outcome.ANSWERED, opening=opening) for opening in (True, False))

    assert first.text.startswith("下午好，这里是云杉优选。")
    assert first.text.endswith("有需要随时找我们 😊")
    assert (later.parts.greeting, later.parts.closing) == ("", "")
    assert (later.parts.confirm, later.parts.solution, later.parts.next) == (first.parts.confirm, first.parts.solution, first.parts.next)


def test_what_a_greeting_says_besides_is_kept() -> None:
    assert reply(Outcome.CLARIFY, opening=False).parts.greeting == "我想先跟您确认一下。"
    assert reply(Outcome.CLARIFY, opening=False, language="en").parts.greeting == "Let me make sure I understand you."
    handed = reply(Outcome.HANDOFF, opening=False).parts
    assert (handed.greeting, handed.closing) == ("您的情况我们收到了。", "谢谢您的耐心。")
    assert reply(Outcome.NO_ANSWER, opening=False).parts.greeting == ""


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.CLARIFY, Outcome.HANDOFF, Outcome.NO_ANSWER])
def test_letters_and_short_messages_keep_their_form(outcome: Outcome, channel: Channel) -> None:
    assert reply(outcome, opening=False, channel=channel) == reply(outcome, opening=True, channel=channel)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.CLARIFY, Outcome.NO_ANSWER])
def test_every_later_reply_offers_a_person_too(outcome: Outcome, channel: Channel, language: str) -> None:
    ways = ("回复“人工”", "说人工") if language == "zh" else ("“agent”", "say agent", "Say agent")
    assert any(way in reply(outcome, opening=False, channel=channel, language=language).parts.text() for way in ways)


def test_one_writer_keeps_first_and_later_replies_apart() -> None:
    shop, message = retail(), Message("…", at=OPEN)
    entry = shop.faq["product-material"]
    request = ReplyRequest(message, "zh", Outcome.ANSWERED, shop.taxonomy.intents[entry.intent], entry, (), ())
    writer = ReplyWriter(shop)
    first, later, again = (writer.write(replace(request, opening=opening)) for opening in (True, False, True))
    assert first == again != later


# ---- by intent ----


@pytest.mark.parametrize("at", [OPEN, CLOSED])
@pytest.mark.parametrize("channel", list(Channel))
def test_an_account_in_danger_is_told_the_first_steps(channel: Channel, at: datetime) -> None:
    text = reply(Outcome.HANDOFF, opening=True, channel=channel, intent="ACCOUNT_SECURITY", at=at).text
    assert all(word in text for word in ("密码", "冻结", "验证码", "任何人"))


@pytest.mark.parametrize("intent", ["COMPLAINT_SERVICE", "COMPLAINT_LOGISTICS", "COMPLAINT_PRODUCT", "COMPLAINT_DELAY"])
@pytest.mark.parametrize("at", [OPEN, CLOSED])
@pytest.mark.parametrize("channel", [Channel.WEB, Channel.EMAIL, Channel.SMS])
def test_a_complaint_is_promised_the_time_of_complaints(channel: Channel, at: datetime, intent: str) -> None:
    text = reply(Outcome.HANDOFF, opening=True, channel=channel, intent=intent, at=at).text
    assert "24 小时内" in text
    assert "2 小时内" not in text.replace("24 小时内", "")
