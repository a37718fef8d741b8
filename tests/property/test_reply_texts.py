"""Whatever a request carries: no open variable, no personal data, short messages within their limit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reply_kit import LANGUAGES, SITUATIONS, reply_in
from yingda.domain.message import Channel, Customer
from yingda.reply.check import check_template
from yingda.reply.guard import personal_data
from yingda.reply.numerals import cardinal
from yingda.reply.sms import segments, units
from yingda.reply.speech import speakable
from yingda.reply.variables import fill

SITUATION = st.sampled_from(list(SITUATIONS))
LANGUAGE = st.sampled_from(LANGUAGES)
CONTEXT = st.dictionaries(st.sampled_from(["订单号", "物流公司", "商品名称", "手机号", "收货地址"]), st.text(max_size=30))
NAMES = st.none() | st.text(max_size=12)
MOBILE = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
FIELDS = st.sampled_from(["订单号", "物流公司"])


@settings(max_examples=60, deadline=None)
@given(SITUATION, st.sampled_from(list(Channel)), LANGUAGE, CONTEXT, NAMES)
def test_no_reply_holds_a_brace(situation: str, channel: Channel, language: str, context: dict[str, str], name: str | None) -> None:
    customer = Customer("1", name=name, gender="female")
    reply = reply_in(situation, channel=channel, language=language, context=context, customer=customer)
    assert not {"{", "}"} & set(reply.text + (reply.subject or ""))
    assert "".join(reply.segments) == (reply.text if channel is Channel.SMS else "")


@settings(max_examples=40, deadline=None)
@given(FIELDS, MOBILE, st.sampled_from(list(Channel)))
def test_a_telephone_number_never_leaves(field: str, number: str, channel: Channel) -> None:
    reply = reply_in("a variable is missing", channel=channel, context={"订单号": "A1", "物流公司": "顺丰", field: number})
    assert "手机号" in reply.blocked
    assert number not in reply.text


@settings(deadline=None)
@given(st.text(max_size=300))
def test_short_messages_keep_to_the_limit_and_lose_nothing(text: str) -> None:
    parts = segments(text)
    assert all(units(part) <= (70 if len(parts) == 1 else 67) for part in parts)
    assert units(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2
    numbered = [part.removeprefix(f"({number}/{len(parts)})") for number, part in enumerate(parts, 1)]
    assert "".join(numbered if len(parts) > 1 else parts) == text


@settings(deadline=None)
@given(st.text("0123456789-–:.,%¥@/😊「」（）→天元个点 aZ\n", max_size=60))
def test_chinese_for_a_voice_holds_no_digit_and_no_sign(text: str) -> None:
    said = speakable(text, language="zh")
    assert not set(said) & set("0123456789@/%¥「」（）→😊")


@settings(deadline=None)
@given(
    st.integers(3, 9999), st.integers(3, 9999), st.sampled_from("-–~～"), st.sampled_from(["天", "个月", "元", "℃", "号", "月", "件", "点"])
)
def test_both_ends_of_a_range_are_said_with_to_between_them(low: int, high: int, dash: str, unit: str) -> None:
    said = f"{cardinal(str(low))}{unit}到{cardinal(str(high))}{unit}。".replace("℃", "摄氏度")
    assert speakable(f"{low}{unit}{dash}{high}{unit}", language="zh") == said


@given(st.integers(0, 9999), st.sampled_from(["", "现在 ", "低至：", "（"]))
def test_a_temperature_below_zero_never_loses_its_sign(degrees: int, before: str) -> None:
    assert f"零下{cardinal(str(degrees))}摄氏度" in speakable(f"{before}-{degrees}℃", language="zh")


@given(st.text(), st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4))
def test_values_are_never_interpreted(text: str, values: dict[str, str]) -> None:
    marked = {name: f"\ue001{{{name}}}\ue002" for name in values}
    filled = fill(text, marked)
    for name in values:
        assert filled.count(marked[name]) == text.count(f"{{{name}}}")


@given(st.text(max_size=80))
def test_a_text_that_is_accepted_fills_without_a_brace(text: str) -> None:
    if not check_template(text, {"称呼"}):
        assert not {"{", "}"} & set(fill(text, {"称呼": "您"}))


@given(st.text("甲乙丙丁", min_size=2, max_size=4), st.text("，。好", max_size=10))
def test_an_exact_name_is_found_wherever_it_stands(given: str, around: str) -> None:
    text = f"{around}王{given}{around}"
    assert "姓名" in personal_data(text, own=(), written="", name=f"王{given}", context={})
