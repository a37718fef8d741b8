"""Masking: takes any text, leaves placeholders alone, finds nothing in what it has masked."""

from __future__ import annotations

from itertools import pairwise

from tests.fuzz.source import text_in
from yingda.text.masking import KINDS, find_items, mask, mask_counted

HOSTILE = (
    *(
        "一二三四五六七八九零",
        "我叫王小明",
        "一  三  八  零  零  一  三  八  零  零  x",
        "电话1  3  8  0  0  1  3  8  0  0  x",
        "1(3)8(",
        "电话1*3*8*",
    ),
    *("12345678-a-a", "a-a-", "0-", "1 ", "12 ", "１２３", "1", "+1234567890123456789012345", "110105194912310021 "),
    *("@", "a@", "a.", "省市区县", "12号", "13800138000 ", "〔", "单号 "),
)
"""What, said again and again, once took time that grew with the square of the length, or is next to it."""
SEEDS = [
    b"\0" + text.encode()
    for text in (
        "我叫王小明，手机13800138000，身份证11010519491231002X",
        "卡号 6222 0210 0111 6245 702，邮箱 a.b@c.com",
        "收件人李雷 地址：浙江省杭州市西湖区文三路100号3单元501室",
        "微信号wx_abc123 QQ123456789 车牌京A12345 护照E12345678",
        "一三八零零一三八零零零，〔手机号〕 [手机] 【订单号】 <PHONE_1>",
        "１３８－００１３－８０００ http://a.cn/x?y=1 192.168.1.1",
        "固话 0571-88888888 转 123，91330100MA27XXXX5A",
    )
] + [b"\x01" + bytes(range(start, start + 40)) for start in (0, 60, 120, 160, 180, 200)]
SEEDS += [b"\0" + ("12345678 " + text * 5).encode() for text in HOSTILE]
WORDS = [
    "手机",
    "电话",
    "身份证",
    "银行卡",
    "收件人",
    "我叫",
    "地址",
    "微信",
    "QQ",
    "〔手机号〕",
    "〔",
    "〕",
    "@",
    "省",
    "市",
    "路",
    "号",
    "幺",
    "138",
    "京A",
]
PIECES = [
    *WORDS,
    *"0123456789一二三零〇幺壹０５９-_./:@#+ ，。、（）()[]【】〔〕<>{}*xXａＡabzZ",
    *"王李欧阳省市区县镇村路街道弄号楼栋室座单元\u200b\u00ad\u3000\n\t·•٣९",
    *(
        "13800138000",
        "138",
        "0000",
        "400-",
        "0571-",
        "11010519491231002X",
        "6222021001116245702",
        "a.b@c.com",
        "http://",
        "www.",
        ".cn",
        "192.168.",
    ),
    *(
        "1.1",
        "京A",
        "12345",
        "E12345678",
        "91330100MA27XXXX5A",
        "wx_",
        "〔手机号〕",
        "[手机]",
        "<PHONE_1>",
        "【订单号】",
        "转",
        "我叫",
        "小明",
        "先生",
        "女士",
    ),
    *(
        "收件人",
        "姓名",
        "浙江省杭州市",
        "西湖区",
        "文三路",
        "100号",
        "3单元",
        "五零一",
        "邮编",
        "310000",
        "QQ",
        "微信",
        "订单",
        "单号",
        "SF",
        "卡号",
        "尾号",
        "\ud800",
    ),
]
MOST_BYTES = 2000


def check(data: bytes) -> None:
    """Raise what must not be."""
    text = text_in(data, PIECES)
    masked = mask(text)
    assert mask(masked) == masked, "not idempotent"
    counted = mask_counted(text)
    assert counted.text == masked
    items = find_items(text)
    assert sum(counted.counts.values()) == len(items)
    assert all(0 <= item.start < item.end <= len(text) for item in items)
    assert all(one.end <= other.start for one, other in pairwise(items)), "items overlap"
    for kind in KINDS:
        placeholder = f"〔{kind}〕"
        assert masked.count(placeholder) >= text.count(placeholder), "a placeholder was masked"
