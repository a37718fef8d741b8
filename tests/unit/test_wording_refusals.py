"""Words that refuse a person, a complaint or a danger, and those that only look like it: what the retail pack's lists say."""

from __future__ import annotations

import pytest

from tests.conversation_kit import retail_words
from yingda.decide.framing import framing_of
from yingda.decide.wording import SILENT, Mentions, Topic, Wording, wording_of
from yingda.domain.handoff import Negation, WordList, Words
from yingda.text.normalise import normalise


def found(text: str) -> Mentions:
    return wording_of(retail_words()).find(normalise(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "我没让你转人工",
            "我没有要转人工",
            "没说要人工",
            "我没说转人工",
            "没有让你们转人工",
            "我没叫你找人工",
            "没打算转人工",
            "没点转人工",
        ),
        *(
            "人工不用",
            "人工先不用",
            "人工不用，运费多少",
            "人工不用 运费多少",
            "转人工不用了啊",
            "人工先等等",
            "人工暂时不需要。",
            "转人工没必要吧",
        ),
        *("转人工就不必了，多久到账", "人工就算了", "人工就不必了", "人工就不要了", "人工还是算了", "人工不用谢谢", "人工客服就不用了"),
        *("转人工取消", "取消转人工", "取消刚才的转人工", "取消一下转人工", "转人工取消一下", "把转人工撤销了"),
        *("毋须转人工", "毋須轉人工", "无需人工", "用不着人工", "犯不着转人工", "何必转人工呢", "不一定非要转人工", "没有必要转人工"),
        *("先不转人工", "不用给我转人工了", "别转人工", "不想转人工", "不太想转人工", "不希望转人工", "我拒绝转人工", "不用你们转人工"),
        *("谁让你转人工了", "谁要人工啊", "谁说要转人工", "我什么时候说要转人工了", "我没让你们领导来"),
        *("我没找人工", "我没有转人工啊", "别动不动就转人工", "别老是转人工", "不用现在转人工", "不要直接转人工", "别把我转给人工"),
        *("I don't need an agent", "no need for a human", "not asking for a human", "I didn't ask for an agent", "human agent not needed"),
        *(
            "I don't want to speak to an agent",
            "no need to speak with a human",
            "please don't connect me to a human",
            "no need for a representative",
        ),
    ],
)
def test_a_person_is_refused(text: str) -> None:
    mentions = found(text)

    assert Topic.PERSON in mentions.denied
    assert Topic.PERSON not in mentions.asserted


@pytest.mark.parametrize(
    "text",
    [
        *("不用机器人，转人工", "不要机器人回复了，要人工", "要人工不要机器人", "要人工别转来转去", "不用说了转人工", "不麻烦的话转人工"),
        *("别老说这个了转人工", "不会弄给我转人工", "没想到还要转人工", "没让你说这个，转人工", "不是马上转人工吗", "我没找到你，转人工"),
        *("不用 直接转人工", "取消失败转人工", "别转圈了转人工", "谁让你乱答，转人工", "我不愿意，转人工", "没点反应转人工"),
        *("你不会转人工吗", "你不会不转人工吧", "怎么还没转人工", "为什么不给我转人工", "怎么不转人工", "还不转人工", "难道不转人工吗"),
        *(
            "不转人工我就投诉",
            "不是让你转人工吗",
            "我没说转人工吗",
            "没让你转人工吗",
            "谁让你不转人工的",
            "谁能帮我转人工",
            "你们拒绝转人工",
        ),
        *(
            "取消订单，转人工",
            "我要取消订单转人工",
            "转人工取消订单",
            "我要找人工取消",
            "找人工取消吧",
            "帮我人工取消一下",
            "取消机器人，转人工",
        ),
        *("还是转人工算了", "转人工不用排队吧", "转人工不用钱吧", "我说转人工不转", "没有要转人工的选项吗", "怎么没有转人工的按钮"),
        *("还没让你们领导联系我", "没叫你们经理来吗", "if you don't connect me to a human I will sue you", "human agent needed"),
    ],
)
def test_a_request_beside_words_of_refusal_stays_one(text: str) -> None:
    mentions = found(text)

    assert Topic.PERSON in mentions.asserted
    assert Topic.PERSON not in mentions.denied


@pytest.mark.parametrize(
    "text",
    [
        *(
            "没有人工吗",
            "没人工吗",
            "人工不用排队吗",
            "人工不用等吧",
            "人工不用?",
            "系统取消不了，能不能人工取消",
            "订单被客服取消了，怎么回事",
        ),
        *(
            "需要找客服吗",
            "要找客服才能退吗",
            "之前找客服说了",
            "周末人工客服在吗",
            "客服在吗",
            "你好客服",
            "有客服吗",
            "人呢",
            "需要人工审核吗",
        ),
    ],
)
def test_a_person_is_neither_asked_for_nor_refused(text: str) -> None:
    assert Topic.PERSON not in found(text).asserted | found(text).denied


@pytest.mark.parametrize(
    "text",
    [
        *("我想找客服", "我要找客服", "我要客服", "帮我找个客服", "找下人工", "联系人工", "我想和人工聊", "我需要人工", "联系客服"),
        *("人工客服在吗", "你好，人工客服在吗？", "人工在吗", "客服呢人呢", "我想找客服问下运费", "呼叫人工客服", "能让人工联系我吗"),
    ],
)
def test_a_person_is_asked_for_plainly(text: str) -> None:
    assert Topic.PERSON in found(text).asserted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "不会投诉你们的，就问问运费",
            "我不会投诉",
            "不会去投诉的",
            "不会再投诉了",
            "解决了我就不会投诉",
            "不会举报你们",
            "我不会起诉你们的",
        ),
        *("没想投诉", "没打算投诉你们", "没有要投诉", "我没说要投诉", "何必投诉呢", "谁说我要投诉", "不准备投诉", "投诉取消", "投诉先不用"),
    ],
)
def test_a_complaint_is_taken_back(text: str) -> None:
    mentions = found(text)

    assert Topic.COMPLAINT in mentions.denied
    assert Topic.COMPLAINT not in mentions.asserted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "不投诉不行了",
            "不得不投诉",
            "不会是不让投诉吧",
            "别以为我不会投诉",
            "你以为我不会投诉吗",
            "我不会投诉吗",
            "谁说我不会投诉",
            "难道我不会投诉",
        ),
        *("不会不投诉的", "你觉得我不敢投诉吗", "你们不会不给投诉吧", "你们不会处理投诉吗", "不转人工我就投诉", "我要投诉取消订单的客服"),
        *("我要起诉", "我要起诉你们", "三天不答复我就起诉", "法院见", "准备走法律程序", "走法律途径解决", "我要去法院告你们", "起诉商家"),
        *(
            "我要报警",
            "我已经报警了",
            "我报警了",
            "再不退我就报警",
            "把钱还我，不然报警",
            "我报警抓你们",
            "I will sue you",
            "see you in court",
        ),
    ],
)
def test_a_complaint_or_a_threat_is_made(text: str) -> None:
    assert Topic.COMPLAINT in found(text).asserted


@pytest.mark.parametrize(
    "text",
    [
        *("报警器怎么用", "烟雾报警器有货吗", "我要报警器", "我要报警功能的门锁", "我要报警那款", "门磁报警怎么关", "家里烟感报警了怎么关"),
        *("起诉书", "我要起诉书模板", "机器老报警怎么办", "隔壁装修能报警吗", "does the alarm call the police"),
    ],
)
def test_an_alarm_or_a_paper_is_no_threat(text: str) -> None:
    assert found(text) is SILENT


@pytest.mark.parametrize(
    "text",
    [
        *(
            "账号没被盗",
            "我的号没有被盗，就问下怎么改密码",
            "幸好没被人盗",
            "信息没被泄露",
            "号没被黑",
            "没人盗我号",
            "没有盗号",
            "账号还没被盗刷",
        ),
        *("my account was not hacked", "my account wasn't hacked", "it hasn't been hacked", "my account is not compromised"),
    ],
)
def test_a_danger_is_denied(text: str) -> None:
    mentions = found(text)

    assert Topic.SECURITY in mentions.denied
    assert Topic.SECURITY not in mentions.asserted


@pytest.mark.parametrize(
    "text",
    [
        *("账号被盗了没人管", "号没被盗，但是我的钱被盗刷了", "我的卡不会被盗刷了吧", "账号被盗怎么没人处理", "my account has been hacked"),
    ],
)
def test_a_danger_beside_a_negation_stays_one(text: str) -> None:
    assert Topic.SECURITY in found(text).asserted


@pytest.mark.parametrize("text", ["我号没被盗吧", "账号没有被盗吗", "看看我的号有没有被盗", "没泄露密码钱却没了", "以前没被盗过"])
def test_a_worry_denies_no_danger(text: str) -> None:
    assert Topic.SECURITY not in found(text).denied


@pytest.mark.parametrize("text", ["你不会讲人话吗", "你不会理解错了吧", "不会说人话"])
def test_what_the_bot_will_not_do_is_no_denial(text: str) -> None:
    assert Topic.DISSATISFIED in found(text).asserted


def test_an_end_takes_back_only_what_its_clause_ends_with() -> None:
    words = Words(negation=Negation(ends=("不用",)))

    assert Wording(words).find("人工不用了,运费多少").denied == {Topic.PERSON}
    assert Wording(words).find("人工不用排队吗") is SILENT
    assert framing_of(words).question("人工不用,运费多少") == "运费多少"
    assert framing_of(words).question("人工不用排队吗,运费多少") == "人工不用排队吗,运费多少"


def test_lacking_words_take_back_a_noun_of_anything_but_a_person() -> None:
    words = Words(security=WordList(nouns=("被盗",)), person=WordList(nouns=("人工",)), negation=Negation(lacking=("没",)))

    assert Wording(words).find("账号没被盗").denied == {Topic.SECURITY}
    assert Wording(words).find("没人工") is SILENT
