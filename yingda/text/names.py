"""Names of people after the words that announce one."""

from __future__ import annotations

import re
from collections.abc import Iterator

SURNAMES = (
    "王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱林何郭罗羅梁宋郑鄭韩韓唐冯馮董程曹袁邓鄧许許傅沈吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎閻"
    "余潘杜戴夏钟鍾汪田任姜范石姚谭譚廖邹鄒熊陆陸郝孔崔康邱秦江史顾顧侯邵孟龙龍段章钱錢汤湯尹黎易武乔喬贺賀赖賴龚龔庞龐樊殷施洪翟倪严嚴牛温"
    "芦蘆季俞鲁魯葛韦韋毕畢聂聶焦柳邢骆駱岳齐齊梅庄莊涂祁耿詹关關费費纪紀靳童欧歐甄裴祝翁霍柯阮桂闵閔卜饶饒彭肖闫陶覃"
)
RARE_SURNAMES = "高马馬于方谢謝安白文毛常万萬钱雷金时時向解管单單和都应應成车車曾尚全连連房游左申华華莫包盛付符满明原计計查路辛冷米麦麥"
_CLEAR = "高马馬方谢謝白毛万萬雷金曾尚游华華莫付辛麦麥冷文"
"""Rare ones that hardly begin another word."""
_DOUBLE = "欧阳歐陽司马司馬上官诸葛諸葛东方東方皇甫尉迟公孙公孫慕容令狐司徒夏侯"
COMPOUND = "|".join(_DOUBLE[place : place + 2] for place in range(0, len(_DOUBLE), 2))

_ANNOUNCED = (
    r"(?:我叫|我的名字是|我的名字叫|名字叫|名字是|姓名|收件人|收货人|收貨人|联系人|聯繫人|聯絡人|签收人|寄件人|(?<!用)户名|(?<!用)戶名|持卡人|机主|開戶名|开户名)"
    r"(?:姓名|名字)?"
)
_LINK = r"(?:改成|改为|换成|是|为|為|叫|:)"
_GIVEN = r"[\u4e00-\u9fff]"
_NEXT = (
    r"(?=$|[^\u4e00-\u9fff]|电话|電話|手机|手機|地址|号码|订单|身份证|先生|女士|小姐|同学|老师|联系|的|收|我|是|这|那|能|可以|吗|嗎|想|要|请|麻烦|"
    r"帮|了|吧|呢|啊|和|跟|在|来|住|购|买|下单|寄|发|货|昨|今|前|已|没|有|怎|为|改|不|也|一直|还|把|给|拿|投诉|申请|退)"
)
NO_NAMES = (
    "孙子|孙女|孙儿|孫|谢谢|謝謝|马上|方便|安排|关机|关闭|高兴|应该|應該|时间|時間|单独|明明|万一|任何|任意|金额|顾客|顧客|严重|全部|全都|都是|都不|成了|于是|原来|"
    "连我|和我|和电|和地|向我|计划|查不|查询|关于|关注|常用|安全|安装|毛病|白天|路上|文字|程序|许多|许久|温馨|易碎|单号|左右|包裹|包装|包邮|"
    "华为|金色|白色|黄色|费用|时候|明天|明年|左边|解决|管理|满意|游戏|房子|车子|连续|盛装|付款|付费|符合|申请|冷静|米色|钱款|钱包|金钱|章节|江湖|"
    "石头|牛奶|龙头|季节|童装|田间|夏天|夏季|秦皇|周一|周二|周三|周四|周五|周六|周日|周末|周天|周边|周年|何时|何必|康复|梅花|任务|胡乱|洪水|段时|陶瓷|肖像|都[是不能可行打有没要在给用发寄接收换]|金[融牌卡]|高[级清端]|方[式法]|白[送给]|万[能用]"
)
_FULL = rf"(?!{NO_NAMES})(?:(?:{COMPOUND}){_GIVEN}{{1,2}}?|[{SURNAMES}{RARE_SURNAMES}]{_GIVEN}{{1,2}}?)"
_SAFE = rf"(?!{NO_NAMES})(?:(?:{COMPOUND}){_GIVEN}{{1,2}}?|[{SURNAMES}]{_GIVEN}{{1,2}}?)"
_ANY = rf"(?!{NO_NAMES})(?:(?:{COMPOUND}){_GIVEN}{{1,2}}|[{SURNAMES}{RARE_SURNAMES}]{_GIVEN}{{1,2}})"
_FREE_BEFORE = r"(?:^|(?<=[ ,，。;；:、\x00\x01]))"

_PATTERNS = (
    # said outright: any surname, and three characters when nothing tells where the name ends
    re.compile(rf"{_ANNOUNCED} ?{_LINK} ?(?P<value>{_FULL}{_NEXT})"),
    re.compile(rf"{_ANNOUNCED} ?{_LINK} ?(?P<value>(?!{NO_NAMES})[{SURNAMES}{RARE_SURNAMES}]{_GIVEN}{{1,2}})"),
    re.compile(rf"{_ANNOUNCED} ?(?P<value>{_SAFE}{_NEXT})"),
    re.compile(rf"{_ANNOUNCED} ?(?P<value>(?!{NO_NAMES})[{_CLEAR}]{_GIVEN}{{1,2}})(?=$|[^\u4e00-\u9fff])"),
    re.compile(rf"{_ANNOUNCED} ?(?:写|寫|填|填写|写的是|填的是) ?(?P<value>{_SAFE}{_NEXT})"),
    re.compile(rf"(?:我叫|收件人|姓名|联系人) ?(?P<value>(?!{NO_NAMES})[{SURNAMES}]{_GIVEN}{{2}})"),
    re.compile(rf"{_ANNOUNCED} ?{_LINK}? ?(?P<value>[A-Z][a-z]{{1,15}}(?:[ ·][A-Z][a-z]{{1,15}}){{0,2}})"),
    re.compile(r"(?i:my name is|name ?:|recipient ?:) ?(?P<value>[A-Z][a-z]{1,15}(?: [A-Z][a-z]{1,15}){0,2})"),
    # in a block of delivery data: before or behind a telephone number, or 张三收
    re.compile(rf"{_FREE_BEFORE}(?P<value>{_ANY})[ ,，:]{{0,2}}(?=\x01)"),
    re.compile(rf"{_FREE_BEFORE}(?P<value>{_ANY})(?=收(?:$|[ ,，。;；\x00\x01]))"),
    re.compile(rf"(?<=[\x00\x01])[ ,，]{{0,2}}(?:请找|找|请联系|联系)(?P<value>{_FULL})(?=$|[^\u4e00-\u9fff])"),
    re.compile(rf"(?<=\x01)[ ,，:]{{0,2}}(?P<value>{_ANY})(?=$|[ ,，。;；、\x00\x01])"),
)


_CUED = (
    (re.compile("[叫名人主]"), _PATTERNS[:7]),
    (re.compile("(?i:name|recipient)"), _PATTERNS[7:8]),
    (re.compile("\x01"), _PATTERNS[8:9]),
    (re.compile("收"), _PATTERNS[9:10]),
    (re.compile("[\x00\x01]"), _PATTERNS[10:]),
)
"""Patterns with what must stand somewhere for any of them to hold; that is looked for first, for it costs less."""


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Bounds of each name in folded ``text``; they never overlap."""
    taken = bytearray(len(text))
    for cue, patterns in _CUED:
        if cue.search(text):
            for match in (match for pattern in patterns for match in pattern.finditer(text)):
                start, end = match.span("value")
                if not any(taken[start:end]):
                    taken[start:end] = b"\1" * (end - start)
                    yield start, end
