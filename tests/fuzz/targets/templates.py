"""Templates: what is refused is refused with a reason, what is taken is filled as plain text and nothing more."""

from __future__ import annotations

from functools import cache

from tests.fuzz.source import Source, spoilt, text_of
from tests.pack_kit import TEMPLATES
from yingda.domain.errors import PackError
from yingda.domain.knowledge import Policy
from yingda.pack.exchange.entries import node_of
from yingda.pack.exchange.lines import parse_yaml, plain
from yingda.pack.mistakes import MistakeLog
from yingda.pack.templates import read_templates
from yingda.reply.check import MAX_CHARACTERS, check_template, is_plain
from yingda.reply.variables import fill, variables_of

KNOWN = frozenset({"称呼", "订单号", "答案", "name"})
POLICY = Policy({}, {"订单号": "客户的订单编号"})
SEEDS = [
    b"\x00" + "您好{称呼}，订单{订单号}：{答案}。".encode(),
    b"\x00" + "{{7*7}}{称呼.__class__}{0!r:>9}${x}<% %>".encode(),
    b"\x00<script>&lt;\xe2\x80\xae{name}",
    b"\x01" + bytes(range(40)),
    b"\x02" + TEMPLATES.encode()[:1500],
]
WORDS = ["{称呼}", "{订单号}", "{", "}", "${", "{%", "<script", "&lt;", "javascript:", "__class__", "!r", ":>"]
MOST_BYTES = 4096


def check(data: bytes) -> None:
    """Raise what must not be."""
    source = Source(data)
    way = source.byte() % 3
    if way == 0:
        _check_text(text_of(source.rest()))
    elif way == 1:
        _read(spoilt(_tree(), source))
    else:
        log = MistakeLog()
        tree = parse_yaml(source.rest(), log)
        if tree is not None:
            _read(plain(tree))


def _check_text(text: str) -> None:
    refused = check_template(text, KNOWN)
    assert all(reason.strip() for reason in refused)
    assert check_template(text, None) == [] or refused, "taken with names checked and refused without"
    values = {name: f"<{name}:{{称呼}}>" for name in KNOWN}
    filled = fill(text, values)
    if not refused:
        assert len(text) <= MAX_CHARACTERS
        assert set(variables_of(text)) <= KNOWN
        assert filled == _by_hand(text, values)
        assert is_plain(fill(text, dict.fromkeys(KNOWN, "x")))


def _by_hand(text: str, values: dict[str, str]) -> str:
    """As somebody would do it who reads from left to right."""
    pieces = text.split("{")
    return pieces[0] + "".join(values[name] + rest for name, _, rest in (piece.partition("}") for piece in pieces[1:]))


def _read(tree: object) -> None:
    log = MistakeLog()
    try:
        found = read_templates(node_of(tree), POLICY, log)
        log.raise_if_any()
    except PackError as error:
        assert error.mistakes
        return
    for template in found.outcomes.values():
        for texts in (template.greeting, template.confirm, template.solution, template.next, template.closing):
            assert all(check_template(text, None) == [] for text in texts.values())


@cache
def _tree() -> object:
    tree = parse_yaml(TEMPLATES.encode(), MistakeLog())
    assert tree is not None
    return plain(tree)
