"""Preparing a tiny pack: every row lands in one part, with the text the engine will see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes_core import tiny_knowledge
from training.examples import Classes, Example
from training.logs.dataset import LogRow
from training.params import Params, load_params
from training.prepare import Material, prepare, read_logs, settle
from yingda.domain.knowledge import Sentiment, Utterance
from yingda.text.normalise import normalise

REAL = Path(__file__).parents[2] / "params.yaml"
_WORDS = ("请问", "麻烦", "那个", "就是", "现在", "今天", "昨天", "刚才", "还是", "到底")


def rows() -> list[Utterance]:
    """Sixty rows of two entries and one class without an entry; a third is written in traditional characters."""
    made = []
    for number, word in enumerate(_WORDS * 2):
        made.append(Utterance(f"{word}第{number}單怎麼還不發貨", "ORDER_SHIP_TIME", "ship-when", Sentiment.NEGATIVE, style="plain"))
        made.append(Utterance(f"{word}我要取消{number}号那件", "ORDER_CANCEL", "cancel-how", Sentiment.NEUTRAL))
        made.append(Utterance(f"{word}股票{number}涨了吗", "OUT_OF_SCOPE", None, Sentiment.NEUTRAL))
    return made


def params(seed: int = 1) -> Params:
    real = load_params(REAL)
    shares = real.prepare.model_copy(update={"selection_share": 0.1, "calibration_share": 0.2, "near_duplicate": 0.9})
    return real.model_copy(update={"prepare": shares, "seed": seed})


def prepared(seed: int = 1, extra: tuple[Utterance, ...] = ()) -> tuple[Classes, dict[str, list[Example]]]:
    return prepare(Material([*rows(), *extra]), tiny_knowledge(), params(seed))


def test_every_row_lands_in_exactly_one_part() -> None:
    _, parts = prepared()

    dealt = sorted(example.text for name in ("fit", "select", "calibrate") for example in parts[name])
    assert dealt == sorted(normalise(row.text) for row in rows())


def test_no_part_is_empty_and_fit_is_the_largest() -> None:
    _, parts = prepared()

    assert 0 < len(parts["select"]) < len(parts["calibrate"]) < len(parts["fit"])


def test_texts_are_normalised() -> None:
    _, parts = prepared()

    texts = [example.text for examples in parts.values() for example in examples]
    assert all(normalise(text) == text for text in texts)
    assert any("单怎么还不发货" in text for text in texts)


def test_labels_follow_their_rows() -> None:
    classes, parts = prepared()

    for example in (*parts["fit"], *parts["calibrate"]):
        wanted = "ship-when" if "发货" in example.text else "cancel-how" if "取消" in example.text else "none:OUT_OF_SCOPE"
        assert classes.matches[example.match] == wanted
        assert classes.match_intents[example.match] == classes.intents[example.intent]


def test_the_entries_own_wordings_are_a_part_of_their_own() -> None:
    _, parts = prepared()

    assert {example.text for example in parts["entries"]} >= {"什么时候发", "多久发", "怎么取消", "保多久"}
    assert {example.style for example in parts["entries"]} == {"faq"}


def test_rows_that_differ_in_spelling_alone_stay_together() -> None:
    twins = tuple(replace(row, text=normalise(row.text)) for row in rows())

    _, parts = prepared(extra=twins)

    where = {example.text: name for name in ("fit", "select", "calibrate") for example in parts[name]}
    for name in ("fit", "select", "calibrate"):
        assert all(where[example.text] == name for example in parts[name])


def test_a_seed_decides_the_parts() -> None:
    first, again, other = prepared(1), prepared(1), prepared(2)

    assert first == again
    assert first[1]["calibrate"] != other[1]["calibrate"]


def log_row(text: str, intent: str | None, faq: str | None, *, known: bool = True) -> LogRow:
    return LogRow(text, intent, faq, known, None, (), "log.csv:1")


LOGS = [log_row(f"{word}{number}几号能取消啊", "ORDER_CANCEL", "cancel-how") for number, word in enumerate(_WORDS * 3)]


def test_rows_of_logs_are_dealt_like_the_packs_own() -> None:
    _, parts = prepare(Material(rows(), LOGS), tiny_knowledge(), params())

    dealt = sorted(example.text for name in ("fit", "select", "calibrate") for example in parts[name])
    assert dealt == sorted(normalise(text) for text in [*(row.text for row in rows()), *(row.text for row in LOGS)])


def test_doubtful_rows_teach_and_never_judge() -> None:
    _, parts = prepare(Material(rows(), weak_logs=LOGS), tiny_knowledge(), params())

    doubtful = {normalise(row.text) for row in LOGS}
    assert doubtful & {example.text for example in parts["fit"]}
    assert not doubtful & {example.text for name in ("select", "calibrate") for example in parts[name]}


def test_a_dataset_that_is_not_there_is_said_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_logs([tmp_path / "nowhere"]) == []
    assert "nowhere is not there" in capsys.readouterr().err


def test_the_most_trustworthy_label_of_a_text_stands() -> None:
    own, sure, doubtful = Utterance("取消這單", "ORDER_CANCEL", "cancel-how", Sentiment.NEUTRAL), "发货了没有呀", "哪天能到货呢"
    logs = [log_row("取消这单", "ORDER_SHIP_TIME", "ship-when"), log_row(sure, "ORDER_SHIP_TIME", "ship-when")]
    weak = [
        log_row(sure, "ORDER_CANCEL", "cancel-how"),
        log_row(doubtful, "ORDER_SHIP_TIME", "ship-when"),
        log_row(doubtful, "ORDER_CANCEL", None),
    ]

    settled = settle(Material([own], logs, weak))

    assert settled == Material([own], logs[1:], weak[1:2])
