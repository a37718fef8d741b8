"""What personal data looks like in customers' messages: patterns over folded text, see ``yingda.text.masking``.

Two forms of a message are searched, both as long as each other: the folded one (one width, no invisible characters, every
white space a blank) and the same with Chinese numerals as digits. What is masked or was masked before stands in both as
``WALL``, so that no pattern reaches across it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

WALL = "\x00"
PHONE_WALL = "\x01"
"""Stands for a mobile number, for a name often stands just before one."""

_LONGEST_AMOUNT = 10
"""Digits up to which a number with a unit behind it is a quantity."""


class Found(NamedTuple):
    """A match in both forms of a message; ``start`` and ``end`` bound what is to be masked."""

    folded: str
    digits: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """The digits and letters alone, Chinese numerals as digits."""
        return re.sub(r"[^0-9A-Za-z]", "", self.digits[self.start : self.end])


def _always(found: Found) -> bool:  # noqa: ARG001 the signature is that of every check
    return True


class Rule(NamedTuple):
    """A kind of personal data; the group ``value``, where there is one, is what gets masked, else the whole match.

    ``numerals`` says that Chinese numerals count as digits. A message with fewer digits (numerals included) than ``digits``, or
    without any of ``cues`` in small letters, cannot match: most messages are not searched at all.
    """

    kind: str
    pattern: re.Pattern[str]
    numerals: bool = False
    holds: Callable[[Found], bool] = _always
    digits: int = 4
    cues: tuple[str, ...] = ()


# marks with blanks around them, or blanks alone: only one way to read each, for ten of them stand in a number, and what could be
# read in three ways each would be tried in 3^10 where the number breaks off
_MARKS = "-.,·_/~、，()"
_SEP = rf"(?: {{0,2}}[{_MARKS}]{{1,2}} {{0,2}}| {{0,4}})"
_GAP = rf"(?: {{1,2}}| {{0,2}}[{_MARKS}]{{1,2}} {{0,2}})"
_ANY_SEP = rf"(?: {{0,2}}[{_MARKS}*+|=:;]{{1,2}} {{0,2}}| {{0,4}})"
"""Behind a word for a telephone; elsewhere 1500*2000*180 is the size of a bed."""
_SAY = r"[ :是为為=]{0,4}"
_UNIT = re.compile(r"\.\d{1,2}(?!\d)| ?(?:元|块|塊|円|万|亿|mah|毫安|人|个|個|件|粉丝|次|天|秒|字|ml|kg|g(?![a-z]))", re.IGNORECASE)
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_BIRTH = re.compile(r"[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]")
_ORDER_BEFORE = re.compile(r"(?:[单單][号號]?|编号)[ :：是为]{0,3}\Z")
_ORDER_SPAN = 5
"""Characters of the longest match of ``_ORDER_BEFORE``: what stands further ahead need not be searched."""
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _grouped(*sizes: int) -> str:
    """A mobile number in groups of ``sizes``; every separator may be missing."""
    first = rf"1[3-9]\d{{{sizes[0] - 2}}}"
    return first + "".join(rf"{_SEP}\d{{{size}}}" for size in sizes[1:])


# 3-3-3-2 is missing on purpose: "175 180 185 90" is a list of sizes
_GROUPINGS = ((3, 4, 4), (4, 3, 4), (4, 4, 3), (3, 3, 5), (3, 5, 3), (5, 6), (6, 5), (3, 2, 3, 3), (3, 2, 2, 2, 2), (2, 3, 3, 3))
_CHINESE = "零〇○一壹二贰貳三叁參四肆五伍六陆陸七柒八捌九玖幺"
_COUNTRY = r"(?:\(?(?:\+|00)? ?86\)?" + _SEP + r")?0?"
_PHONE_WORD = r"(?:电话|電話|手机|手機|号码|號碼|联系|聯繫|致电|拨打|打给|打我|tel|phone|mobile|call|cell)"


def _has_free_edges(found: Found) -> bool:
    """False for a part of a longer number; a single Chinese numeral beside digits is a word of its own (第一138…, …026四天)."""
    text, start, end = found.folded, found.start, found.end
    if text[end - 1] in _CHINESE and text[end - 2].isdigit() and not any(char in _CHINESE for char in text[start : end - 1]):
        return False
    before = start > 0 and text[start - 1].isdigit() and text[start].isdigit()
    after = end < len(text) and text[end].isdigit() and text[end - 1].isdigit()
    return not before and not after


def _is_identity(found: Found) -> bool:
    """A plausible date of birth, or the check character of GB 11643-1999 (ISO 7064 MOD 11-2)."""
    value = found.value.upper()
    if _BIRTH.fullmatch(value):
        return True
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, value[:17], strict=True))
    return "10X98765432"[total % 11] == value[17]


def _is_identity_of_its_own(found: Found) -> bool:
    """Like ``_is_identity``; half the evidence is not enough in a longer run of Chinese numerals or behind the word for an order."""
    of_an_order = _ORDER_BEFORE.search(found.folded, max(0, found.start - _ORDER_SPAN), found.start)
    doubtful = of_an_order or (found.folded[found.start] in _CHINESE and not _has_clean_edges(found))
    return _is_identity(found) and (not doubtful or _is_sure_identity(found.value.upper()))


def _is_old_identity(found: Found) -> bool:
    """Fifteen digits, as cards had until 1999; no part of a longer number, nor one spelt with Chinese numerals."""
    return _has_free_edges(found) and (found.folded[found.start] not in _CHINESE or _has_clean_edges(found))


def _is_sure_identity(value: str) -> bool:
    """A plausible date of birth and the right check character."""
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, value[:17], strict=True))
    return bool(_BIRTH.fullmatch(value)) and "10X98765432"[total % 11] == value[17]


def _has_clean_edges(found: Found) -> bool:
    """False for a part of a longer number, Chinese numerals counted."""
    return not found.digits[found.start - 1 : found.start].isdigit() and not found.digits[found.end : found.end + 1].isdigit()


def _is_credit_code(found: Found) -> bool:
    """The check character of GB 32100-2015 (MOD 31); what is surely an identity number is none."""
    value = found.value.upper()
    total = sum(_CREDIT.index(char) * pow(3, place, 31) for place, char in enumerate(value[:17]))
    return _CREDIT[-total % 31] == value[17] and not (value[:17].isdigit() and _is_sure_identity(value))


def _is_card(found: Found) -> bool:
    """Luhn's check, ISO/IEC 7812-1."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(found.value)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _is_address_of_network(found: Found) -> bool:
    """Four bytes; a version number such as v1.2.3.4 is none."""
    before = found.folded[max(0, found.start - 3) : found.start].lower()
    parts = found.folded[found.start : found.end].split(".")
    return all(int(part) < 256 for part in parts) and "v" not in before and "版" not in before


def _is_long_number(found: Found) -> bool:
    """No date, no quantity with its unit."""
    size = found.end - found.start
    if size <= _LONGEST_AMOUNT and _UNIT.match(found.folded, found.end):
        return False
    return not (size == 8 and _DATE.fullmatch(found.digits, found.start, found.end))


def _has_mark_and_number(found: Found) -> bool:
    value = found.folded[found.start : found.end]
    return len(re.findall(r"[省市区县镇乡村路街道巷号栋室楼苑园區縣鎮鄉號棟樓園]", value)) + len(re.findall(r"\d+", value)) >= 2


def _is_plate(found: Found) -> bool:
    """At most two letters among the five, as the rules for plates have it (GA 36-2018)."""
    value = found.value
    return sum(char.isalpha() for char in value[1:]) <= 2 + (len(value) > 6)


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NO_ALNUM_BEFORE, _NO_ALNUM_AFTER = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_PROVINCES = "京津沪滬渝冀豫云雲辽遼湘皖鲁魯苏蘇浙赣贛鄂桂甘晋晉蒙陕陝吉闽閩粤粵青藏川宁寧琼瓊使"

# order matters: the first rule that claims a stretch of text keeps it
RULES = (
    Rule(
        "网址",
        _compile(
            r"(?:https?://|(?<![A-Za-z0-9.])www\.)[!#-&(-;=?-Z_a-z~]+"
            r"|(?<![A-Za-z0-9.@-])(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,6}/[!#-&(-;=?-Z_a-z~]+"
        ),
        digits=0,
        cues=("http", "www.", "/"),
    ),
    Rule("邮箱", _compile(r"(?<![A-Z0-9._%+-])[A-Z0-9._%+-]{1,64} ?@ ?(?:[A-Z0-9-]{1,63} ?\. ?){1,4}[A-Z]{2,12}"), digits=0, cues=("@",)),
    Rule("IP地址", _compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]\d)"), holds=_is_address_of_network, cues=(".",)),
    Rule(
        "IP地址",
        _compile(r"(?<![0-9a-f:])(?:(?:[0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6})(?![0-9a-f:])"),
        holds=lambda f: len(f.value) >= 8,  # 12::30 is a time
        cues=(":",),
    ),
    Rule(
        "统一社会信用代码",
        _compile(rf"{_NO_ALNUM_BEFORE}[1-9AGNY] ?[1-9](?: ?\d){{6}}(?: ?[0-9A-HJ-NP-RTUWXY]){{10}}{_NO_ALNUM_AFTER}"),
        holds=_is_credit_code,
        digits=8,
    ),
    Rule(
        "统一社会信用代码",
        _compile(
            rf"(?:税号|稅號|税务登记号|信用代码|信用代碼|纳税人识别号|納稅人識別號|识别号){_SAY}"
            rf"(?P<value>(?=[A-Z ]*\d)[0-9A-Z](?: ?[0-9A-Z]){{14,19}}){_NO_ALNUM_AFTER}"
        ),
        digits=8,
        cues=("税", "稅", "代码", "代碼", "识别", "識別"),
    ),
    Rule("单号", _compile(rf"{_NO_ALNUM_BEFORE}(?:SF|JD|YT|ZTO|STO|YD|EMS|DB|JT)[A-Z]{{0,3}}\d{{9,18}}(?!\d)"), digits=9),
    Rule("单号", _compile(rf"{_NO_ALNUM_BEFORE}(?:DD|NO|ORD)[-#:]?\d{{4,20}}(?!\d)"), digits=4),
    Rule(
        "身份证号",
        _compile(r"\d(?:[ -]?\d){16}[ -]?[\dX×]"),
        numerals=True,
        holds=lambda f: _has_free_edges(f) and _is_identity_of_its_own(_x(f)),
        digits=17,
    ),
    Rule(
        "身份证号", _compile(r"[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"), numerals=True, holds=_is_old_identity, digits=15
    ),
    Rule(
        "身份证号",
        _compile(rf"(?:身份证|身份證|证件)(?:号码|号|號碼|號)?{_SAY}(?P<value>\d(?:[ -]?\d){{13,17}}X?)"),
        numerals=True,
        digits=14,
        cues=("身份", "证件"),
    ),
    Rule("护照号", _compile(rf"{_NO_ALNUM_BEFORE}(?:[EGDSPHMCW]\d{{8}}|E[A-HJ-NP-Z]\d{{7}}){_NO_ALNUM_AFTER}"), digits=7),
    Rule(
        "护照号",
        _compile(
            rf"(?:护照|護照|通行证|通行證|passport)(?:号码|号|號碼|號| ?number| ?no\.?)?{_SAY}"
            rf"(?P<value>(?:[A-Z] ?){{0,2}}\d{{6,10}}){_NO_ALNUM_AFTER}"
        ),
        digits=6,
        cues=("护照", "護照", "通行", "passport"),
    ),
    Rule(
        "银行卡号", _compile(r"[3-69]\d{3}(?:[ -]?\d){12,15}"), numerals=True, holds=lambda f: _has_free_edges(f) and _is_card(f), digits=13
    ),
    Rule(
        "银行卡号",
        _compile(rf"(?:卡号|卡號|银行卡|銀行卡)(?:号|號)?{_SAY}(?P<value>\d(?:[ -]?\d){{11,18}})(?!\d)"),
        numerals=True,
        digits=12,
        cues=("卡号", "卡號", "银行卡", "銀行卡"),
    ),
    Rule(
        "手机号",
        _compile(rf"{_COUNTRY}(?:{'|'.join(_grouped(*sizes) for sizes in _GROUPINGS)})"),
        numerals=True,
        holds=_has_free_edges,
        digits=11,
    ),
    Rule("手机号", _compile(rf"{_COUNTRY}1{_GAP}[3-9](?:{_GAP}\d){{9}}"), numerals=True, holds=_has_free_edges, digits=11),
    Rule(
        "手机号",
        _compile(rf"{_PHONE_WORD}[^\d{WALL}]{{0,8}}(?P<value>{_COUNTRY}1{_ANY_SEP}[3-9](?:{_ANY_SEP}\d){{9}})"),
        numerals=True,
        holds=_has_free_edges,
        digits=11,
    ),
    Rule("手机号", _compile(rf"[一幺壹]{_SEP}[三四五六七八九叁肆伍陆陸柒捌玖](?:{_SEP}[{_CHINESE}\d]){{9}}"), digits=11),
    Rule(
        "电话",
        _compile(r"(?:\+?86[- ]?)?\(?0(?:10|2\d|[3-9]\d\d)\)?[- ]{0,2}(?:\d{7,8}|\d{3,4}[- ]\d{4})(?:(?:转|轉|-|#|ext\.?) ?\d{1,6})?"),
        numerals=True,
        holds=_has_free_edges,
        digits=10,
    ),
    Rule(
        "电话",
        _compile(r"[48]00(?:-?\d{3}[- ]?\d{4}|[- ]?\d{4}[- ]\d{3}|-\d-?\d{3}-?\d{3}| \d{3} \d{4}(?! ?(?:元|块|g|ml|克|片|个|件)))"),
        numerals=True,
        holds=_has_free_edges,
        digits=10,
    ),
    Rule(
        "电话",
        _compile(rf"(?:电话|電話|座机|座機|固话|固話|tel)(?:号码|号|號碼|號)?{_SAY}(?P<value>[2-8]\d{{2,3}}[- ]?\d{{4}})(?!\d)"),
        numerals=True,
        digits=7,
        cues=("话", "話", "座机", "座機", "tel"),
    ),
    Rule("电话", _compile(r"\+\d{1,3}(?>[ -]?\(?\d{1,4}\)?){2,5}(?!\d)"), holds=lambda f: len(f.value) >= 9, digits=9, cues=("+",)),
    Rule(
        "QQ号",
        _compile(
            rf"(?<![A-Za-z])(?:QQ|扣扣|企鹅|企鵝)(?:号码|号|號碼|號|群)?{_SAY}"
            rf"(?P<value>[1-9]\d{{4,11}}|[1-9]\d{{2,3}}(?:[ -]\d{{2,4}}){{1,3}})(?!\d)"
        ),
        numerals=True,
        digits=5,
        cues=("qq", "扣扣", "企鹅", "企鵝"),
    ),
    Rule(
        "微信号",
        _compile(
            rf"(?<![A-Za-z])(?:微信|威信|薇信|wechat|weixin|v信|vx|wx|加v)(?:(?:号码|号|號碼|號|id|:|是){_SAY}(?P<value>[A-Z][-_A-Z0-9]{{5,19}})"
            rf"|{_SAY}(?P<other>(?=[-_A-Z]*\d)[A-Z0-9][-_A-Z0-9]{{4,19}})){_NO_ALNUM_AFTER}"
        ),
        digits=0,
        cues=("信", "wechat", "weixin", "vx", "wx", "v"),
    ),
    Rule(
        "账号",
        _compile(rf"(?:账号|帐号|賬號|帳號|用户名|用戶名|会员号|會員號|旺旺)(?:id|名)?{_SAY}(?P<value>(?=[-_A-Z]*\d)[-_A-Z0-9]{{5,30}})"),
        cues=("号", "號", "用户名", "用戶名", "旺旺"),
    ),
    Rule(
        "单号",
        _compile(r"(?:单号|單號|订单编号|訂單編號)[:：是为為# ]*(?P<value>[A-Z]{0,4}-?\d[-A-Z0-9]{3,29})"),
        cues=("单号", "單號", "编号", "編號"),
    ),
    Rule(
        "单号",
        # a digit is looked for among the five groups alone: a-a-a-… would be read to its end from each of its letters
        _compile(rf"{_NO_ALNUM_BEFORE}(?=(?:[A-Z]++-){{0,4}}+[A-Z]*+\d)(?=\d*-?[A-Z])[A-Z0-9]+(?:-[A-Z0-9]+){{0,4}}{_NO_ALNUM_AFTER}"),
        holds=lambda f: _is_code(f),
        digits=8,
    ),
    Rule(
        "单号",
        _compile(r"\d{2,20}(?:-\d{4,20}){1,4}"),
        holds=lambda f: _has_free_edges(f) and bool(re.search(r"\d{7}", f.folded[f.start : f.end])),
        digits=9,
    ),
    Rule("单号", _compile(r"\d{8,}"), numerals=True, holds=_is_long_number, digits=8),
    Rule(
        "车牌号",
        re.compile(
            rf"(?:[{_PROVINCES}]|(?<=[牌照号是:])[新黑贵貴])[A-Z][·. -]?(?:[A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳])(?![A-Za-z0-9])"
        ),
        holds=_is_plate,
    ),
    Rule(
        "车牌号",
        re.compile(rf"[{_PROVINCES}新黑贵貴][A-Z][·. -]?(?:[DABCEFGHJK][A-HJ-NP-Z0-9]\d{{4}}|\d{{5}}[DABCEFGHJK])(?![A-Za-z0-9])"),
        digits=5,
    ),
    Rule("车牌号", re.compile(r"[新黑贵貴][A-Z](?:·[A-HJ-NP-Z0-9]{5}|\d{5})(?![A-Za-z0-9])")),
    Rule(
        "地址",
        _compile(r"(?:地址|住址)(?:是|为|為|改为|改成|改到|换成)?: ?(?P<value>[^，。！？；,!?;\x00\x01]{4,60})"),
        holds=_has_mark_and_number,
        digits=0,
        cues=("址",),
    ),
)


def _x(found: Found) -> Found:
    """``found`` with the multiplication sign read as the X it stands for."""
    return found._replace(digits=found.digits.replace("×", "X"))


def _is_code(found: Found) -> bool:
    """Eight digits or more among letters: no model name has that many."""
    size = sum(char.isdigit() for char in found.folded[found.start : found.end])
    if re.fullmatch(r"\d{3,5}[x*]\d{3,5}", found.folded[found.start : found.end], re.IGNORECASE):
        return False  # pixels
    return size >= 8 and not (
        size <= _LONGEST_AMOUNT and re.fullmatch(r"\d+(?:mah|ml|kg|g|w|pcs)", found.folded[found.start : found.end], re.IGNORECASE)
    )
