"""Messages by recipe for the audit: each label has words of its own, so a wrong label can be told."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.pack_kit import write_pack
from training.audit.rows import AuditRow

WORDS = {
    "ship-when": ("几时发货", "多久出库", "何时寄出", "仓库发了没"),
    "cancel-how": ("取消订单", "不想要了", "撤单", "别发了退掉"),
    "coupon-get": ("优惠券在哪领", "券怎么拿", "领券", "抵扣券入口"),
    "invoice-new": ("开发票", "发票抬头", "电子发票", "要张票报销"),
    "repair-how": ("坏了保修", "维修点", "修理要钱吗", "返厂检修"),
    "login-code": ("验证码没来", "登录不上", "密码忘了", "账号登录"),
}
INTENT_OF = {entry: entry.split("-")[0].upper() for entry in WORDS}
GOODS = ("水杯", "拖把", "耳机", "台灯", "书包", "毛衣", "键盘", "雨伞", "锅", "茶叶", "袜子", "闹钟", "凉席", "鱼竿", "画笔")
BEFORE, AFTER = ("你好", "亲", "请问", "那个", "麻烦", "急", "在吗", "老板"), ("呢", "啊", "谢谢", "呀", "吗", "哈", "快点", "。")


def message(generator: random.Random, entry: str) -> str:
    """A message that says what ``entry`` is about."""
    return "".join(map(generator.choice, (BEFORE, GOODS, WORDS[entry], AFTER))) + str(generator.randrange(1000))


def audit_rows(*, each: int = 30, seed: int = 1, is_log: bool = False, first: int = 1) -> list[AuditRow]:
    """``each`` rightly labelled messages for every label."""
    generator = random.Random(seed)
    texts = {entry: [message(generator, entry) for _ in range(each)] for entry in WORDS}
    pairs = [(entry, text) for entry, found in texts.items() for text in found]
    where = "log" if is_log else "train-1.jsonl"
    return [
        AuditRow(f"{where}:{line}", text, text, INTENT_OF[entry], entry, (), is_log)
        for line, (entry, text) in enumerate(pairs, start=first)
    ]


def mislabelled(rows: Sequence[AuditRow], numbers: Sequence[int], *, seed: int = 2) -> list[AuditRow]:
    """``rows`` with another entry's label at ``numbers``."""
    generator = random.Random(seed)
    changed = list(rows)
    for number in numbers:
        wrong = generator.choice([entry for entry in WORDS if entry != rows[number].label])
        changed[number] = replace(rows[number], label=wrong, intent=INTENT_OF[wrong])
    return changed


@dataclass(frozen=True)
class FakeLog:
    """A row of an imported log."""

    text: str
    intent: str | None = "SHIP"
    faq: str | None = None
    faq_known: bool = False
    also: tuple[str, ...] = ()
    source: str = "chat.csv:2"


class Silent:
    """Progress that is counted and not shown."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def begin(self, name: str, total: int) -> Callable[[int], None]:
        self.done[name] = -total

        def tick(count: int) -> None:
            self.done[name] += count

        return tick


def audit_pack(root: Path, *, extra: Sequence[str] = ()) -> Path:
    """The small pack with 120 training messages of two entries, and ``extra`` lines."""
    generator = random.Random(5)
    lines = [
        json.dumps(
            {"text": message(generator, entry), "intent": INTENT_OF[entry], "faq": entry, "sentiment": "neutral"}, ensure_ascii=False
        )
        for entry in ("ship-when", "cancel-how")
        for _ in range(60)
    ]
    return write_pack(root, {"utterances/train-1.jsonl": "\n".join(dict.fromkeys([*lines, *extra])) + "\n"})
