"""A reply as it is read out on the telephone: no sign is left that a voice cannot say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from yingda.reply.emoji import without_emoji
from yingda.reply.language import frame_of
from yingda.reply.numerals import cardinal, one_by_one, year
from yingda.reply.signs import in_words

_RANGE = "–—~～至到-"
_MEASURE = "[个個]|天|小[时時]|次|件|[周週]|年|份|[张張]|[条條]|位|[种種]|分[钟鐘]|[块塊]|[单單]|元"
_UNITS = (
    f"{_MEASURE}|月|日|[号號]|[点點]|分|秒|期|[万萬]|[亿億]|公里|公斤|克|米|折|[级級]|[岁歲]|工作日|倍|[页頁]|行|[层層]|步|[项項]"
    "|[千毫]克|[千厘毫]米|[平立]方米|毫?升|毫安时|千?瓦|伏|吉?赫|兆"
)
_N = r"\d+(?:,\d{3})*(?:\.\d+)?"
_COUNTS = r"[个個]|天|小[时時]|次|件|[周週]|年|月|日|[号號]|份|[张張]|工作日"
"""What there is never less than none of: a sign before so many of these is a dash."""
_DASH = r" ?[–—~～-] ?"
_MINUS = r"[-−－]"
_DEGREES = r"℃|°|[摄攝]氏度|度"
_DAY = r"(?:\d{1,4}|[零一二三四五六七八九十]{1,4}) ?[年月日号號]"
_WEEKDAY = r"(?:[周週]|星期|[礼禮]拜)"
_PART_OF_DAY = r"次日|翌日|凌晨|早|上午|中午|下午|晚"
_AROUND = "约約近足过過于占剩减減降扣"
_LETTERS = {
    ".": " 点 ",
    "/": " 斜杠 ",
    ":": " ",
    "@": " 艾特 ",
    "-": " 杠 ",
    "_": " 下划线 ",
    "?": " ",
    "=": " ",
    "&": " ",
    "#": " ",
    "%": " ",
}
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("「」『』“”‘’\"'《》〈〉【】[]{}<>＜＞*#_|^`~～…·•¥￥%％", ""),
        **dict.fromkeys("（）()—–→⇒>", "，"),
        **{
            "&": "和",
            "+": "加",
            "＋": "加",
            "=": "等于",
            "×": "乘",
            "@": "艾特",
            "/": "或",
            "\\": "或",
            "℃": "摄氏度",
            "°": "度",
            "−": "",
            "$": "美元",
        },
    }
)


def speakable(text: str, *, language: str) -> str:
    """``text`` in words that can be read out: numbers, dates, times, ranges, addresses of the web, lists and signs.

    Chinese keeps no digit; English keeps digits that a voice reads well, and says a telephone number digit by digit. So do
    other languages, which also keep times, amounts and addresses: a voice of the language reads these as its own people do.
    """
    bare = without_emoji(text)
    if frame_of(language) == "zh":
        return _chinese(in_words(bare, language="zh"))
    return _english(in_words(bare, language="en")) if language == "en" else _other(bare, language)


def speakable_with(text: str, own: Mapping[str, str], *, language: str) -> str:
    """As ``speakable``, where each text of ``own`` that stands in ``text`` is said as its own language, there named, says it."""
    languages = {line.strip(): code for said, code in own.items() for line in without_emoji(said).split("\n") if line.strip()}
    if not languages:
        return speakable(text, language=language)
    known = re.compile("(" + "|".join(re.escape(line) for line in sorted(languages, key=len, reverse=True)) + ")")
    gap = "" if language == "zh" else " "
    lines = []
    for line in without_emoji(text).split("\n"):
        pieces = (speakable(piece, language=languages.get(piece, language)) for piece in known.split(line) if re.search(r"\w", piece))
        lines.append(gap.join(piece for piece in pieces if piece))
    return "\n".join(line for line in lines if line)


def _chinese(text: str) -> str:
    for pattern, said in _CHINESE:
        text = pattern.sub(said, text)
    text = re.sub(r"\d+", lambda match: one_by_one(match.group()), text.translate(_SIGNS))
    text = re.sub(r"(?<=[\u3400-\u9fff，。；：！？、]) +| +(?=[\u3400-\u9fff，。；：！？、])", "", text)
    return _tidy(re.sub(r"(?<![A-Za-z])-|-(?![A-Za-z])", "", text), comma="，", stop="。")


def _tidy(text: str, *, comma: str, stop: str) -> str:
    """One mark where several meet, and one at the end of every line, so that the voice pauses there."""
    marks = re.escape("，。；：！？、,.;:!?؟،؛")
    text = re.sub(rf"{comma} ?(?=[{marks}])|(?<=[{marks}]){comma}|^{comma}+", "", text, flags=re.MULTILINE)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line if re.search(rf"[{marks}]$", line) else line + stop for line in lines if line)


def _web(match: re.Match[str]) -> str:
    bare = re.sub(r"^https?://", "", match.group())
    said = "".join(_LETTERS.get(char, char) for char in bare)
    return " " + " ".join(re.sub(r"\d+", lambda found: one_by_one(found.group()), said).split()) + " "


def _clock(hours: str, minutes: str) -> str:
    if not int(minutes):
        return f"{_hour(hours)}点"
    return f"{_hour(hours)}点{'零' if int(minutes) < 10 else ''}{cardinal(str(int(minutes)))}分"


def _hour(hours: str) -> str:
    return "两" if int(hours) == 2 else cardinal(str(int(hours)))


def _date(match: re.Match[str]) -> str:
    years, month, day = match.groups()
    return f"{year(years)}年{cardinal(str(int(month)))}月{cardinal(str(int(day)))}日"


def _span(match: re.Match[str]) -> str:
    return f"{_said(match.group(1))}到{_said(match.group(2))}"


def _degrees(match: re.Match[str]) -> str:
    low_sign, low, unit, high_sign, high, last = match.groups()
    return f"{_below(low_sign)}{_said(low)}{unit or ''}到{_below(high_sign)}{_said(high)}{last}"


def _below(sign: str | None) -> str:
    return "零下" if sign else ""


def _rebate(match: re.Match[str]) -> str:
    """满300-50 takes 50 off 300; of 满300-500 nothing is taken off, it is a range."""
    least, off = match.group(2), match.group(5)
    if float(off.replace(",", "")) >= float(least.replace(",", "")):
        return match.group()
    return f"{match.group(1)}{_said(least)}{match.group(3) or ''}减{_said(off)}"


def _fraction(match: re.Match[str]) -> str:
    gap, part, whole = match.groups()
    return f"{gap}{_said(whole)}分之{_said(part)}" if 0 < int(part) < int(whole) else match.group()


def _said(number: str) -> str:
    return cardinal(number.replace(",", ""))


def _groups(match: re.Match[str]) -> str:
    return "，".join(one_by_one(group) for group in re.split(r"[- ]", match.group()))


def _mixed(match: re.Match[str]) -> str:
    """Letters and digits of a number such as SF123 or A-1, each said on its own."""
    letters = (one_by_one(char) if char.isdigit() else " " if char == "-" else f" {char} " for char in match.group())
    return " " + " ".join("".join(letters).split()) + " "


def _line(match: re.Match[str]) -> str:
    number = int(match.group(1))
    return f"第{cardinal(str(number))}，" if number <= 20 else match.group()


_FRACTION = r"(\d{1,3})/(\d{1,3})(?![\d/.])"
_RELATIONS = (
    (re.compile(r"°C"), "℃"),
    (
        re.compile(rf"(?<![A-Za-z0-9.])(?<!\d-)({_MINUS})?({_N}) ?({_DEGREES})? ?[{_RANGE}] ?({_MINUS})?({_N}) ?({_DEGREES})"),
        _degrees,
    ),
    (re.compile(rf"(?<![A-Za-z0-9℃°%％.-])(?<!\d[ 度]){_MINUS}({_N}) ?(?={_DEGREES})"), lambda m: f"零下{_said(m.group(1))}"),
    (re.compile(rf"([满滿] ?)({_N})( ?元)?( ?){_MINUS} ?({_N})(?![\d-])"), _rebate),
    (re.compile(r"(?<![\d/])24/7(?![\d/])(?: ?小[时時])?"), "七乘二十四小时"),
    # any other n/m may be a date or two things to choose from: 1/3 起, 2/3 天
    (re.compile(rf"(?<=[{_AROUND}])( ?){_FRACTION}(?! ?(?:{_UNITS}))"), _fraction),
    (re.compile(rf"(?<![\d/.第])(){_FRACTION}(?= ?(?:左右|以上|以下))"), _fraction),
    (re.compile(r"(?<![\d/.第])()(\d)/(\d|10)(?= ?的)"), _fraction),
    (re.compile(r"(?<=\d) ?\* ?(?=\d)"), "×"),
)
"""What stands between two numbers, or before one, and changes what they mean."""
_TO_OF_TIME = (
    (
        re.compile(rf"({_WEEKDAY}[一二三四五六日天末]){_DASH}(?={_WEEKDAY}[一二三四五六日天末]|[二三四五六日天](?![\u3400-\u9fff]))"),
        r"\1到",
    ),
    (re.compile(rf"({_DAY}){_DASH}(?={_DAY}(?!内))"), r"\1到"),
    (re.compile(rf"(?<=[点點分]){_DASH}(?={_WEEKDAY}|{_PART_OF_DAY}|{_DAY}(?!内)|\d{{1,2}} ?[点點])"), "到"),
    (re.compile(rf"({_N} ?((?:{_UNITS})+)){_DASH}(?={_N} ?\2)"), r"\1到"),
)
_TLD = r"(?:com|cn|net|org|io|top|shop|store|info|me|co|hk|tw)"
_CHINESE = (
    (re.compile(r"^ *(\d{1,2})[.、)）](?!\d) *", re.MULTILINE), _line),
    (re.compile(r"(?:https?://|www\.)[!-&(-;=?-Z_a-z~]+", re.IGNORECASE), _web),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[A-Za-z]"), _web),
    (re.compile(rf"(?<![A-Za-z0-9.])(?:[A-Za-z0-9-]+\.)+{_TLD}(?:/[!-&(-;=?-Z_a-z~]*)?(?![A-Za-z0-9])", re.IGNORECASE), _web),
    *_RELATIONS,
    (re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.年](\d{1,2})[-/.月](\d{1,2})(?:日|号|號|(?!\d))"), _date),
    (re.compile(r"(?<!\d)((?:19|20)\d\d)(?=年)"), lambda m: year(m.group(1))),
    (
        re.compile(rf"(?<!\d)(\d{{1,2}})[:：](\d\d) ?[{_RANGE}] ?(\d{{1,2}})[:：](\d\d)(?!\d)"),
        lambda m: f"{_clock(m.group(1), m.group(2))}到{_clock(m.group(3), m.group(4))}",
    ),
    (re.compile(r"(?<!\d)([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：][0-5]\d)?(?!\d)"), lambda m: _clock(m.group(1), m.group(2))),
    *_TO_OF_TIME,
    (re.compile(r"(?<![A-Za-z0-9])\+?\d{3,4}[- ]\d{3,4}(?:[- ]\d{3,4})+(?!\d)|(?<![A-Za-z0-9])0\d{2,3}-\d{7,8}(?!\d)"), _groups),
    (re.compile(rf"(?<![\w℃°%％.)）-])(?<!\d ){_MINUS}(?=[¥￥$]?{_N})(?!{_N} ?(?:{_COUNTS}))"), "负"),
    (re.compile(rf"({_N}) ?[%％] ?[{_RANGE}] ?({_N}) ?[%％]"), lambda m: f"百分之{_said(m.group(1))}到百分之{_said(m.group(2))}"),
    (re.compile(rf"({_N}) ?[%％]"), lambda m: f"百分之{_said(m.group(1))}"),
    (re.compile(rf"[¥￥] ?({_N}) ?[{_RANGE}] ?[¥￥]? ?({_N})(?![\d-])(?: ?元)?"), lambda m: f"{_span(m)}元"),
    (re.compile(rf"[¥￥] ?({_N})(?: ?元)?"), lambda m: f"{_said(m.group(1))}元"),
    (re.compile(rf"(?<![A-Za-z0-9-])({_N}) ?[{_RANGE}] ?({_N})(?![\d-])"), _span),
    (re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,3})(\d{1,2}\.\d{1,2})(?![\d.])"), lambda m: f"{m.group(1)}{_said(m.group(2))}"),
    (re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z-]*\d)(?=[\d-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"), _mixed),
    (re.compile(rf"(?<![\d.第])2 ?(?=(?:{_MEASURE}|[点點]))"), "两"),
    (re.compile(rf"({_N}) ?(?=(?:{_UNITS}))"), lambda m: _said(m.group(1))),
    (re.compile(r"(?<!\d)\d{5,}(?!\d)"), lambda m: one_by_one(m.group())),
    (re.compile(_N), lambda m: _said(m.group())),
)

# ---- English ----

_ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth")
_ENGLISH_SIGNS = str.maketrans(
    {
        **dict.fromkeys('「」『』“”"《》〈〉【】[]{}<>*#_|^`~～…·•', ""),
        **dict.fromkeys("（）()—–→⇒", ", "),
        **{"’": "'", "‘": "'", "&": " and ", "+": " plus ", "=": " equals ", "×": " times ", "@": " at ", "/": " or ", "%": " percent"},
    }
)
_SPELLED = {".": " dot ", "/": " slash ", "@": " at ", "-": " dash ", "_": " underscore ", ":": " ", "?": " ", "=": " ", "&": " ", "#": " "}


def _english(text: str) -> str:
    for pattern, said in _ENGLISH:
        text = pattern.sub(said, text)
    text = re.sub(r" +(?=[,.;:!?])", "", re.sub(r" {2,}", " ", text.translate(_ENGLISH_SIGNS)))
    return re.sub(r",(?=[^\s\d])", ", ", _tidy(text, comma=",", stop="."))


def _spelled(match: re.Match[str]) -> str:
    bare = re.sub(r"^https?://", "", match.group().rstrip("."))
    said = " ".join("".join(_SPELLED.get(char, char) for char in bare).split())
    return f" {said}" + ("." if match.group().endswith(".") else " ")


def _digits(match: re.Match[str]) -> str:
    return ", ".join(" ".join(group) for group in re.split(r"[- ]", match.group()))


def _english_clock(match: re.Match[str]) -> str:
    hours, minutes = int(match.group(1)), match.group(2)
    half = "a.m." if hours % 24 < 12 else "p.m."
    return f"{(hours - 1) % 12 + 1}{'' if minutes == '00' else ' ' + minutes} {half}"


def _english_line(match: re.Match[str]) -> str:
    number = int(match.group(1))
    return f"{_ORDINALS[number - 1]}, " if 1 <= number <= len(_ORDINALS) else match.group()


_ENGLISH = (
    (re.compile(r"^ *(\d{1,2})[.)] +", re.MULTILINE), _english_line),
    (re.compile(r"(?:https?://|www\.)[!-&(-;=?-Z_a-z~]+", re.IGNORECASE), _spelled),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[A-Za-z]"), _spelled),
    (re.compile(rf"(?<![A-Za-z0-9.])(?:[A-Za-z0-9-]+\.)+{_TLD}(?:/[!-&(-;=?-Z_a-z~]*)?(?![A-Za-z0-9])", re.IGNORECASE), _spelled),
    (re.compile(r"(?<![A-Za-z0-9])\+?\d{3,4}[- ]\d{3,4}(?:[- ]\d{3,4})+(?!\d)|(?<![A-Za-z0-9])0\d{2,3}-\d{7,8}(?!\d)"), _digits),
    (re.compile(r"(?<=\d) ?[–—~～] ?(?=\d)"), " to "),
    (re.compile(r"(?<![\d-])(\d{1,3})-(\d{1,3})(?![\d-])"), r"\1 to \2"),
    (re.compile(r"(?<!\d)([01]?\d|2[0-4]):([0-5]\d)(?!\d)"), _english_clock),
    (re.compile(rf"(?:CNY|¥|￥) ?({_N})"), r"\1 yuan"),
    (re.compile(r"(?<!\d)\d{5,}(?!\d)"), _digits),
    (re.compile(r"(?<![A-Za-z0-9])(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z0-9]{4,}(?![A-Za-z0-9])"), _digits),
)

# ---- other languages ----

_TO = {
    **{"ja": "から", "ko": "에서 ", "th": "ถึง", "ar": " إلى ", "ru": " до ", "fr": " à ", "de": " bis ", "es": " a ", "pt": " a "},
    **{"vi": " đến ", "id": " sampai "},
}
"""The word between two numbers of a range; a pause in a language that is not here."""
_OTHER_SIGNS = str.maketrans({**dict.fromkeys('「」『』“”„«»"《》〈〉【】[]{}<>*#|^`~～…•', ""), **dict.fromkeys("（）()—–→⇒", ", ")})
_OTHER = (
    (re.compile(r"^ *(\d{1,2})[.)] +", re.MULTILINE), r"\1, "),
    (re.compile(r"(?<![A-Za-z0-9])\+?\d{3,4}[- ]\d{3,4}(?:[- ]\d{3,4})+(?!\d)|(?<![A-Za-z0-9])0\d{2,3}-\d{7,8}(?!\d)"), _digits),
    (re.compile(r"(?<!\d)\d{7,}(?!\d)"), _digits),
)
_BETWEEN = (re.compile(r"(\d) ?[–—~～〜] ?(?=\d)"), re.compile(r"(?<![\d-])(\d{1,3})-(?=\d{1,3}(?![\d-]))"))


def _other(text: str, language: str) -> str:
    """Without signs, ranges in words, long numbers digit by digit."""
    for pattern, said in _OTHER:
        text = pattern.sub(said, text)
    for pattern in _BETWEEN:
        text = pattern.sub(rf"\1{_TO.get(language.partition('-')[0], ', ')}", text)
    bare = re.sub(r" +(?=[,.;:!?])", "", re.sub(r" {2,}", " ", text.translate(_OTHER_SIGNS)))
    text = _tidy(re.sub(", *$", "", bare, flags=re.MULTILINE), comma=",", stop="。" if language == "ja" else ".")
    return re.sub(r",(?=[^\s\d])", ", ", text)
