"""Opening hours, the promise counted in open time, and the greeting of the moment."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from serving.holidays import tell_holidays
from serving.logs import open_log
from tests.pack_kit import POLICY, mistakes_of, only, write_pack
from tests.reply_kit import BEIJING, reply_in
from yingda.domain.knowledge import Policy
from yingda.domain.service_hours import ServiceHours, Span, Weekday
from yingda.domain.tone import Style
from yingda.pack import read_knowledge
from yingda.reply.calendar import calendar_covers, first_uncovered, holiday_on
from yingda.reply.greeting import salutation, scene
from yingda.reply.hours import duration, is_open, opens, promised
from yingda.reply.promise import promise_for

DAY = (Span(9 * 60, 22 * 60),)
TWO = timedelta(hours=2)


def policy(*, holidays: tuple[Span, ...] | None = None, weekend: tuple[Span, ...] = DAY, response: str = "2 小时") -> Policy:
    days = {day: weekend if day in (Weekday.SATURDAY, Weekday.SUNDAY) else DAY for day in Weekday}
    return Policy({"人工响应时限": response}, {}, service_hours=ServiceHours(days, holidays=holidays))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


@pytest.mark.parametrize(("moment", "expected"), [("08:59", False), ("09:00", True), ("21:59", True), ("22:00", False)])
def test_the_opening_minute_is_open_and_the_closing_minute_is_not(moment: str, expected: bool) -> None:
    assert is_open(policy(), at(f"2026-11-25 {moment}")) is expected


def test_hours_are_those_of_the_shops_clock() -> None:
    assert is_open(policy(), datetime(2026, 11, 25, 1, 0, tzinfo=UTC))
    assert not is_open(policy(), datetime(2026, 11, 25, 9, 0, tzinfo=BEIJING) - timedelta(minutes=1))
    assert is_open(policy(), datetime(2026, 11, 25, 9, 0))


def test_a_shop_without_hours_is_always_open() -> None:
    bare = Policy({}, {})
    assert is_open(bare, at("2026-11-25 03:00"))
    assert promised(bare, at("2026-11-25 03:00"), TWO) == at("2026-11-25 05:00")


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-25 15:00", "2026-11-25 17:00"),
        ("2026-11-25 07:00", "2026-11-25 11:00"),
        ("2026-11-25 23:00", "2026-11-26 11:00"),
        ("2026-11-25 20:00", "2026-11-25 22:00"),
        ("2026-11-25 21:30", "2026-11-26 10:30"),
    ],
)
def test_a_promise_counts_open_time_alone(now: str, then: str) -> None:
    assert promised(policy(), at(now), TWO) == at(then)


def test_a_closed_weekend_is_passed_over() -> None:
    assert promised(policy(weekend=()), at("2026-11-27 23:00"), TWO) == at("2026-11-30 11:00")


def test_holidays_may_be_closed_or_have_hours_of_their_own() -> None:
    eve = at("2026-09-30 23:00")
    assert promised(policy(holidays=()), eve, TWO) == at("2026-10-08 11:00")
    assert promised(policy(holidays=(Span(600, 1080),)), eve, TWO) == at("2026-10-01 12:00")
    assert promised(policy(), eve, TWO) == at("2026-10-01 11:00")


def test_the_next_opening_is_now_while_the_shop_is_open() -> None:
    assert opens(policy(), at("2026-11-25 15:00")) == at("2026-11-25 15:00")
    assert opens(policy(), at("2026-11-25 22:00")) == at("2026-11-26 09:00")


@pytest.mark.parametrize(
    ("text", "minutes"), [("2 小时", 120), ("30分钟", 30), ("1–2 小时", 120), ("1 hour", 60), ("1 个工作日", None), ("尽快", None)]
)
def test_a_response_time_is_read_where_it_is_a_length_of_time(text: str, minutes: int | None) -> None:
    assert duration(text) == (None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("now", "situation", "starts", "until"),
    [
        ("2026-11-25 15:00", "handoff", "", ""),
        ("2026-11-25 07:00", "handoff_closed", "今天 9:00", "今天 11:00"),
        ("2026-11-25 23:00", "handoff_closed", "明天 9:00", "明天 11:00"),
        ("2026-11-25 21:30", "handoff_late", "今天 21:30", "明天 10:30"),
    ],
)
def test_a_promise_is_said_as_people_say_it(now: str, situation: str, starts: str, until: str) -> None:
    promise = promise_for(policy(), at(now), language="zh")
    assert (promise.situation, promise.opens, promise.by) == (situation, starts, until)


def test_a_far_promise_names_the_date_and_english_the_zone() -> None:
    promise = promise_for(policy(holidays=()), at("2026-09-30 23:00"), language="en")
    assert promise.by == "11:00 on 8 October (Beijing time)"
    assert promise_for(policy(holidays=()), at("2026-09-30 23:00"), language="zh").by == "10月8日 11:00"


def test_without_a_time_only_the_length_is_promised() -> None:
    assert promise_for(policy(), None, language="zh").situation == "handoff"


def test_replies_say_the_promise() -> None:
    assert "会在 2 小时内联系您" in reply_in("hand-off").text
    assert "现在是非工作时间，客服明天 9:00 上班后 2 小时内联系您，最晚明天 11:00 前" in reply_in("hand-off, closed").text
    assert "最晚明天 10:00 前联系您" in reply_in("hand-off, late").text


# ---- service_hours in policy.yaml ----


def hours(text: str) -> dict[str, str]:
    return {"policy.yaml": POLICY.replace("  发货时限", "  人工响应时限: 2 小时\n  发货时限") + text}


def test_hours_are_read_by_weekday(tmp_path: Path) -> None:
    text = "service_hours:\n  daily: 9:00-12:00, 13:00–18:00\n  sunday: closed\n  holidays: 10:00-16:00\n"
    found = read_knowledge(write_pack(tmp_path, hours(text))).policy.service_hours
    assert found is not None
    assert found.days[Weekday.MONDAY] == (Span(540, 720), Span(780, 1080))
    assert Weekday.SUNDAY not in found.days
    assert (found.holidays, found.timezone) == ((Span(600, 960),), "Asia/Shanghai")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("daily: 22:00-9:00", "hours '22:00-9:00' are not understood"),
        ("daily: all day", "hours 'all day' are not understood"),
        ("daily: 13:00-18:00, 9:00-12:00", "are not understood"),
        ("daily: 9:00-24:30", "are not understood"),
        ("daily: closed", "service_hours is open on no day"),
        ("daily: 9:00-22:00\n  timezone: Mars/Olympus", "timezone 'Mars/Olympus' is unknown"),
        ("daily: 9:00-22:00\n  timezone: ../../etc/passwd", "timezone '../../etc/passwd' is unknown"),
        ("daily: 9:00-22:00\n  response: 没有", "unknown value '没有'"),
        ("daily: 9:00-22:00\n  response: 店铺名称", "service_hours needs this value to work out a time"),
        ("daily: 9:00-22:00\n  mittwoch: 9:00-10:00", "unknown field 'mittwoch'"),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(tmp_path: Path, line: str, expected: str) -> None:
    found = mistakes_of(tmp_path, hours(f"service_hours:\n  {line}\n"))
    assert any(expected in mistake for mistake in found), found


def test_hours_that_are_no_mapping_are_a_mistake(tmp_path: Path) -> None:
    assert "field 'service_hours' must be a mapping" in only(mistakes_of(tmp_path, hours("service_hours: 9-22\n")))


# ---- greetings ----


@pytest.mark.parametrize(
    ("hour", "chinese"),
    [
        (4, "晚上好"),
        (5, "早上好"),
        (8, "早上好"),
        (9, "上午好"),
        (11, "中午好"),
        (13, "下午好"),
        (17, "下午好"),
        (18, "晚上好"),
        (23, "晚上好"),
    ],
)
def test_the_hour_has_its_greeting(hour: int, chinese: str) -> None:
    assert scene(datetime(2026, 11, 25, hour))[0] == chinese


@pytest.mark.parametrize(
    ("day", "chinese"),
    [
        ("2026-01-01", "新年好"),
        ("2026-02-17", "新年好"),
        ("2026-05-01", "劳动节快乐"),
        ("2026-06-19", "端午安康"),
        ("2026-09-25", "中秋快乐"),
        ("2026-10-01", "国庆快乐"),
        ("2026-04-05", "上午好"),
        ("2026-11-22", "上午好"),
        ("2026-02-14", "上午好"),
    ],
)
def test_a_holiday_has_its_greeting_and_mourning_and_weekends_have_none(day: str, chinese: str) -> None:
    assert scene(at(f"{day} 10:00"))[0] == chinese


@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        ("2199-01-01", "New Year's Day"),
        ("2199-01-02", None),
        ("2199-05-02", "Labour Day"),
        ("2199-05-03", None),
        ("2199-10-03", "National Day"),
        ("2199-10-04", None),
    ],
)
def test_a_year_without_data_has_the_holidays_with_a_fixed_date(day: str, holiday: str | None) -> None:
    assert not calendar_covers(2199) and calendar_covers(2026)
    assert holiday_on(date.fromisoformat(day)) == holiday


def test_a_fixed_holiday_of_a_year_without_data_has_its_greeting() -> None:
    assert scene(at("2199-10-01 10:00"))[0] == "国庆快乐"


def test_the_first_year_without_data_is_known_sixty_days_ahead() -> None:
    assert first_uncovered(date(2025, 10, 1)) is None
    assert first_uncovered(date(2199, 1, 1)) == 2199
    last = next(year for year in range(2026, 2200) if not calendar_covers(year + 1))
    assert first_uncovered(date(last, 11, 1)) is None
    assert first_uncovered(date(last, 11, 2)) == last + 1


def test_a_start_before_a_year_without_data_is_logged() -> None:
    stream = io.StringIO()
    tell_holidays(open_log(stream), date(2025, 10, 1))
    assert stream.getvalue() == ""

    tell_holidays(open_log(stream), date(2199, 5, 1))
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["year"]) == ("holidays_unknown", "warning", 2199)
    assert "chinesecalendar" in line["detail"]


@pytest.mark.parametrize(
    ("called", "now", "language", "expected"),
    [
        ("您", None, "zh", "您好"),
        ("王女士", None, "zh", "王女士好"),
        ("您", "2026-11-25 08:00", "zh", "早上好"),
        ("王女士", "2026-09-25 08:00", "zh", "王女士，中秋快乐"),
        ("", None, "en", "Hello"),
        ("Ms. Wang", "2026-11-25 08:00", "en", "Good morning, Ms. Wang"),
    ],
)
def test_a_salutation_is_that_of_the_moment_or_neutral(called: str, now: str | None, language: str, expected: str) -> None:
    assert salutation(called, at(now) if now else None, language=language, style=Style.WARM, pronoun=None) == expected


def test_nobody_who_is_upset_is_wished_a_happy_holiday() -> None:
    assert reply_in("answered, customer upset", at=at("2026-09-25 10:00")).text.startswith("王女士好，")
    assert reply_in("answered", at=at("2026-09-25 10:00")).text.startswith("王女士，中秋快乐，")
