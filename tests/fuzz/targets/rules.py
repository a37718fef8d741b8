"""Rule files: refused with RuleError or compiled, and then the engine runs every message through them."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.fuzz.source import Source, spoilt, text_of
from tests.rules_kit import INPUTS, KNOWN, OUTPUTS, SEEN, row, tree
from yingda.decide.rules import compile_rules
from yingda.domain.labels import Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Clock, RuleError

TABLE = tree(
    [
        row("a", tier="'vip'", sentiment="'angry'", priority="'high'", action="'handoff'", skill="'order'"),
        row("b", keywords="contains($, '投诉') and not contains($, '退款')", tags="'x', 'y'"),
        row("c", hour="[9..18)", weekday="in [1, 2]", confidence="< 0.5", repeats="> 2", intent="'SHIP'", template="'V1.0-物流查询模板'"),
    ]
)
PIECES = [
    *(
        "'vip'",
        '"SHIP"',
        "== ",
        "!= ",
        "> ",
        ">= ",
        "< ",
        "<= ",
        "in ",
        "not in ",
        "not ",
        "[",
        "]",
        "(",
        ")",
        "..",
        ",",
        " and ",
        " or ",
        "true",
    ),
    *(
        "false",
        "null",
        "contains($, '投诉')",
        "$",
        "'",
        '"',
        "`",
        "\\",
        "0",
        "1",
        "-1",
        "9.5",
        "1e9",
        "24",
        "0.5",
        "'high'",
        "'handoff'",
        "'order'",
    ),
    *(" ", "\n", "\u3000", "len($)", "#", "{", "}", "'x'", "date('2026-01-01')", "'angry'", "'wechat'", "'SHIP'", "'ORDER'", "'退款'"),
]
SEEDS = [bytes([way, *range(60)]) for way in range(2)] + [b"\x02" + json.dumps(TABLE).encode()[:3500], b"\x00\x03\x02\x00\x02\x14\x01"]
WORDS = ['"rules"', '"inputs"', '"_id"', '"content"', "decisionTableNode", "hitPolicy"]
MOST_BYTES = 4096
MESSAGES = [
    SEEN,
    replace(SEEN, tier=Tier.VIP, sentiment=Sentiment.ANGRY, keywords=("投诉", "发票"), channel=Channel.WECHAT, repeats=9, confidence=1.0),
    replace(SEEN, clock=Clock(23, 7, True, False), standing=True, undecided=200, intent="RUDE", category="COMPLAINT"),
]


def check(data: bytes) -> None:
    """Raise what must not be."""
    source = Source(data)
    way = source.byte() % 3
    if way == 0:
        text = json.dumps(_table(source))
    elif way == 1:
        text = json.dumps(spoilt(TABLE, source))
    else:
        text = text_of(source.rest())
    try:
        rules = compile_rules(text, known=KNOWN)
    except RuleError as error:
        assert error.mistakes
        assert all(str(mistake).isprintable() for mistake in error.mistakes), "a mistake is no plain line"
        return
    for message in MESSAGES:
        rules.evaluate(message)


def _table(source: Source) -> object:
    """A table whose cells are made of pieces of the language."""
    fields = [*INPUTS, *OUTPUTS]
    rows = []
    for number in range(1 + source.byte() % 6):
        cells = {}
        for _ in range(source.byte() % 5):
            cells[source.pick(fields)] = "".join(source.pick(PIECES) for _ in range(source.byte() % 7))
        rows.append(row(str(number), cells))
    return tree(rows)
