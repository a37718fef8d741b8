"""The labelled messages, and what the recognisers find of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from evaluation.privacy import LABELLED, PRECISION, RECALL, Message, examine, main, read_messages, wilson
from yingda.domain.errors import MaterialError
from yingda.text.masking import Item, find_items

ROOT = Path(__file__).parents[2]


def test_the_set_is_large_enough_and_its_halves_share_no_message() -> None:
    dev, test = (read_messages(ROOT / LABELLED, split) for split in ("dev", "test"))

    for half in (dev, test):
        assert len(half) >= 300
        assert sum(not message.items for message in half) >= 100
        kinds = Counter(item.kind for message in half for item in message.items)
        assert len(kinds) >= 13 and min(kinds.values()) >= 18
    assert not {message.text for message in dev} & {message.text for message in test}


def test_every_label_bounds_text() -> None:
    for message in (*read_messages(ROOT / LABELLED, "dev"), *read_messages(ROOT / LABELLED, "test")):
        ends = [0, *(place for item in message.items for place in (item.start, item.end)), len(message.text)]
        assert ends == sorted(ends)
        assert all(message.text[item.start : item.end].strip() for item in message.items)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_targets_are_met(split: str) -> None:
    every = examine(read_messages(ROOT / LABELLED, split)).every.fields()

    assert every["precision"] >= PRECISION
    assert every["recall"] >= RECALL


def test_counts_tell_found_false_missed_and_visible_apart() -> None:
    message = Message("abc defg", (Item("姓名", 0, 3), Item("手机号", 4, 8)))

    def find(_: str) -> list[Item]:
        return [Item("姓名", 0, 3), Item("地址", 4, 7)]

    result = examine([message], find)

    every = result.every
    assert (every.found, every.false, every.missed, every.visible) == (1, 1, 1, 1)
    assert result.kinds["地址"].false == 1 and result.kinds["手机号"].missed == 1
    assert result.kinds["地址"].fields()["recall"] is None
    assert len(result.wrong) == 1


def test_intervals_are_wilsons() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)
    assert wilson(0, 0) is None


def test_the_command_prints_and_says_by_its_code_whether_targets_are_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.jsonl"
    rows = [{"text": "电话13800138000", "items": [[2, 13, "手机号"]], "split": "test"}, {"text": "你好", "items": [], "split": "test"}]
    rows.append({"text": "你好", "items": [[0, 2, "姓名"]], "split": "dev"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    assert main(["--labelled", str(path)]) == 0
    assert "手机号" in capsys.readouterr().out
    assert main(["--labelled", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"]["all"]["labelled"] == 1
    assert main(["--labelled", str(path), "--split", "dev"]) == 1
    assert main(["--labelled", str(tmp_path / "none.jsonl")]) == 2


def test_a_broken_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text('{"text": 7}\n', "utf-8")

    with pytest.raises(MaterialError, match="cannot be read as labelled messages"):
        read_messages(tmp_path / "set.jsonl", "dev")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("电话13800138000，邮箱a1@example.com", [("手机号", "13800138000"), ("邮箱", "a1@example.com")]),
        ("张三，138\u200b0013\u200b8000", [("姓名", "张三"), ("手机号", "138\u200b0013\u200b8000")]),
        ("税号91330106MA2X1AB12C", [("统一社会信用代码", "91330106MA2X1AB12C")]),
    ],
)
def test_items_are_bounded_in_the_text_as_it_was_written(text: str, items: list[tuple[str, str]]) -> None:
    assert [(item.kind, text[item.start : item.end]) for item in find_items(text)] == items
