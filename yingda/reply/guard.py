"""The last look at a finished text: personal data of the customer never leaves, whatever put it there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, lru_cache

from yingda.reply.variables import surname_of
from yingda.text.masking import mask_counted
from yingda.text.normalise import normalise
from yingda.text.titled_names import is_full_name

_Fold = Callable[[str], str]

KINDS = ("姓名", "手机号", "电话", "身份证号", "银行卡号", "邮箱", "地址", "护照号", "微信号", "QQ号", "车牌号")
"""What no reply may hold, as the recognisers of ``yingda.text`` name it."""
OPEN_VARIABLE = "变量"
"""Kind of a text in which a brace is left: nobody may read a template."""

_PRIVATE_KEYS = (
    ("姓名", re.compile("姓名|名字|收件人|收货人|联系人|name|recipient", re.IGNORECASE)),
    ("手机号", re.compile("手机|电话|phone|mobile|tel", re.IGNORECASE)),
    ("身份证号", re.compile("身份证|证件|identity|id_?card|id_?no", re.IGNORECASE)),
    ("银行卡号", re.compile("银行卡|卡号|bank|card", re.IGNORECASE)),
    ("邮箱", re.compile("邮箱|邮件|e-?mail", re.IGNORECASE)),
    ("地址", re.compile("地址|住址|address", re.IGNORECASE)),
)
_PRODUCT = re.compile("型号|model|商品|product|店铺", re.IGNORECASE)
_ORDER = re.compile("单号|编号|订单|order|tracking|ticket", re.IGNORECASE)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f ,.'-]+")
_SHORTEST_TURNED = 5
_HAN = re.compile("[\u3400-\u9fff]")
_HAN_ALONE = re.compile("[\u3400-\u9fff]{2,6}")
_TITLES = ("先生", "女士", "小姐")
_TITLED = re.compile(f"(?:{'|'.join(_TITLES)})$")
_BIRTH = re.compile(r"[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]")
_CARD = re.compile(r"62\d{14,17}|4\d{15}|5[1-5]\d{14}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def personal_data(text: str, *, own: Collection[str], written: str, name: str | None, context: Mapping[str, str]) -> tuple[str, ...]:
    """Kinds of personal data in ``text``, each once, in the order of ``KINDS``; empty when it may be sent.

    ``own`` are the shop's published values (its telephone number), which may stand in any reply. ``written`` is the wording
    before it was filled: a customer called 方便 does not block every 方便的话; a name that can be no word (王小明, or 王明 before 女士)
    is found there too. ``name`` and ``context`` are what the request says of the customer: the exact name and the exact values of
    private fields are looked for besides, and its order numbers are allowed unless they are surely something else.
    """
    orders = [value for key, value in context.items() if _ORDER.search(key) and is_order_number(value)]
    carried = [value for value in (*context.values(), surname_of(name or "")) if value.strip()]
    found: set[str] = set()
    published = _published(tuple(own))
    for line in text.split("\n"):
        # what the shop wrote is looked at once; a line that holds anything of the customer is not kept in memory
        look = _in_line if any(value in line for value in carried) else _in_fixed_line
        found |= look(_without(line, orders), published)
    if known := list(_exact(name, context)):
        unpublished, simplified = _without(text, own), cache(_simplified)  # for this reply alone: nothing of it is kept in memory
        found |= {kind for kind, value in known if _shows(text, value, written, (_folded, simplified))}
        found |= {kind for kind, value in known if kind == "姓名" and _is_named(unpublished, value, simplified)}
    if "{" in text or "}" in text:
        found.add(OPEN_VARIABLE)
    return tuple(kind for kind in (*KINDS, OPEN_VARIABLE) if kind in found)


def is_order_number(value: str) -> bool:
    """True for a number that a shop may give an order, though by chance it may pass a check of another kind.

    One 18-digit number in eleven passes the check of identity cards, one in ten that of bank cards (GB 11643-1999, ISO/IEC
    7812-1): a number is taken for one of these only when its other parts are right too, the date of birth or the issuer.
    """
    bare = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", value))
    kinds = set(mask_counted(value).counts) & set(KINDS)
    if kinds - {"身份证号", "银行卡号"} or not re.fullmatch(r"[A-Za-z0-9_#]{1,40}", bare):
        return False
    return not (_BIRTH.fullmatch(bare) and _passes_identity(bare)) and not (_CARD.fullmatch(bare) and _passes_luhn(bare))


def _passes_identity(value: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, value[:17], strict=True))
    return "10X98765432"[total % 11] == value[17].upper()


def _passes_luhn(value: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(value)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _in_line(line: str, published: re.Pattern[str] | None) -> frozenset[str]:
    """Kinds in one line, the shop's published values set aside."""
    return _recognised(published.sub("※", line) if published else line)


_in_fixed_line = lru_cache(maxsize=4096)(_in_line)


def _recognised(text: str) -> frozenset[str]:
    return frozenset(KINDS) & set(mask_counted(text).counts)


@lru_cache(maxsize=64)
def _published(values: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds those of the shop's values that look like personal data."""
    return _whole(value for value in values if _recognised(value))


def _without(text: str, values: Collection[str]) -> str:
    """``text`` without whole occurrences of ``values``."""
    pattern = _whole(values) if values else None
    return pattern.sub("※", text) if pattern else text


def _whole(values: Iterable[str]) -> re.Pattern[str] | None:
    """Finds whole occurrences of ``values``; part of a longer number is none."""
    escaped = [re.escape(value.strip()) for value in sorted(values, key=len, reverse=True) if value.strip()]
    return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(escaped)})(?![0-9A-Za-z])") if escaped else None


def _exact(name: str | None, context: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """What is known of this customer, by kind."""
    named = [name or "", *(value for key, value in context.items() if _private(key) == "姓名")]
    for whole in named:
        yield from (("姓名", form) for form in _forms(whole))
    for key, value in context.items():
        kind = _private(key)
        if kind and kind != "姓名" and len(_folded(value)) >= 4:
            yield kind, value


def _private(key: str) -> str | None:
    if _PRODUCT.search(key):
        return None
    return next((kind for kind, pattern in _PRIVATE_KEYS if pattern.search(key)), None)


def _forms(name: str) -> Iterable[str]:
    """The whole name, and a given name of two characters or more; surname and title alone are how customers are addressed."""
    name = _TITLED.sub("", name.strip())
    bare = _folded(name)
    surname = _folded(surname_of(name))
    if len(bare) < 2 or bare == surname:
        return
    yield name
    given = bare.removeprefix(surname) if re.fullmatch(r"[\u4e00-\u9fff·]+", bare) else ""
    if len(given) >= 2:
        yield given
    yield from _turned(name)


def _turned(name: str) -> Iterable[str]:
    """A name in Latin letters with its other end first (Wang Xiaoming, Xiaoming Wang), and without the words between."""
    words = name.replace(",", " ").split()
    if len(words) < 2 or not _LATIN.fullmatch(name):
        return
    first, *between, last = words
    turned = [[last, first, *between], [*between, last, first], [first, last], [last, first]]
    # shorter ones (Na Li) stand in ordinary words by chance
    yield from (" ".join(one) for one in turned if len(_folded("".join(one))) >= _SHORTEST_TURNED)


def _shows(text: str, value: str, written: str, folds: tuple[_Fold, _Fold]) -> bool:
    """True where ``value`` stands in ``text`` more often than in what the shop wrote, in whichever script."""
    return any(_more(fold, text, value, written) for fold in (folds if _HAN.search(value) else folds[:1]))


def _more(fold: _Fold, text: str, value: str, written: str) -> bool:
    sought, folded = fold(value), fold(text)
    return sought in folded and folded.count(sought) > fold(written).count(sought)


def _is_named(text: str, value: str, fold: _Fold) -> bool:
    """True where ``text`` holds a name that can be no word: a Chinese full name of three characters, or any before a title."""
    sought = fold(value)
    if not _HAN_ALONE.fullmatch(sought):
        return False
    folded = fold(text)
    return sought in folded and (is_full_name(sought) or any(f"{sought}{title}" in folded for title in _TITLES))


def _folded(text: str) -> str:
    """Letters and digits alone, one width, small."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def _simplified(text: str) -> str:
    """As ``_folded``, traditional characters as simplified ones."""
    return _folded(normalise(text))
