"""Units, circled numbers and fractions are said as words; what only looks like them is left alone."""

from __future__ import annotations

import pytest

from yingda.reply.signs import in_words
from yingda.reply.speech import speakable


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("首重10kg内8元", "首重十千克内八元。"),
        ("500ml装，20000mAh", "五百毫升装，二万毫安时。"),
        ("面积20㎡", "面积二十平方米。"),
        ("约1,200 m²，每m²一件", "约一千二百平方米，每平方米一件。"),
        ("长1.5m，宽60-80cm", "长一点五米，宽六十到八十厘米。"),
        ("16GB内存", "十六G内存。"),
        ("①先申请②再寄回", "第一，先申请，第二，再寄回。"),
        ("½片，3½天", "二分之一片，三又二分之一天。"),
    ],
)
def test_signs_are_said_in_chinese(written: str, said: str) -> None:
    assert speakable(written, language="zh") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("① Apply ② send it", "1, Apply, 2, send it."),
        ("½ day, 3¾ hours", "one half day, 3 and 3 quarters hours."),
        ("20㎡ or 2 kg", "20 square metres or 2 kilograms."),
    ],
)
def test_signs_are_said_in_english(written: str, said: str) -> None:
    assert speakable(written, language="en") == said


@pytest.mark.parametrize("text", ["5G手机", "10w+", "10M宽带", "A4纸", "SF12kg", "60 W", "型号X-2m", "2XL", "Wi-Fi 6"])
def test_what_only_looks_like_a_unit_is_left_alone(text: str) -> None:
    assert in_words(text, language="zh") == text
