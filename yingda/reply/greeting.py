"""What a reply opens with: the time of day or the holiday, and how the customer is addressed."""

from __future__ import annotations

from datetime import datetime

from yingda.domain.tone import Style
from yingda.reply.calendar import holiday_on

_SCENES = (
    (5, "晚上好", "Good evening"),
    (9, "早上好", "Good morning"),
    (11, "上午好", "Good morning"),
    (13, "中午好", "Good afternoon"),
    (18, "下午好", "Good afternoon"),
    (24, "晚上好", "Good evening"),
)
"""Each until its hour, on the shop's clock."""

# on 清明 nobody is wished a happy day; the anti-fascist holiday of 2015 has no greeting either
_HOLIDAYS = {
    "New Year's Day": ("新年好", "Happy New Year"),
    "Spring Festival": ("新年好", "Happy Chinese New Year"),
    "Labour Day": ("劳动节快乐", "Happy Labour Day"),
    "Dragon Boat Festival": ("端午安康", "Happy Dragon Boat Festival"),
    "Mid-autumn Festival": ("中秋快乐", "Happy Mid-Autumn Festival"),
    "National Day": ("国庆快乐", "Happy National Day"),
}


def scene(at: datetime) -> tuple[str, str]:
    """The greeting of the moment in Chinese and English: of the holiday on its days, else of the time of day."""
    holiday = _HOLIDAYS.get(holiday_on(at.date()) or "")
    return holiday or next((chinese, english) for until, chinese, english in _SCENES if at.hour < until)


def salutation(called: str, at: datetime | None, *, language: str, style: Style, pronoun: str | None) -> str:
    """``王女士，早上好``, ``中秋快乐`` or, when nothing is known of the time, ``您好``; without a mark at its end.

    ``called`` is how the customer is addressed (王女士, 您, Ms. Wang, nothing); ``at`` is on the shop's clock.
    """
    if language != "zh":
        english = "Hello" if at is None else scene(at)[1]
        return f"{english}, {called}" if called else english
    if at is None:
        return f"{called}好"
    greeting = scene(at)[0] + ("呀" if style is Style.LIVELY and scene(at)[0].endswith("好") else "")
    return greeting if called in ("您", "你", pronoun) else f"{called}，{greeting}"
