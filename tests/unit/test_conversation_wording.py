"""What a message asks for in so many words, and what it takes back."""

from __future__ import annotations

from time import perf_counter

import pytest

from tests.pack_kit import RETAIL
from yingda.decide.wording import SILENT, Topic, Wording, wording_of
from yingda.domain.handoff import Negation, WordList, Words
from yingda.pack.handoff import read_handoff
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import read_yaml


def retail() -> Wording:
    log = MistakeLog()
    tree = read_yaml(RETAIL, "handoff.yaml", log)
    assert tree is not None
    return wording_of(read_handoff(tree, log).words)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "转人工",
            "我要找人工客服",
            "人工",
            "人工！人工！！",
            "人工呢？",
            "不要机器人，给我转人工",
            "不用了，转人工",
            "怎么不转人工",
            "要不要转人工",
        ),
        *(
            "为什么还不转人工",
            "没有人工吗？给我转人工",
            "别再让机器人糊弄我，转人工",
            "I want a human agent",
            "Talk to a person please",
            "agent",
        ),
        *("为什么不给我转人工", "凭什么不转人工", "还不转人工", "再不转人工我就投诉", "老是不转人工", "都不给转人工", "就不转人工是吧"),
        *("让你们领导来", "叫你们经理来", "我要和经理谈", "让负责人联系我", "有人工客服吗", "I dont want a bot", "I don’t want a bot"),
        *("customer service representative please", "叫个人来", "换个人来跟我聊", "取消订单转人工", "订单取消 转人工", "特别想转人工"),
    ],
)
def test_a_person_is_asked_for(text: str) -> None:
    assert Topic.PERSON in retail().find(text).asserted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "不用转人工了 我自己看",
            "不要人工",
            "先别转人工",
            "别转人工",
            "不需要人工客服",
            "无需转接人工",
            "不想找人工",
            "不用帮我转人工",
            "不用再找人工了",
        ),
        *(
            "没要转人工",
            "不找人工，告诉我号码",
            "人工不急着要",
            "不用麻烦你转人工",
            "I don't need a human agent",
            "no need to talk to a person",
        ),
        *("那就不用转人工了", "也不用转人工,运费多少", "能不能不用转人工就退款", "我要退货,不要转人工,也不是投诉,就问运费", "取消转人工"),
        *("别给我转人工了,烦死了", "还不用转人工", "如果不想转人工呢", "这个不用转人工", "觉得不用转人工", "不用转人工是吧"),
    ],
)
def test_a_person_is_refused(text: str) -> None:
    mentions = retail().find(text)

    assert Topic.PERSON in mentions.denied
    assert Topic.PERSON not in mentions.asserted


@pytest.mark.parametrize(
    "text",
    [
        *("人工智能专业好就业不", "换个屏人工费要多少", "你们人工几点上班", "不要机器", "没有人工", "your agents are great", "humane"),
        *(
            "叫个人来安装空调",
            "找个人来修",
            "换个人来取快递行吗",
            "退款需要人工审核多久",
            "人工呢子大衣",
            "找主管护师教材",
            "human hair wig",
        ),
        *("real human hair wig", "找人工作", "your customer service was great"),
    ],
)
def test_what_only_looks_like_it_says_nothing_of_a_person(text: str) -> None:
    mentions = retail().find(text)

    assert Topic.PERSON not in mentions.asserted | mentions.denied


@pytest.mark.parametrize(
    "text",
    [
        *("我要投诉", "不投诉不行", "不得不投诉", "这不投诉说不过去", "你等着12315吧", "不退一赔三我带记者上门", "特别想投诉"),
        *("再不处理我就投诉", "不投诉你们不会处理是吧", "不投诉你们就不处理", "我要去黑猫投诉", "假一赔三兑现一下", "不是投诉是什么"),
    ],
)
def test_a_complaint_is_made(text: str) -> None:
    assert Topic.COMPLAINT in retail().find(text).asserted


@pytest.mark.parametrize(
    "text", ["你们支持假一赔三吗", "12315是什么", "投诉电话多少", "投诉建议在哪写", "是假一赔三吗", "假一赔三是什么意思"]
)
def test_a_question_about_complaints_makes_none(text: str) -> None:
    assert retail().find(text) is SILENT


@pytest.mark.parametrize(
    "text",
    [
        *("我不是来投诉的", "不是要投诉", "不是投诉，就问问", "别急着转投诉", "投诉就算了", "不投诉了，他送来了", "投诉先放放"),
        *("我也不是要投诉,就问下多久发货", "就不投诉了", "我也不想投诉", "还不至于投诉", "撤销投诉", "投诉撤销了", "怎么取消投诉"),
        *("再也不投诉了", "暂时还不想投诉"),
    ],
)
def test_a_complaint_is_taken_back(text: str) -> None:
    mentions = retail().find(text)

    assert mentions.denied == {Topic.COMPLAINT}
    assert mentions.asserted <= {Topic.SATISFIED}


def test_both_a_refusal_and_a_request_are_a_request() -> None:
    mentions = retail().find("不是来投诉的，转人工；不对，我就是要投诉")

    assert mentions.asserted >= {Topic.PERSON, Topic.COMPLAINT}
    assert not mentions.denied


@pytest.mark.parametrize(
    "text", ["我号被盗了", "这单不是我下的", "这不是我买的,也不是我下的", "收到扣款短信,不是我下的单", "我担心,号被盗了"]
)
def test_a_customer_tells_of_a_danger(text: str) -> None:
    assert Topic.SECURITY in retail().find(text).asserted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "收到的不是我买的东西",
            "不是我买的尺码,发错了",
            "是不是我下的单没成功",
            "不是我买的,是我老婆买的,能退吗",
            "我怕号被盗怎么设置密码",
        ),
        *("不是我下的单,是我老婆下的", "担心账号被盗怎么办", "要是号被盗咋办", "怎么防止账号被盗", "会不会信息泄露"),
    ],
)
def test_a_wrong_parcel_or_a_mere_fear_is_no_danger(text: str) -> None:
    assert Topic.SECURITY not in retail().find(text).asserted


@pytest.mark.parametrize(
    ("text", "satisfied"), [("解决了", True), ("弄好了谢谢", True), ("解决了吗", False), ("解决了没", False), ("找到了？", False)]
)
def test_satisfaction_is_said_and_not_asked(text: str, satisfied: bool) -> None:
    assert (Topic.SATISFIED in retail().find(text.replace("？", "?")).asserted) == satisfied


@pytest.mark.parametrize(
    ("text", "satisfied"),
    [
        *(("登上去了,谢谢啊", True), ("收到啦", True), ("不用了谢谢", True), ("知道怎么弄了", True), ("好了好了,多谢", True)),
        *(("好了没", False), ("修好了又坏了", False), ("到货了没", False), ("不好了", False), ("收到了,想退点哪个", False)),
        *(("找到了,但打不开", False), ("什么时候能弄好了", False), ("那就好了", False), ("谢谢", False), ("付款成功了但是没有订单", False)),
        *(("看到了,那多久能到?", False), ("got it, thanks", True), ("got it but how do i return it", False)),
        *(("懂了,谢谢", True), ("可以了,谢谢", True), ("好了谢谢", True), ("行了谢谢啊", True), ("会了,谢谢", True)),
        *(("solved, thank you", True), ("收到货了", True), ("收到货了好评有返现吗", False), ("看到了,但是不对", False)),
        *(("明白了,是不是要先寄回", False),),
    ],
)
def test_what_is_settled_is_said_to_the_end(text: str, satisfied: bool) -> None:
    assert (Topic.SATISFIED in retail().find(text).asserted) == satisfied


@pytest.mark.parametrize(
    "text",
    [
        *("没帮到我", "帮不上忙", "不是我要的", "没答到点上", "还是不会", "没讲明白", "看不懂", "你在说什么", "文不对题", "跟没说一样"),
        *("按你说的翻了个遍,没这玩意", "你是复制粘贴的吧", "that didn't work", "not helpful"),
        *("还没解决", "还没有解决我的问题", "还没回答我", "也没解决", "都不是", "以上都不对", "this is useless", "It did not help"),
    ],
)
def test_a_reply_that_did_not_help_is_told(text: str) -> None:
    assert Topic.DISSATISFIED in retail().find(text).asserted


@pytest.mark.parametrize("text", ["图看不懂", "手表收到了,怎么不管用", "按你们门店地址寄。没问题吧", "发错了吧,我点的不是这个"])
def test_a_matter_of_its_own_is_no_word_about_the_reply(text: str) -> None:
    assert Topic.DISSATISFIED not in retail().find(text).asserted


def test_a_gap_stays_within_its_sentence_and_its_length() -> None:
    words = Words(dissatisfied=WordList(phrases=("按你…没",)))

    assert Topic.DISSATISFIED in Wording(words).find("按你说的做了没").asserted
    assert Wording(words).find("按你说的。没") is SILENT
    assert Wording(words).find("按你" + "啊" * 9 + "没") is SILENT


def test_the_gap_of_an_exception_stays_within_its_clause() -> None:
    words = Words(security=WordList(phrases=("被盗",)), exceptions=("担心…被盗",))

    assert Wording(words).find("担心我的号被盗") is SILENT
    assert Topic.SECURITY in Wording(words).find("我很担心,号被盗了").asserted


def test_an_urging_word_makes_a_demand_of_a_bare_negation_only() -> None:
    words = Words(negation=Negation(refusing=("不用",), denying=("不",), urging=("还",)))

    assert Wording(words).find("还不转人工").asserted == {Topic.PERSON}
    assert Wording(words).find("还不用转人工").denied == {Topic.PERSON}


def test_what_is_refused_is_no_demand() -> None:
    words = Words(negation=Negation(refusing=("不用",), denying=("不",), despite=("是吧",)))

    assert Wording(words).find("不转人工是吧").asserted == {Topic.PERSON}
    assert Wording(words).find("不用转人工是吧").denied == {Topic.PERSON}


def test_a_negation_inside_an_exception_takes_nothing_back() -> None:
    words = Words(exceptions=("特别",), negation=Negation(refusing=("别",)))

    assert Wording(words).find("特别转人工").asserted == {Topic.PERSON}


def test_a_negated_satisfaction_takes_nothing_back() -> None:
    assert Topic.SATISFIED not in retail().find("勾不上了,页面登不上了").denied


def test_without_words_nothing_is_found() -> None:
    nothing = WordList()
    words = Words(nothing, nothing, nothing, nothing, nothing, (), Negation())

    assert Wording(words).find("转人工 我要投诉 没用") is SILENT


def test_looking_takes_no_longer_than_thirty_microseconds() -> None:
    wording, text = retail(), "你好我的订单到现在还没发货，不用转人工，麻烦快点处理一下，不是要投诉，就问问还要多久"

    def once() -> float:
        start = perf_counter()
        wording.find(text)
        return perf_counter() - start

    # the least of many, for other processes may take the processor; ten times the promise, for slow machines
    assert min(once() for _ in range(200)) < 300e-6
