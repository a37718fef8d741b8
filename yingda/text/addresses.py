"""Postal addresses in Chinese running text: chains of units such as 西湖区, 文三路, 12号, 3栋."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ADMIN = "自治区|自治州|自治县|开发区|街道|新区|省|市(?![南北中]区)|区|區|县|縣|旗|镇|鎮|乡|鄉"
_ROAD = "大道|胡同|路|街|巷"
_PLACE = (
    "工业园|产业园|科技园|小区|小區|社区|花园|花園|公寓|大厦|大廈|家园|新村|新城|广场|廣場|村|苑|屯(?!村)|庄(?!村)|坊|府(?!村)|园(?![区村])"
)
_STRONG = "号楼|號樓|号院|单元|單元|弄|栋|棟|幢|座|室|户"
_WEAK = "号|號|楼(?![区市])|层|门(?!市)|组|队|房"
_UNIT = re.compile(
    rf"(?P<body>[\u3400-\u9fffA-Za-z0-9-]{{1,10}}?)"
    rf"(?:(?P<strong>{_STRONG})|(?P<place>{_PLACE})|(?P<admin>{_ADMIN})|(?P<road>{_ROAD})|(?P<weak>{_WEAK}))"
)
_ENDS = re.compile("[区區州县縣道省市旗镇鎮乡鄉同路街巷园寓厦廈家园園村城场場苑屯庄坊府楼樓院元弄栋棟幢座室户号號层门组队房]")
"""Characters that a unit ends with."""
_NUMBER = re.compile(r"(?:[A-Za-z]?\d{1,5}(?:-\d{1,4}){0,3}[A-Za-z]?|[A-Za-z甲乙丙丁东南西北]|[零一二三四五六七八九十百]{1,7})$")
_DIGIT = re.compile(r"\d")
_TAIL = re.compile(r" ?[A-Za-z]?\d{1,4}(?:-\d{1,4}){0,3}(?:室|号|號)?(?!\d|[.:%]\d| ?(?:点|元|块|月|日|天|年|个|件|分|小时|kg|g))")
_HOUSE = re.compile(r" ?\d{1,4}(?:-\d{1,4}){1,3}(?![\d元块月日])")

# words that end like a unit and name none
_NO_UNIT = re.compile(
    r"(?:超市|(?<!厦)(?<!廈)门市|上市|股市|夜市|全市|集市|外省|跨省|节省|各省|各市|哪个?省|哪个?市|专区|分区|地区|片区|校区|免税区|评论区|留言区|交易区|保税区|"
    r"农村|全村|乡村|家乡|老乡|套路|一路|半路|铁路|电路|网路|线路|公路|马路|道路|在路|高速路|走路|赶路|顺路|迷路|老路|逛街|上街|幼儿园|校园|"
    r"国旗|冰镇|乡镇|城镇|(?:^|[个这那同大小本哪些的在])城市|(?:^|[个们这那本]|隔壁)(?:小区|小區|社区|村|花园|公寓|大厦|广场|家园))$"
)
_NO_END = re.compile(
    r"(?:省(?!市|内)[钱心事电油力下得了的略]|市[场面民价值]|[区區][别間间块域分]|街[拍头]|路[由过上线程费途况灯边]|旗舰|镇[定静痛]|乡下|"
    r"村[里民]|园[林艺]|[号號][码碼线主召称]|室[内外友]|楼[上下主梯道]|层次|门[店口]|组[装合成]|队列|座[位椅垫机]|户外|房[间子]|府[邸])"
)
_LEAD = re.compile(
    r".*(?:改成|改为|换成|换到|改到|寄到|发到|送到|寄往|发往|送往|位于|地址|就是|我是|给我|帮我|我家|我们|住在|我住|这是|收货|麻烦|到|在|住|址|往|从|的|是|寄|发|送|改|换)"
)
_PROVINCE = re.compile(
    r"北京|上海|天津|重庆|重慶|河北|山西|辽宁|遼寧|吉林|黑龙江|黑龍江|江苏|江蘇|浙江|安徽|福建|江西|山东|山東|河南|湖北|湖南|广东|廣東|海南|"
    r"四川|贵州|貴州|云南|雲南|陕西|陝西|甘肃|甘肅|青海|台湾|台灣|内蒙古|广西|廣西|西藏|宁夏|寧夏|新疆|香港|澳门|澳門"
)


class _Unit(NamedTuple):
    kind: str
    start: int
    end: int


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Bounds of each address in folded ``text``, from left to right.

    A region alone (浙江省杭州市) is where somebody asks delivery for, not where they live; it needs a road, a house or a flat.
    """
    ends = len(_ENDS.findall(text))
    if ends == 0 or (ends == 1 and not _DIGIT.search(text)):
        return  # an address has two units, or one and a number
    for chain in _chains(text):
        end = _end(text, chain)
        if _is_address(chain, has_tail=end > chain[-1].end) or _names_a_town(text, chain):
            yield _start(text, chain[0]), end


def _chains(text: str) -> Iterator[list[_Unit]]:
    """Units that follow each other, with at most a blank or comma between."""
    chain: list[_Unit] = []
    for match in _UNIT.finditer(text):
        unit = _unit(text, match)
        if chain and (unit is None or not _touch(text, chain[-1], unit)):
            yield chain
            chain = []
        if unit is not None:
            chain.append(unit)
    if chain:
        yield chain


def _touch(text: str, left: _Unit, right: _Unit) -> bool:
    return text[left.end : right.start] in ("", " ", ",", "，", "-", "、")


def _unit(text: str, match: re.Match[str]) -> _Unit | None:
    kind = match.lastgroup or ""
    if _NO_UNIT.search(match.group()) or _NO_END.match(text, match.start(kind)):
        return None
    start = match.start()
    if kind in ("strong", "weak"):
        number = _NUMBER.search(match.group("body"))
        if number is None:
            return None
        start += number.start()
    return _Unit(kind, start, match.end())


def _is_address(chain: list[_Unit], *, has_tail: bool) -> bool:
    count = {kind: sum(unit.kind == kind for unit in chain) for kind in ("admin", "road", "place", "strong", "weak")}
    numbered = count["strong"] + count["weak"] + has_tail > 0
    if count["road"]:
        return numbered or count["admin"] > 0
    if count["place"]:
        # 小区12号 may be a date: a house or a region must say that it is none
        return count["strong"] > 0 or count["admin"] >= 2 or (count["admin"] > 0 and numbered)
    return count["strong"] >= 2 or (count["strong"] > 0 and (count["admin"] > 0 or has_tail))


def _names_a_town(text: str, chain: list[_Unit]) -> bool:
    """True for three regions down to a town (…市…区…镇): few people live there."""
    regions = [text[unit.end - 1] for unit in chain if unit.kind == "admin"]
    return len(regions) >= 3 and regions[-1] in "镇鎮乡鄉道"


def _start(text: str, first: _Unit) -> int:
    """Where the address begins: at a province, else after the words that lead to it."""
    if first.kind in ("strong", "weak"):
        return first.start
    unit = text[first.start : first.end]
    province = _PROVINCE.search(unit)
    if province:
        return first.start + province.start()
    lead = _LEAD.match(unit[:-2])
    return first.start + (lead.end() if lead else 0)


def _end(text: str, chain: list[_Unit]) -> int:
    last = chain[-1]
    pattern = _TAIL if last.kind == "strong" else _HOUSE
    tail = pattern.match(text, last.end) if last.kind != "admin" else None
    return tail.end() if tail else last.end
