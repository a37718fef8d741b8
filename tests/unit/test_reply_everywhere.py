"""What holds for the retail pack's replies in every situation, channel and language; and the sheet a person reads."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime

import pytest

from tests.reply_kit import BEIJING, LANGUAGES, ROOT, SITUATIONS, reply_in, retail
from yingda.domain.message import Channel
from yingda.domain.tone import Style, Tone
from yingda.reply.emoji import has_emoji
from yingda.reply.sms import units

SHEET = ROOT / "tests" / "golden" / "replies" / "retail.md"
ANYWHERE = [(situation, channel, language) for situation in SITUATIONS for channel in Channel for language in LANGUAGES]
AUTOMATIC = [case for case in ANYWHERE if not case[0].startswith("hand-off")]


@pytest.mark.parametrize(("situation", "channel", "language"), AUTOMATIC)
def test_every_automatic_reply_offers_a_person(situation: str, channel: Channel, language: str) -> None:
    reply = reply_in(situation, channel=channel, language=language)
    ways = ("回复“人工”", "说人工") if language == "zh" else ("“agent”", "say agent", "Say agent")
    assert any(way in reply.parts.text() for way in ways), reply.text


@pytest.mark.parametrize(("situation", "channel", "language"), ANYWHERE)
def test_no_reply_leaves_a_brace_or_shows_the_given_name(situation: str, channel: Channel, language: str) -> None:
    reply = reply_in(situation, channel=channel, language=language)
    assert not {"{", "}"} & set(reply.text + (reply.subject or ""))
    assert "小红" not in reply.text
    assert (reply.channel, reply.language) == (channel, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_channel_has_its_own_form(situation: str, language: str) -> None:
    for channel in Channel:
        reply = reply_in(situation, channel=channel, language=language)
        assert bool(reply.subject) == (channel is Channel.EMAIL)
        assert bool(reply.segments) == (channel is Channel.SMS)
        assert all(units(segment) <= 70 for segment in reply.segments)


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if "upset" in name or "blocked" in name])
def test_an_upset_customer_reads_no_emoji(situation: str) -> None:
    assert not any(has_emoji(reply_in(situation, channel=channel).text) for channel in Channel)


def test_emoji_stand_in_chats_alone_and_only_where_the_brand_wants_them() -> None:
    quiet = replace(retail(), templates=replace(retail().templates, tone=Tone(emoji=False)))
    assert [channel for channel in Channel if has_emoji(reply_in("answered", channel=channel).text)] == ["web", "app", "wechat"]
    assert not any(has_emoji(reply_in("answered", channel=channel, knowledge=quiet).text) for channel in Channel)


def test_an_upset_customer_reads_an_apology_first() -> None:
    assert reply_in("hand-off, customer upset").parts.confirm == "给您添麻烦了，实在抱歉。"
    assert reply_in("answered, customer upset").parts.confirm.startswith("给您添麻烦了，实在抱歉。关于")
    assert reply_in("answered, customer upset", language="en").parts.confirm.startswith("We are very sorry for the trouble. Here")


def test_an_email_greets_formally_and_is_signed() -> None:
    reply = reply_in("answered", channel=Channel.EMAIL)
    assert reply.subject == "关于商品参数的回复"
    assert reply.text.startswith("尊敬的王女士：\n")
    assert reply.text.endswith("\n云杉优选客服")
    assert reply_in("answered", channel=Channel.EMAIL, customer=None).text.startswith("尊敬的客户：\n")


def test_a_second_response_apologises_and_offers_other_questions() -> None:
    reply = reply_in("second response")
    assert reply.parts.confirm.startswith("刚才没帮到您，实在抱歉")
    assert "\n1. " in reply.parts.next


def test_a_standing_handoff_is_said_and_thanks_are_answered() -> None:
    assert reply_in("hand-off standing").parts.solution.startswith("已经转给人工了，请稍等")


def test_a_blocked_reply_names_what_it_would_have_shown_and_holds_nothing_of_it() -> None:
    for channel in Channel:
        reply = reply_in("personal data blocked", channel=channel)
        assert reply.blocked == ("手机号",)
        assert "138" not in reply.text and "王" not in reply.text


@pytest.mark.parametrize(
    ("pronoun", "style", "expected"),
    [("你", Style.WARM, "你好，这里是"), ("你", Style.LIVELY, "你好，这里是"), ("您", Style.FORMAL, "您好，这里是")],
)
def test_the_brand_says_its_pronoun_throughout(pronoun: str, style: Style, expected: str) -> None:
    branded = replace(retail(), templates=replace(retail().templates, tone=Tone(style=style, pronoun=pronoun)))
    text = reply_in("no answer", knowledge=branded, customer=None).text
    assert text.startswith(expected)
    assert ("您" in text) == (pronoun == "您")


def test_a_lively_brand_greets_lightly() -> None:
    lively = replace(retail(), templates=replace(retail().templates, tone=Tone(style=Style.LIVELY)))
    morning = datetime(2026, 11, 25, 8, 0, tzinfo=BEIJING)
    assert reply_in("no answer", knowledge=lively, at=morning, customer=None).text.startswith("早上好呀，")


def sheet() -> str:
    """Every situation, channel and language, as customers read it."""
    lines = ["# Replies of the retail pack", "", "Written by `YINGDA_WRITE_GOLDEN=1 pytest tests/unit/test_reply_everywhere.py`.", ""]
    for situation in SITUATIONS:
        lines += [f"## {situation}", ""]
        for language in LANGUAGES:
            seen: dict[str, list[str]] = {}
            for channel in Channel:
                reply = reply_in(situation, channel=channel, language=language)
                said = "\n\n".join(reply.segments) or reply.text
                seen.setdefault(f"Subject: {reply.subject}\n\n{said}" if reply.subject else said, []).append(channel.value)
            for text, channels in seen.items():
                lines += [f"### {language} · {', '.join(channels)}", "", "```text", text, "```", ""]
    return "\n".join(lines)


def test_replies_read_as_the_sheet_shows_them() -> None:
    if os.environ.get("YINGDA_WRITE_GOLDEN"):
        SHEET.write_text(sheet(), "utf-8")
    assert sheet() == SHEET.read_text("utf-8"), "read the difference; if it is meant, write the sheet again as its head says"
