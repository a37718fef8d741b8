"""handoff.yaml: read whole, every mistake named with its line, and shown to people as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pack_kit import RETAIL
from yingda.decide.conversation import SHORT
from yingda.decide.handoff_table import as_markdown, counter_table, handoff_table
from yingda.decide.wording import Topic, wording_of
from yingda.domain.errors import PackError
from yingda.domain.handoff import HandoffPolicy, Route
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Reason
from yingda.pack import read_training
from yingda.pack.handoff import read_handoff
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import read_yaml
from yingda.text.normalise import normalise

DOCUMENT = Path(__file__).parents[2] / "docs" / "handoff.md"


def read(root: Path, text: str, skills: tuple[str, ...] = ()) -> HandoffPolicy:
    (root / "handoff.yaml").write_text(text, "utf-8")
    log = MistakeLog()
    tree = read_yaml(root, "handoff.yaml", log)
    policy = read_handoff(tree, log, skills=skills) if tree else HandoffPolicy()
    log.raise_if_any()
    return policy


def retail() -> HandoffPolicy:
    return read_retail(MistakeLog())


def read_retail(log: MistakeLog) -> HandoffPolicy:
    tree = read_yaml(RETAIL, "handoff.yaml", log)
    assert tree is not None
    policy = read_handoff(tree, log)
    log.raise_if_any()
    return policy


def test_a_file_that_says_nothing_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "version: 1\n") == HandoffPolicy()


def test_the_retail_pack_decides_as_the_specification_says() -> None:
    policy = retail()

    assert (policy.repeats, policy.dissatisfied, policy.out_of_scope, policy.undecided, policy.idle_hours) == (3, 2, 2, 2, 24)
    assert policy.routes[0] == Route(Reason.VIP, "vip", Priority.HIGH, ("supervisor",))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    text = """\
version: 1
counts: {repeats: 4}
idle_hours: 2
groups: {gold: 金牌组, boss: 主管}
routes:
  - {reason: vip, skill: gold, priority: medium, notify: [boss]}
  - {reason: complaint, skill: order}
words:
  person: {phrases: [喊ＫＥＦＵ], alone: [人]}
  negation: {refusing: [勿]}
"""
    policy = read(tmp_path, text, skills=("order",))

    assert (policy.repeats, policy.dissatisfied, policy.idle_hours) == (4, 2, 2)
    assert policy.routes == (Route(Reason.VIP, "gold", Priority.MEDIUM, ("boss",)), Route(Reason.COMPLAINT, "order"))
    assert policy.words.person.phrases == ("喊kefu",)
    assert policy.words.person.nouns == ()
    assert policy.words.complaint == HandoffPolicy().words.complaint
    assert policy.words.negation.refusing == ("勿",)
    assert policy.words.negation.denying == HandoffPolicy().words.negation.denying


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("version: 1\ncount: {}\n", 2, "unknown field 'count'"),
        ("version: 1\ncounts:\n  repeats: 0\n", 3, "field 'repeats' is 0; write a whole number from 1 to 1000"),
        ("version: 1\ncounts:\n  repeats: -1\n", 3, "field 'repeats' is -1"),
        ("version: 1\ncounts:\n  undecided: 2.5\n", 3, "field 'undecided' is 2.5"),
        ("version: 1\ncounts:\n  undecided: many\n", 3, "field 'undecided' must be a number"),
        ("version: 1\ncounts:\n  times: 2\n", 3, "unknown field 'times'"),
        ("version: 1\nidle_hours: 1001\n", 2, "field 'idle_hours' is 1001"),
        ("version: 1\ncounts: [1]\n", 2, "field 'counts' must be a mapping"),
        ("version: 1\nroutes:\n  - {reason: boredom}\n", 3, "field 'reason' is 'boredom'"),
        (
            "version: 1\nroutes:\n  - {reason: vip, skill: nobody}\n",
            3,
            "unknown group 'nobody'; correct it or add it to 'groups' in handoff.yaml",
        ),
        ("version: 1\nroutes:\n  - {reason: vip, notify: [nobody]}\n", 3, "unknown group 'nobody'"),
        ("version: 1\nroutes:\n  - {reason: vip, priority: now}\n", 3, "field 'priority' is 'now'"),
        ("version: 1\nroutes:\n  - {reason: vip}\n  - {reason: vip}\n", 4, "duplicate reason 'vip'"),
        ("version: 1\nwords:\n  persons: {}\n", 3, "unknown field 'persons'"),
        ("version: 1\nwords:\n  person:\n    phrases: [转人工, 轉人工]\n", 4, "duplicate word '轉人工'"),
        ("version: 1\nwords:\n  person:\n    phrases: ['！']\n", 4, "holds no letter or digit"),
        ("version: 1\nwords:\n  person:\n    phrases: [12315]\n", 4, "put it in quotes"),
        ("version: 1\nwords:\n  negation:\n    maybe: [也许]\n", 4, "unknown field 'maybe'"),
        ("routes: []\n", 1, "field 'version' is missing"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(PackError) as caught:
        read(tmp_path, text)

    (mistake,) = caught.value.mistakes
    assert mistake.line == line
    assert said in mistake.detail


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(PackError) as caught:
        read(tmp_path, "version: 1\ncounts: {repeats: 0}\nidle_hours: 0\nwords: {who: {}}\n")

    assert [mistake.line for mistake in caught.value.mistakes] == [2, 3, 4]


def test_the_document_shows_the_tables_of_the_retail_pack() -> None:
    document = DOCUMENT.read_text("utf-8")

    assert as_markdown(handoff_table(retail())) in document
    assert as_markdown(counter_table()) in document


def test_the_table_follows_the_settings() -> None:
    rows = handoff_table(HandoffPolicy(repeats=5, routes=()))

    assert ("同一个问题连续问到第 5 次", "repeated_question", "按意图", "按意图", "—") in rows
    assert len(rows) == 11


@pytest.mark.parametrize(
    ("name", "topic", "category", "longest"),
    [
        ("asks for a person", Topic.PERSON, "GENERAL_HUMAN", None),
        ("complaint", Topic.COMPLAINT, "COMPLAINT", None),
        ("account security", Topic.SECURITY, "ACCOUNT_SECURITY", None),
        ("dissatisfied", Topic.DISSATISFIED, "GENERAL_UNRESOLVED", SHORT),
        ("satisfied", Topic.SATISFIED, "GENERAL_THANKS", SHORT),
    ],
)
def test_the_document_counts_the_words_as_they_hold(name: str, topic: Topic, category: str, longest: int | None) -> None:
    wording, own, others = wording_of(retail().words), list[bool](), list[bool]()
    for row in (row for rows in read_training(RETAIL).training.values() for row in rows):
        text = normalise(row.text)
        if longest is None or len(text) <= longest:
            (own if row.intent.startswith(category) else others).append(topic in wording.find(text).asserted)

    line = f"| {name} | {sum(own)} of {len(own)} | {sum(others)} | {10_000 * sum(others) / len(others):.1f} |"
    assert line in (Path(__file__).parents[2] / "docs" / "handoff.md").read_text("utf-8")
