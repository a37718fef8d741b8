"""Full names before a title (王小明女士) in what a shop writes; customers' messages are searched by ``yingda.text.names``.

A surname with its title is how people are addressed and is none; what is bought in a shop (成熟女士, 牛仔女士款) is none either, so
a name begins only where a name is led in.
"""

from __future__ import annotations

import re
import unicodedata

from yingda.text.names import COMPOUND, NO_NAMES, RARE_SURNAMES, SURNAMES

_LED_IN = (
    r"(?:^|(?<=[^\u4e00-\u9fff\w])|(?<=联系)|(?<=咨询)|(?<=询问)|(?<=致电)|(?<=找)|(?<=问)|(?<=由)|(?<=给)|(?<=向)|(?<=跟)|(?<=与)|(?<=是)|(?<=叫)"
    r"|(?<=尊敬的)|(?<=亲爱的)|(?<=客服)|(?<=经理)|(?<=专员)|(?<=主管)|(?<=店长)|(?<=同事)|(?<=负责人))"
)
_GIVEN = r"[\u4e00-\u9fff]{1,2}"
_GOODS = r"(?![款用鞋包装表裤裙帽衣袜香手内外皮高运休衬钱剃专们])"
_FULL = re.compile(rf"(?!{NO_NAMES})(?:(?:{COMPOUND}){_GIVEN}|[{SURNAMES}{RARE_SURNAMES}][\u4e00-\u9fff]{{2}})")
_TITLED = re.compile(rf"{_LED_IN}(?!{NO_NAMES})(?:(?:{COMPOUND}){_GIVEN}|[{SURNAMES}](?!.?位){_GIVEN}) ?(?:先生|女士|小姐(?!姐)){_GOODS}")


def holds_titled_name(text: str) -> bool:
    """True when ``text`` names somebody with surname, given name and title."""
    return _TITLED.search(unicodedata.normalize("NFKC", text)) is not None


def is_full_name(name: str) -> bool:
    """True for three characters or more that begin with a surname and with no word: 王小明, and neither 方便面 nor 王明."""
    return len(name) >= 3 and _FULL.fullmatch(name) is not None
