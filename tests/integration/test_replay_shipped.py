"""Decisions of the shipped bundle made again by the same versions: equal in every field of the record, and in every bit of a score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.privacy_kit import a_key_file
from tests.replay_store_kit import render
from tests.store_kit import empty_copy
from yingda.assemble import open_engine
from yingda.cli.main import run
from yingda.dialogue import Dialogue, Request, Told, turn_record
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Timing
from yingda.domain.message import Channel, Customer, Message, Tier
from yingda.engine import Engine
from yingda.privacy.sealing import sealing
from yingda.replay.explain import Explained, Replayed, TextRead, explain_turn
from yingda.replay.history import past_turns
from yingda.replay.originals import Originals, is_masked
from yingda.replay.run import Run, replay
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.records import StoredTurn
from yingda.store.vault import read_vault

ROOT = Path(__file__).parents[2]
BUNDLE, PACK = ROOT / "models/current", ROOT / "data/packs/retail"
START = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
UNTIMED = Timing(0.0, 0.0, 0.0, 0.0)
RELEASE = "RELEASE"


@dataclass(frozen=True)
class Talk:
    """What a customer wrote, one message after the other; RELEASE is where a person gave the conversation back."""

    texts: Sequence[str]
    channel: Channel = Channel.WEB
    tier: Tier | None = None
    language: str | None = None


TALKS: Mapping[str, Talk] = {
    "plain": Talk(("你好呀", "我昨天拍的东西大概哪天能寄出来", "那运费要自己出吗", "好的谢谢啦")),
    "returns": Talk(("买的裤子穿着紧，想退掉", "要保留吊牌不", "钱几天能回到我账上", "还是没看懂怎么操作"), Channel.APP),
    "repeats": Talk(("包裹怎么还不动", "我的包裹一直不动是怎么回事", "包裹到底动不动"), Channel.WECHAT),
    "vip": Talk(("你们这服务太差劲了，我要投诉你们", "现在就给我个说法"), tier=Tier.VIP),
    "person": Talk(("给我接个真人", "在不在", RELEASE, "发票抬头写错了能重开吗"), Channel.APP, Tier.POTENTIAL),
    "phone": Talk(("我手机号13800138000换了，账号里怎么改", "旧号码收不到验证码"), Channel.APP),
    "order": Talk(("我那单还没到，怎么查", "单号 DD202611020017", "20261102001734 这个也没到"), tier=Tier.NORMAL),
    "address": Talk(("收件地址填错了，改成杭州市西湖区文三路100号2幢301室，收件人王小明，电话13912345678",)),
    "name": Talk(("我叫李小雨，上周买的杯子碎了怎么赔",), Channel.EMAIL),
    "parcel": Talk(("顺丰SF1029384756102三天没更新了，丢了吗",), Channel.SMS),
    "card": Talk(("退到尾号不对的卡上了，我的卡是6222020200112230 007",), Channel.PHONE),
    "thief": Talk(("我的号好像被人盗了，有一笔不是我买的", "密码也改不了了")),
    "vague": Talk(("那个", "嗯……", "就是之前说的")),
    "far": Talk(("帮我写一首关于月亮的诗",)),
    "english": Talk(("Hi, when will you ship my parcel?", "can I return it if it does not fit"), Channel.WEB, None, "en"),
    "traditional": Talk(("請問可以開三聯式發票嗎",)),
    "japanese": Talk(("返品したいのですが、どうすればいいですか",)),
    "price": Talk(("刚买完就降价30块，能补差价吗", "那要是下个月又降呢"), tier=Tier.VIP),
    "emoji": Talk(("😡😡😡等了一个星期了！！！",)),
    "mixed": Talk(("先不退了，帮我换大一码吧", "13700137000这个号能联系我")),
}
"""Written for this test; forty messages of every channel and of many moods and lengths, some with personal data or numbers."""

SECRETS = (
    *("13800138000", "DD202611020017", "20261102001734", "文三路100号", "王小明", "13912345678"),
    *("李小雨", "SF1029384756102", "6222020200112230", "13700137000"),
)


class Keeping:
    """An engine that keeps its answers by message."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.answers = engine, dict[str, Answer]()

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """Those of the engine."""
        answers = self.engine.answer_many(messages, states)
        self.answers |= {str(message.message_id): answer for message, answer in zip(messages, answers, strict=True)}
        return answers


@dataclass(frozen=True)
class Shop:
    """A store of conversations with the keys of its originals, and what the engine itself had answered."""

    folder: Path
    url: str
    keys: Path
    answers: Mapping[str, Answer]

    def stored(self) -> list[StoredTurn]:
        """Every turn as it is stored."""
        with closing(open_store(self.url)) as store:
            return list(SqlMemory(store).turns_since(START))

    def explained(self, engine: Engine, *, keys: Path | None) -> dict[str, Explained]:
        """The explanation of every turn that was masked, by its id, and of no other."""
        originals = Originals(read_vault(keys) if keys else None)
        with closing(open_store(self.url)) as store:
            memory = SqlMemory(store)
            masked = [turn for turn in memory.turns_since(START) if is_masked(turn.text)]
            return {turn.turn_id: explain_turn(engine, memory, turn, original=originals.of) for turn in masked}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shipped")
    url, keys, engine = f"sqlite:///{empty_copy(folder)}", a_key_file(folder), open_engine(BUNDLE, pack=PACK)
    answers: dict[str, Answer] = {}
    numbers = count(1)

    def rendered(engine: Any, answer: Answer, turn_id: str) -> Mapping[str, Any]:
        answers[turn_id] = answer
        return render(engine, answer, turn_id)

    with closing(open_store(url)) as store:
        memory = SqlMemory(store)
        dialogue = Dialogue(
            memory, render=rendered, record=sealing(turn_record, read_vault(keys)), new_id=lambda: f"01K{next(numbers):023d}"
        )
        for hour, (name, talk) in enumerate(TALKS.items()):
            customer = Customer(f"u-{hour}", tier=talk.tier) if talk.tier else None
            for minute, text in enumerate(talk.texts):
                at = START + timedelta(hours=hour, minutes=minute)
                if text == RELEASE:
                    memory.release(name, by="agent", at=at)
                    continue
                message = Message(text, channel=talk.channel, language=talk.language, conversation_id=name, customer=customer, at=at)
                dialogue.take(engine, [Request(message)])
    return Shop(folder, url, keys, answers)


@pytest.fixture(scope="module")
def again(shop: Shop) -> Keeping:
    """The same versions, opened anew, after they replayed every turn, many in a pass."""
    engine = Keeping(open_engine(BUNDLE, pack=PACK))
    with closing(open_store(shop.url)) as store:
        turns = past_turns(SqlMemory(store), since=START, original=Originals(read_vault(shop.keys)).of)
    for chunk in Run.of(turns).chunks:
        replay({"current": engine}, chunk)
    return engine


def untimed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without how long it took."""
    plain: dict[str, Any] = json.loads(json.dumps(record))
    assert set(plain.pop("timing_ms")) == {"total"} and plain["classification"].pop("timing_ms")
    return plain


def test_the_messages_are_of_many_kinds(shop: Shop) -> None:
    stored = shop.stored()

    assert len(stored) == len(shop.answers) == sum(text != RELEASE for talk in TALKS.values() for text in talk.texts)
    assert {"answered", "handoff"} < {turn.facts.outcome for turn in stored}
    assert any(step["step"] == "rule" for turn in stored for step in turn.answer["explanation"])
    assert sum(is_masked(turn.text) for turn in stored) >= 7
    assert not [secret for secret in SECRETS for turn in stored if secret in json.dumps([turn.text, turn.answer], ensure_ascii=False)]


def test_every_field_of_every_stored_record_comes_again(shop: Shop, again: Keeping) -> None:
    for turn in shop.stored():
        answer = again.answers[turn.turn_id]
        told = Told(turn.turn_id, render(again.engine, answer, turn.turn_id), answer)
        customer = Customer("other", tier=Tier(turn.facts.tier)) if turn.facts.tier else None
        masked = Message(turn.text, Channel(str(turn.facts.channel)), customer=customer, at=turn.at)
        record = turn_record(again.engine, Request(masked), answer, told, turn.conversation_id)

        assert untimed(record.answer) == untimed(turn.answer)
        assert record.state == turn.state
        assert record.text == turn.text
        # the customer's id is stored as a hash alone, and no replay knows it
        assert replace(record.facts, customer=turn.facts.customer) == turn.facts


def test_every_score_comes_again_to_the_last_bit(shop: Shop, again: Keeping) -> None:
    assert again.answers.keys() == shop.answers.keys()
    for turn_id, answer in shop.answers.items():
        found = again.answers[turn_id]
        for field in fields(Answer):
            first, second = (getattr(each, field.name) for each in (answer, found))
            if field.name == "classification":
                first, second = replace(first, timing=UNTIMED), replace(second, timing=UNTIMED)
            assert first == second, field.name


def test_with_the_originals_each_masked_decision_is_explained_as_it_was_made_and_none_is_shown(shop: Shop, again: Keeping) -> None:
    found = shop.explained(again.engine, keys=shop.keys)

    assert {(each.replayed, each.text_read) for each in found.values()} == {(Replayed.IDENTICAL, TextRead.ORIGINAL)}
    assert all(each.would_flip for each in found.values())
    assert not [secret for secret in SECRETS if secret in repr(found)]


def test_without_them_it_is_explained_by_the_masked_text_where_that_comes_to_the_same(shop: Shop, again: Keeping) -> None:
    found = shop.explained(again.engine, keys=None)

    assert {each.text_read for each in found.values()} == {TextRead.MASKED}
    assert Replayed.DIFFERS not in {each.replayed for each in found.values()}
    assert all((each.would_flip is None) == (each.replayed is Replayed.TEXT_MASKED) for each in found.values())
    assert any(each.would_flip for each in found.values())


def test_the_command_verifies_all_of_it(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["replay", "--verify", "--bundle", BUNDLE, "--pack", PACK, "--store", shop.url, "--vault-keys", shop.keys, "--json", "-"]
    with pytest.raises(SystemExit) as caught:
        run([str(each) for each in command])
    shown = capsys.readouterr()
    found = json.loads(shown.out)

    assert caught.value.code == 0
    assert (found["verified"], found["compared"], found["unstable"], found["deviating"]) == (True, len(shop.answers), [], [])
    assert not [secret for secret in SECRETS if secret in shown.out + shown.err]
