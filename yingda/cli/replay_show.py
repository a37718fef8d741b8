"""A replay as people read it: Chinese first, English second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from yingda.replay.records import Seen
from yingda.replay.report import ASPECTS, Difference, Example
from yingda.replay.verify import Verification

_NAMES = {"served": "当时 served", "current": "现行 current", "changed": "改后 changed"}
_CHINESE = (
    *("结果", "条目", "意图", "情感", "转人工原因", "技能组", "优先级", "标签", "通知"),
    *("所缺信息", "二次回应", "模板", "被拦截", "回复"),
)
_ASPECTS = dict(zip(ASPECTS, _CHINESE, strict=True))
_IN_BRIEF = frozenset({"outcome", "entry", "reasons", "skill", "reply"})
_MOST_INTENTS = 15
_MOST_REPLY = 120


def as_tables(difference: Difference, *, mask: Callable[[str], str]) -> Iterator[Table]:
    """Counts, intents and examples; texts go through ``mask`` once more."""
    yield _counts(difference)
    if difference.changed:
        yield _aspects(difference)
        yield _intents(difference)
        for kind, examples in difference.examples.items():
            yield _examples(kind, examples, mask)


def verification_lines(found: Verification) -> Iterator[str]:
    """What a verification says, a line each; ids of turns and no texts."""
    if found.holds and not found.compared:
        yield "未验证 NOT VERIFIED: 没有一条消息可与当时比较 nothing could be compared with what was served"
        yield "这些消息不是由这个模型包及其知识决定的 none was decided by this bundle and knowledge; see --bundle, --store and --pack"
        verdict = "两次重放相同 both replays agree"
    else:
        same = "一致，未保存的内容除外 the same, but for what is not stored" if found.wording or found.masked else "一致 identical"
        verdict = same if found.holds else "不一致 differs"
    yield f"{verdict}: {found.turns} 条消息重放两次 turns replayed twice, {found.compared} 条与当时比较 compared with what was served"
    if found.rebuilt:
        yield f"其中 {found.rebuilt} 条按当时的知识 of these, by the knowledge in force then: {found.rebuilt}"
    told = (
        ("两次重放不同 unstable", found.unstable),
        ("与当时不同 differs from served", found.deviating),
        ("决定相同、措辞不同（姓名和上下文不保存）same decision, other words (names and context are not stored)", found.wording),
        ("脱敏后重放，与当时不同 decided again masked, differs from served", found.masked),
    )
    for name, ids in told:
        if ids:
            yield f"{name} {len(ids)}: {', '.join(ids[:10])}{' …' if len(ids) > 10 else ''}"


def _counts(difference: Difference) -> Table:
    before, after = (_NAMES.get(name, name) for name in (difference.before_name, difference.after_name))
    title = f"{difference.turns} 条消息 turns，{difference.conversations} 个会话 conversations，{difference.changed} 条有变化 change"
    table = Table(box=SIMPLE, title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for name in (before, after, "变化 change"):
        table.add_column(name, justify="right")
    for outcome in sorted({*difference.before.outcomes, *difference.after.outcomes}):
        _row(table, f"结果 {outcome}", difference.before.outcomes.get(outcome, 0), difference.after.outcomes.get(outcome, 0))
    _row(table, "转人工次数 hand-offs", difference.before.handoffs, difference.after.handoffs)
    for reason in sorted({*difference.before.reasons, *difference.after.reasons}):
        _row(table, f"  {reason}", difference.before.reasons.get(reason, 0), difference.after.reasons.get(reason, 0))
    _row(table, "坐席分钟 agent minutes", round(difference.before.minutes), round(difference.after.minutes))
    return table


def _row(table: Table, name: str, before: int, after: int) -> None:
    table.add_row(Text(name), f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "")


def _aspects(difference: Difference) -> Table:
    table = Table(box=SIMPLE, title="变化之处 what changes", title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("消息 turns", justify="right")
    for name, count in difference.aspects.items():
        if count:
            table.add_row(_aspect(name), f"{count:,}")
    return table


def _aspect(name: str) -> str:
    return f"{_ASPECTS[name]} {name.replace('_', ' ')}"


def _intents(difference: Difference) -> Table:
    table = Table(box=SIMPLE, title="按意图 by intent", title_justify="left", title_style="bold")
    for name in ("意图 intent", "消息 turns", "变化 change", "回答 answered", "转人工 handed off"):
        table.add_column(name, justify="left" if name.startswith("意图") else "right")
    for row in difference.intents[:_MOST_INTENTS]:
        answered, handed_off = (f"{was:,} → {now:,}" for was, now in (row.answered, row.handed_off))
        table.add_row(Text(row.intent), f"{row.turns:,}", f"{row.changed:,}", answered, handed_off)
    return table


def _examples(kind: str, examples: tuple[Example, ...], mask: Callable[[str], str]) -> Table:
    kind = _aspect(kind) if kind in _ASPECTS else kind
    table = Table(box=SIMPLE, title=f"例 examples: {kind}", title_justify="left", title_style="bold", show_lines=True)
    for name in ("消息 message", "之前 before", "之后 after"):
        table.add_column(name, overflow="fold", ratio=1)
    for example in examples:
        said = (_brief(seen, example.aspects, mask) for seen in (example.before, example.after))
        table.add_row(Text(f"{mask(example.turn.text)}\n{example.turn.turn_id}"), *map(Text, said))
    return table


def _brief(seen: Seen, aspects: Sequence[str], mask: Callable[[str], str]) -> str:
    """What was decided, all in which the two differ among it, and the reply."""
    decided = " ".join(filter(None, (seen.outcome, seen.entry, ", ".join(seen.reasons), seen.skill)))
    more = (f"{_aspect(name)}: {_word(getattr(seen, name))}\n" for name in aspects if name not in _IN_BRIEF)
    reply = mask(seen.reply).replace("\n", " ")
    return f"{decided}\n{''.join(more)}{reply[:_MOST_REPLY]}{'…' if len(reply) > _MOST_REPLY else ''}"


def _word(value: object) -> str:
    found = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    return found or "–"
