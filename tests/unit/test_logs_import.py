"""An import: labels are checked, texts masked and taken once, and the dataset appears whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.logs_kit import ROWS, import_rows, imported, logs, pack, reasons, row, table, taken
from training.logs.command import run
from training.logs.mapping import read_annotations, read_mapping
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment

SECRETS = ("13800138000", "110101199003070038", "wang@example.com", "王小明", "文三路12号", "SF1234567890123")
PRIVATE = f"我叫王小明，电话{SECRETS[0]}，身份证{SECRETS[1]}，{SECRETS[2]}，寄到杭州市西湖区文三路12号，单号{SECRETS[5]}"


def refused(root: Path, **fields: object) -> tuple[str, str]:
    """Reason and detail of the only row that is not taken."""
    import_rows(root, row("好的那一条"), {"text": "坏的那一条", **fields})
    record = json.loads((root / "out" / "rejected.jsonl").read_text("utf-8"))
    return record["reason"], record["detail"]


def test_no_entry_and_an_unknown_entry_are_told_apart(tmp_path: Path) -> None:
    import_rows(tmp_path, row("没有条目能答", faq=None), row("没人说过条目"), row("有条目能答", faq="ship-when"))

    assert [(found.faq, found.faq_known) for found in taken(tmp_path)] == [(None, True), (None, False), ("ship-when", True)]


def test_no_entry_answers_what_is_out_of_scope_even_without_a_column(tmp_path: Path) -> None:
    import_rows(tmp_path, {"text": "今天股票涨了没", "intent": "OUT_OF_SCOPE"})

    assert taken(tmp_path)[0].faq_known


def test_a_missing_sentiment_is_none(tmp_path: Path) -> None:
    import_rows(tmp_path, row("没说情绪"), row("说了情绪", sentiment="angry"))

    assert [found.sentiment for found in taken(tmp_path)] == [None, Sentiment.ANGRY]


def test_the_intent_follows_from_the_entry(tmp_path: Path) -> None:
    import_rows(tmp_path, {"text": "撤掉我那个单子", "faq": "cancel-how", "also": "ship-when, cancel-how"})

    assert [(found.intent, found.also) for found in taken(tmp_path)] == [("CANCEL", ("ship-when",))]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"intent": "NOPE"}, "unknown_intent"),
        ({"intent": "\ud800\x00"}, "unknown_intent"),
        ({"intent": "SHIP", "faq": "nope"}, "unknown_entry"),
        ({"intent": "SHIP", "also": ["nope"]}, "unknown_entry"),
        ({"intent": "SHIP", "faq": "cancel-how"}, "entry_of_other_intent"),
        ({"intent": "OUT_OF_SCOPE", "faq": "ship-when"}, "entry_of_other_intent"),
        ({"intent": "SHIP", "sentiment": "furious"}, "unknown_sentiment"),
        ({"intent": None}, "no_label"),
        ({"intent": "SHIP", "text": " \u200b\x00 "}, "empty"),
        ({"intent": "SHIP", "text": None}, "empty"),
        ({"intent": "SHIP", "text": "长" * 2001}, "too_long"),
        ({"intent": "SHIP", "text": "长" * 150_000}, "too_long"),
        ({"intent": "SHIP", "text": 7}, "bad_row"),
    ],
)
def test_a_row_that_cannot_be_used_is_set_aside_with_its_reason(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    assert refused(tmp_path, **fields)[0] == reason
    assert len(taken(tmp_path)) == 1


def test_texts_are_composed_on_one_line_and_without_what_cannot_be_seen(tmp_path: Path) -> None:
    import_rows(tmp_path, row("  cafe\u0301\x07 到\r\n哪\ud800了\u202e "))

    assert taken(tmp_path)[0].text == "café 到 哪了"


def test_a_text_is_taken_once_with_all_that_is_known(tmp_path: Path) -> None:
    record = import_rows(tmp_path, row("什么时候 动身！！！！"), row("什么时候　动身！！", faq="ship-when", sentiment="neutral"))

    assert reasons(record) == {"duplicate": 1}
    found = taken(tmp_path)
    assert [(r.text, r.faq, r.sentiment) for r in found] == [("什么时候 动身！！！！", "ship-when", Sentiment.NEUTRAL)]


@pytest.mark.parametrize("other", [{"intent": "CANCEL"}, {"faq": None}, {"sentiment": "angry"}])
def test_rows_that_contradict_each_other_are_all_set_aside(tmp_path: Path, other: dict[str, object]) -> None:
    first = row("到底哪天动身", faq="ship-when", sentiment="neutral")
    record = import_rows(
        tmp_path, first, {**first, "faq": "cancel-how", **other} if "intent" in other else {**first, **other}, row("另一条")
    )

    assert reasons(record) == {"conflict": 2}
    assert [found.text for found in taken(tmp_path)] == ["另一条"]


def test_a_text_of_the_packs_training_is_a_duplicate(tmp_path: Path) -> None:
    own = next((pack(tmp_path) / "utterances").glob("train-*.jsonl"))
    text = json.loads(own.read_text("utf-8").splitlines()[0])["text"]
    record = import_rows(tmp_path, row(f" {text} "), row("另一条"))

    assert reasons(record) == {"duplicate_of_the_pack": 1}
    assert record["files"][0]["duplicate"] == 1


def test_a_file_of_the_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="belongs to the pack"):
        imported(tmp_path, pack(tmp_path) / "utterances" / "test-9.jsonl")


def test_labels_and_sentiments_are_mapped(tmp_path: Path) -> None:
    mapping = """
columns: {text: q, intent: label, sentiment: mood}
labels:
  何时发: {faq: ship-when}
  催单: {intent: SHIP, faq: null}
  撤单: {intent: CANCEL}
  闲聊: skip
sentiments: {差: negative}
"""
    rows = [{"q": f"第{label}条", "label": label, "mood": "差"} for label in ("何时发", "催单", "撤单", "闲聊", "别的")]
    record = import_rows(tmp_path, *rows, mapping=mapping)

    assert [(r.intent, r.faq, r.faq_known, r.sentiment) for r in taken(tmp_path)] == [
        ("SHIP", "ship-when", True, "negative"),
        ("SHIP", None, True, "negative"),
        ("CANCEL", None, False, "negative"),
    ]
    assert reasons(record) == {"label_not_mapped": 1, "label_skipped": 1}


ANNOTATIONS = "id\tfaq\tintent\tsentiment\tsure\talso\n7\tship-when\tSHIP\tg\t1\tcancel-how\n8\t-\tCANCEL\t-\t1\t\n9\t-\tSHIP\tg\t0\t\n"


@pytest.mark.parametrize(("unsure", "kept"), [("skip", 2), ("keep", 3)])
def test_own_annotations_label_the_rows_of_a_foreign_file(tmp_path: Path, unsure: str, kept: int) -> None:
    (tmp_path / "own.tsv").write_text(ANNOTATIONS, "utf-8")
    mapping = f"annotations: own.tsv\nunsure: {unsure}\nsentiments: {{g: negative}}\n"
    foreign = table(*ROWS, ("没标过的那条", "x", "y", "z", "10"))
    record = imported(tmp_path, logs(tmp_path, text=foreign), mapping=mapping)

    assert len(taken(tmp_path)) == kept
    assert [(r.intent, r.faq, r.faq_known, r.sentiment, r.also) for r in taken(tmp_path)][:2] == [
        ("SHIP", "ship-when", True, "negative", ("cancel-how",)),
        ("CANCEL", None, True, None, ()),
    ]
    assert reasons(record)["not_annotated"] == 1


def test_an_annotation_may_say_that_a_message_cannot_be_decided(tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text("7\t-\t-\tneutral\t1\tship-when,cancel-how\n", "utf-8")
    record = imported(tmp_path, logs(tmp_path), mapping="annotations: own.tsv")

    assert [(r.intent, r.faq, r.faq_known, r.also) for r in taken(tmp_path)] == [(None, None, True, ("ship-when", "cancel-how"))]
    assert record["labels"]["intents"] == {"undecided": 1}


@pytest.mark.parametrize(
    "text",
    ["1\tship-when\tSHIP\n", "1\t-\tSHIP\t-\t2\t\n", "1\t-\tSHIP\t-\t1\n1\t-\tSHIP\t-\t1\n", "id\tintent\tfaq\n", ""],
)
def test_broken_annotations_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.tsv").write_text(text, "utf-8")

    with pytest.raises(MaterialError, match="own"):
        read_annotations(tmp_path / "own.tsv")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colums: {}", "colums"),
        ("columns: {txt: a}", "columns.txt"),
        ("labels: {a: {intnt: X}}", "intnt"),
        ("sentiments: {a: sad}", "sentiments.a"),
        ("unsure: maybe", "unsure"),
        ("a: [", "YAML"),
        ("- a", "map.yaml"),
    ],
)
def test_a_broken_mapping_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "map.yaml").write_text(text, "utf-8")

    with pytest.raises(MaterialError, match=named):
        read_mapping(tmp_path / "map.yaml", {})


@pytest.mark.parametrize("label", ["{faq: nope}", "{intent: NOPE}", "{}"])
def test_a_mapping_to_what_the_pack_has_not_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(MaterialError, match=r"labels\.a"):
        import_rows(tmp_path, row("一条"), mapping=f"labels: {{a: {label}}}")


def test_no_written_file_and_no_output_holds_personal_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        row(PRIVATE),
        row(f"{PRIVATE}！", intent=PRIVATE),
        row(f"{PRIVATE}？", faq=PRIVATE),
        row(PRIVATE * 40),
        row("好", sentiment=PRIVATE),
    ]
    path = tmp_path / "logs-13800138000.jsonl"
    path.write_text("".join(json.dumps({**found, "user": PRIVATE}, ensure_ascii=False) + "\n" for found in rows), "utf-8")

    assert run(["import", str(path), "--out", str(tmp_path / "out"), "--pack", str(pack(tmp_path))]) == 0
    assert run(["show", str(tmp_path / "out")]) == 0

    said = capsys.readouterr()
    written = [file.read_text("utf-8") for file in (tmp_path / "out").iterdir()]
    assert len(written) == 5
    for text in (said.out, said.err, *written):
        assert [secret for secret in SECRETS if secret in text] == []


def test_what_was_masked_is_counted(tmp_path: Path) -> None:
    record = import_rows(tmp_path, row(PRIVATE))

    assert record["files"][0]["masked"] == {"单号": 1, "地址": 1, "姓名": 1, "手机号": 1, "身份证号": 1, "邮箱": 1}


def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", str(logs(tmp_path)), "--out", str(tmp_path / "out"), "--pack", str(pack(tmp_path))]) == 0
    assert run(["show", str(tmp_path / "out")]) == 0

    said = capsys.readouterr().out
    assert "3 rows in" in said
    assert "ship-when" in said
    assert (tmp_path / "out" / "report.md").read_text("utf-8").startswith("# Import of labelled messages")


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "missing.csv", "--out", "OUT"],
        ["import", "FILE", "--out", "OUT", "--mapping", "missing.yaml"],
        ["import", "FILE", "--out", "OUT", "--pack", "missing"],
        ["import", "FILE", "--out", "OUT", "--encoding", "nonsense"],
        ["import", "FILE", "--out", "OUT", "--text", "nowhere"],
        ["import", "FILE", "--out", "FILE"],
        ["import", "FILE", "--out", "OUT", "--intent", "sentiment"],
        ["show", "missing"],
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    places = {"FILE": str(logs(tmp_path)), "OUT": str(tmp_path / "out")}
    words = [places.get(word, word) for word in arguments]
    if words[0] == "import" and "--pack" not in words:
        words += ["--pack", str(pack(tmp_path))]

    assert run(words) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("training.logs: ")
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["import"], ["import", "a.csv"], ["import", "a.csv", "--out", "o", "--max-rows", "0"]])
def test_wrong_arguments_end_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)

    assert ended.value.code == 2


def test_a_pack_whose_training_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (pack(tmp_path) / "utterances" / "train-2.jsonl").write_bytes(b'{"txt": 1}\n')

    with pytest.raises(MaterialError, match="correct the pack"):
        imported(tmp_path, logs(tmp_path))


def test_a_text_of_the_packs_training_is_found_masked_too(tmp_path: Path) -> None:
    (pack(tmp_path) / "utterances" / "train-2.jsonl").write_text('{"text": "打13900139000问问发货"}\n', "utf-8")

    assert reasons(import_rows(tmp_path, row("打13800138000问问发货"), row("另一条"))) == {"duplicate_of_the_pack": 1}
