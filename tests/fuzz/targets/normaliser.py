"""The normaliser: takes any text, and its own result unchanged."""

from __future__ import annotations

from tests.fuzz.source import text_in
from yingda.text.normalise import normalise

SEEDS = [
    b"\0" + text.encode()
    for text in (
        "快递三天没动了！！！！",
        "ＡＢＣ１２３　ｶﾞｷﾞ",
        "臺灣囉嗦乾坤",
        "ﬁ①㈱㌀½",
        "한국어 東京都です",
        "é é ﷺ",
        "a\u200bb\ufeff\x00c",
    )
]
SEEDS.append(b"\x01" + bytes(range(200)))
WORDS = ["\u0301", "\u200d", "\ufe0f", "\u3099", "ﷺ", "㍿", "臺", "乾", "ー", "\u1160", "\u0345"]
PIECES = [
    *"aA1 .!。！ー～\n\t\x00\x1f\x85\xa0\xad",
    *"\u0300\u0301\u0327\u0345\u05b0\u064b\u0e33\u0f71\u0f73\u1160\u1175\u11a8\u200b\u200d\u202e\u2028\u3000\u3099\u309a\ufe0f\ufeff\ufffd\ufff9",
    *"カガｶﾞはぱハ한각ᄀ가臺台囉嗦乾坤著隻後裡發麵鬥鬱㐀豈塚﨎丽𠮷𪜀㈱㌀㍿㎏①½ﬁﷺﷲŸ\u01c4ⅣⅫ℀…‥⒈⑴\u2126\u212b\u00b5\u017f\u1e9e",
    *"😀👍🏽🇨🇳\U000e0067\U0001f468\u2640İıẞΣςſ０９Ａｚ＠（）\ud800\udfff\U0010ffff\ue000",
    *("哈哈哈", "!!!", "……", "ha", "裏面", "頭髮", "干", "幹", "瞭解", "甚麼", "什么", "着著", "㐀㐀㐀"),
]
MOST_BYTES = 3000


def check(data: bytes) -> None:
    """Raise what must not be."""
    text = text_in(data, PIECES)
    once = normalise(text)
    assert normalise(once) == once, "not idempotent"
    assert once == once.strip()
    once.encode()  # no lone surrogate is left
