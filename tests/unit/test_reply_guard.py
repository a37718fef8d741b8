"""No personal data of the customer leaves in a reply, whatever field it came in by."""

from __future__ import annotations

import pytest

from tests.pack_kit import RETAIL
from tests.reply_kit import reply_in
from yingda.domain.message import Channel, Customer
from yingda.pack import read_knowledge
from yingda.reply.guard import is_order_number, personal_data
from yingda.reply.values import own_values
from yingda.reply.variables import fill

PLANTED = [
    ("手机号", "13812345678"),
    ("手机号", "138 1234 5678"),
    ("手机号", "１３８１２３４５６７８"),
    ("手机号", "一三八一二三四五六七八"),
    ("身份证号", "11010519491231002X"),
    ("银行卡号", "6222021234567890128"),
    ("邮箱", "wang@example.org"),
    ("地址", "杭州市西湖区文三路12号3幢501室"),
]


def kinds(text: str, *, written: str = "", name: str | None = None, own: tuple[str, ...] = (), **context: str) -> tuple[str, ...]:
    return personal_data(text, own=own, written=written, name=name, context=context)


@pytest.mark.parametrize(("kind", "value"), PLANTED)
@pytest.mark.parametrize("field", ["订单号", "物流公司"])
@pytest.mark.parametrize("channel", [Channel.WEB, Channel.SMS, Channel.PHONE])
def test_personal_data_in_a_context_value_blocks_the_reply(kind: str, value: str, field: str, channel: Channel) -> None:
    reply = reply_in("a variable is missing", channel=channel, context={"订单号": "A100", "物流公司": "顺丰", field: value})
    assert kind in reply.blocked
    assert value not in reply.text


def test_the_order_number_is_allowed() -> None:
    reply = reply_in("a variable is missing", context={"订单号": "4029384756102938475", "物流公司": "顺丰"})
    assert reply.blocked == ()
    assert "4029384756102938475" in reply.text


@pytest.mark.parametrize("number", ["A1", "202611220001", "4029384756102938475", "240101-123456789012345", "DD-20261122-1"])
def test_what_a_shop_may_number_an_order_with_is_an_order_number(number: str) -> None:
    assert is_order_number(number)


@pytest.mark.parametrize("number", ["13812345678", "11010519491231002X", "6222021234567890128", "a@b.com", "王小红", ""])
def test_what_is_surely_something_else_is_no_order_number(number: str) -> None:
    assert not is_order_number(number)


@pytest.mark.parametrize("text", ["王小红您好", "小红，您好", "王 小 红您好", "收货人：王小红"])
def test_the_customers_name_is_found(text: str) -> None:
    assert kinds(text, name="王小红") == ("姓名",)


@pytest.mark.parametrize("text", ["Anna Smith, hello", "ANNA SMITH", "annasmith"])
def test_a_latin_name_is_found_in_any_case(text: str) -> None:
    assert kinds(text, name="Anna Smith") == ("姓名",)


@pytest.mark.parametrize(
    ("name", "text"), [("王小红", "王女士好"), ("Anna Smith", "Dear Ms. Smith"), ("王", "王女士好"), ("欧阳", "欧阳女士")]
)
def test_surname_and_title_may_be_said(name: str, text: str) -> None:
    assert kinds(text, name=name) == ()


def test_a_customer_named_like_a_word_of_the_template_blocks_nothing() -> None:
    assert kinds("方便的话，请告诉我", written="方便的话，请告诉我", name="方便") == ()
    assert kinds("方便，方便的话，请告诉我", written="方便的话，请告诉我", name="方便") == ("姓名",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("王小明", "请联系王小明女士办理。"),
        ("王小明", "请找小明先生"),
        ("王小明", "联系人王小明"),
        ("王明", "请找王明女士"),
        ("王小明女士", "请联系王小明。"),
        ("欧阳娜娜", "由欧阳娜娜办理"),
        ("張三豐", "请联系张三丰先生"),
    ],
)
def test_a_name_that_can_be_no_word_is_found_in_what_the_shop_wrote(name: str, text: str) -> None:
    assert kinds(text, written=text, name=name) == ("姓名",)


@pytest.mark.parametrize(
    ("name", "text"), [("王小红女士", "王女士好"), ("欧阳女士", "欧阳女士好"), ("李宁", "李宁的鞋"), ("高兴", "高兴为您服务")]
)
def test_a_short_name_in_what_the_shop_wrote_and_a_surname_with_its_title_block_nothing(name: str, text: str) -> None:
    assert kinds(text, written=text, name=name) == ()


def test_a_full_name_that_the_shop_publishes_is_its_own() -> None:
    text = "退回时写王小明"
    assert kinds(text, written="退回时写{退货收件人}\n王小明", name="王小明", own=("王小明",)) == ()


@pytest.mark.parametrize(("name", "text"), [("張三豐", "张三丰您好"), ("张三丰", "張三豐您好"), ("张三丰", "三豐您好")])
def test_a_name_is_found_in_the_other_script(name: str, text: str) -> None:
    assert kinds(text, name=name) == ("姓名",)


@pytest.mark.parametrize("text", ["Xiaoming Wang", "WANG XIAOMING", "wang, xiaoming", "XiaomingWang"])
@pytest.mark.parametrize("name", ["Wang Xiaoming", "Xiaoming WANG", "Wang, Xiaoming"])
def test_a_latin_name_is_found_in_either_order(name: str, text: str) -> None:
    assert kinds(text, name=name) == ("姓名",)


def test_a_latin_name_is_found_without_its_middle() -> None:
    assert kinds("Dear John Smith", name="John F. Smith") == ("姓名",)


@pytest.mark.parametrize(
    "name", ["方便", "安全", "时间", "优惠券", "云杉优选", "高兴", "小云", "客服", "常见问题", "人工客服", "订单", "方便面"]
)
def test_no_shipped_answer_is_blocked_by_a_customer_named_like_a_word(name: str) -> None:
    knowledge = read_knowledge(RETAIL)
    own = own_values(knowledge.policy)
    texts = [fill(text, knowledge.policy.values) for entry in knowledge.faq.values() for text in entry.answer.values()]

    assert len(texts) > 300
    assert [text for text in texts if "姓名" in kinds(text, written="\n".join((text, *own)), name=name, own=own)] == []


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [("手机号", "5550123", "手机号"), ("收货地址", "海边的小木屋", "地址"), ("卡号", "9900", "银行卡号"), ("收件人", "李雷雷", "姓名")],
)
def test_the_exact_value_of_a_private_field_is_found_though_no_pattern_fits(key: str, value: str, kind: str) -> None:
    assert personal_data(f"已登记{value}。", own=(), written="", name=None, context={key: value}) == (kind,)


def test_a_model_of_a_telephone_is_not_private() -> None:
    assert kinds("您的 Mate 60 Pro", 手机型号="Mate 60 Pro") == ()


def test_the_shops_own_contacts_are_allowed_and_others_are_not() -> None:
    own = ("400-000-0000", "b2b@example.com")
    assert kinds("请打 400-000-0000 或写信到 b2b@example.com", own=own) == ()
    assert kinds("请打 400-111-2222", own=own) == ("电话",)
    assert kinds("请写信到 xb2b@example.com", own=own) == ("邮箱",)


def test_a_short_value_of_the_shop_hides_nothing() -> None:
    assert kinds("7 天，13712345678", own=("7", "12 个月")) == ("手机号",)


def test_a_brace_is_found() -> None:
    assert kinds("您的{订单号}") == ("变量",)


def test_kinds_are_named_once_and_in_order() -> None:
    assert kinds("13812345678，13912345678，王小红，a@example.org", name="王小红") == ("姓名", "手机号", "邮箱")


@pytest.mark.parametrize("channel", list(Channel))
def test_a_blocked_handoff_still_offers_a_person(channel: Channel) -> None:
    reply = reply_in("personal data blocked", channel=channel, customer=Customer("1", name="王小红", gender="female"))
    assert reply.blocked == ("手机号",)
    assert "人工" in reply.text
