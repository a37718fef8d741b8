"""Two bundles on the same messages: what is measured, what is advised, and what leaves the machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from evaluation.__main__ import main
from evaluation.compare import run
from tests.fakes_evaluation import FakeEngine, Said, exam, knows, write_gates, write_pack, write_rows
from yingda.bundle import TRAINED
from yingda.domain.decision import Outcome
from yingda.domain.errors import BundleError
from yingda.pack import read_knowledge
from yingda.text.fingerprint import write_fingerprints

ROWS = exam(120)
FIGURES = {
    "match_accuracy",
    "automatic_accuracy",
    "coverage",
    "wrong_automatic_answers",
    "faq_top1",
    "intent_accuracy",
    "sentiment_macro_f1",
    "out_of_scope_refusal",
}


@dataclass(frozen=True)
class FakeShelf:
    """Opens a bundle by the name of its folder, or by ``bundle/knowledge`` where both are named."""

    engines: Mapping[str, FakeEngine]

    def __call__(self, bundle: Path, /, *, pack: Path | None = None) -> FakeEngine:
        name = bundle.name if pack is None else f"{bundle.name}/{pack.name}"
        if name not in self.engines:
            raise BundleError(f"{name}: there is no bundle folder here; build one")
        return self.engines[name]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack", {"test-1.jsonl": ROWS[:70], "test-2.jsonl": ROWS[70:]})


def shy(rows: Sequence[Mapping[str, object]], *, every: int) -> FakeEngine:
    """Right about all of ``rows``, but leaves one of ``every`` to a person."""
    says = dict(knows(rows).says)
    for row in rows[::every]:
        says[str(row["text"])] = replace(says[str(row["text"])], accepted=False, outcome=Outcome.HANDOFF)
    return FakeEngine(says)


def command(pack: Path, out: Path, a: FakeEngine, b: FakeEngine, *further: str) -> int:
    known = read_knowledge(pack)
    shelf = FakeShelf({name: replace(engine, knowledge=known) for name, engine in (("a", a), ("b", b))})
    return compared(pack, out, shelf, *further)


def compared(pack: Path, out: Path, shelf: FakeShelf, *further: str) -> int:
    return run(["a", "b", "--pack", str(pack), "--out", str(out), *further], opener=shelf, gates=write_gates(out.parent / "gates.yaml"))


def report(out: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((out / "compare.json").read_text(encoding="utf-8")))


def test_a_bundle_beside_itself_differs_in_nothing_and_is_not_promoted(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = shy(ROWS, every=4)

    assert command(pack, tmp_path / "out", engine, engine) == 1

    found = report(tmp_path / "out")
    assert list(found["parts"]) == ["test-1.jsonl", "test-2.jsonl", "together"]
    measured = [d for part in found["parts"].values() for d in part["differences"].values() if d["champion"] is not None]
    assert measured and all((d["difference"], d["low"], d["high"]) == (0, 0, 0) for d in measured)
    assert (found["recommendation"], found["changed"], found["changes"]) == ("keep", 0, [])
    screen = capsys.readouterr().out
    assert "neither coverage nor top-1 is surely better" in screen
    assert screen.count("\n") < 25


def test_a_strictly_better_candidate_is_promoted(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, tmp_path / "out", shy(ROWS, every=4), knows(ROWS)) == 0

    found = report(tmp_path / "out")
    coverage = found["parts"]["together"]["differences"]["coverage"]
    assert (coverage["champion"], coverage["candidate"], coverage["difference"]) == (0.75, 1.0, 0.25)
    assert 0 < coverage["low"] < 0.25 < coverage["high"]
    assert found["recommendation"] == "promote"
    assert "better: coverage 0.750 -> 1.000, +0.250" in capsys.readouterr().out


def test_the_same_two_the_other_way_round_are_kept_because_coverage_falls(pack: Path, tmp_path: Path) -> None:
    assert command(pack, tmp_path / "out", knows(ROWS), shy(ROWS, every=4)) == 1
    assert any(reason.startswith("worse: coverage 1.000 -> 0.750") for reason in report(tmp_path / "out")["reasons"])


def test_a_candidate_that_covers_more_by_answering_wrongly_is_kept(pack: Path, tmp_path: Path) -> None:
    champion = shy(ROWS, every=4)
    wrong = {
        text: said if said.accepted else Said(entry="coupon-use" if said.entry != "coupon-use" else "ship-when")
        for text, said in champion.says.items()
    }

    assert command(pack, tmp_path / "out", champion, FakeEngine(wrong)) == 1

    reasons = " ".join(report(tmp_path / "out")["reasons"])
    assert "the candidate failed test: wrong_automatic_answers at most 0.05" in reasons
    assert "worse: wrong_automatic_answers 0.000 -> 0.250" in reasons


def test_changed_answers_name_place_and_both_entries(pack: Path, tmp_path: Path) -> None:
    before = FakeEngine({**knows(ROWS).says, "第3个问题": Said(entry="coupon-use")})
    after = FakeEngine({**knows(ROWS).says, "第5个问题": Said(entry="coupon-use", outcome=Outcome.CLARIFY)})
    command(pack, tmp_path / "out", before, after)

    first, second = report(tmp_path / "out")["changes"]
    assert (first["place"], first["text"], first["label"]) == ("test-1.jsonl:4", "第3个问题", "ship-when")
    assert first["champion"] == {"outcome": "answered", "entry": "coupon-use", "right": False}
    assert first["candidate"] == {"outcome": "answered", "entry": "ship-when", "right": True}
    assert second["candidate"] == {"outcome": "clarify", "entry": None, "right": False}


def test_wins_and_losses_are_counted_by_intent(pack: Path, tmp_path: Path) -> None:
    missed = {f"第{number}个问题": Said(entry="coupon-use", intent="COUPON") for number in (0, 3, 6, 9, 12)}
    command(pack, tmp_path / "out", FakeEngine({**knows(ROWS).says, **missed}), knows(ROWS))

    first = report(tmp_path / "out")["duels"][0]
    assert {name: first[name] for name in ("metric", "intent", "rows", "wins", "losses")} == {
        "metric": "faq_top1",
        "intent": "SHIP",
        "rows": 40,
        "wins": 5,
        "losses": 0,
    }
    assert first["p"] == pytest.approx(2 * 0.5**5)  # five tosses of a coin, all on one side


def test_texts_of_further_files_are_never_written(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [{"text": "我叫秘密", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}]
    extra = write_rows(tmp_path / "real.jsonl", rows)
    silent = FakeEngine({**knows(ROWS).says, "我叫秘密": Said(accepted=False, outcome=Outcome.HANDOFF)})
    command(pack, tmp_path / "out", silent, knows([*ROWS, *rows]), "--extra", str(extra))

    found = report(tmp_path / "out")
    (change,) = found["changes"]
    assert change["place"].endswith("real.jsonl:1") and "text" not in change
    assert found["parts"]["together"]["rows"] == 121
    written = "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "out").iterdir())
    assert "秘密" not in written + "".join(capsys.readouterr())


def test_replies_to_further_files_are_counted_and_never_written(pack: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": "我叫秘密", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}]
    extra = write_rows(tmp_path / "real.jsonl", rows)
    before, after = (FakeEngine({**knows(ROWS).says, "我叫秘密": Said(reply=reply)}) for reply in ("秘密女士您好。", "秘密您好。"))

    command(pack, tmp_path / "out", before, after, "--extra", str(extra))

    (one,) = report(tmp_path / "out")["rewordings"]
    assert set(one) == {"place", "came"} and one["came"] == "answered ship-when"
    assert "秘密" not in "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "out").iterdir())


def test_the_page_shows_the_advice_the_figures_and_the_changes(pack: Path, tmp_path: Path) -> None:
    command(pack, tmp_path / "out", shy(ROWS, every=4), knows(ROWS))

    page = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    assert page.startswith("# Comparison: promote\n")
    assert "| coverage | 0.750 | 1.000 | +0.250 |" in page
    assert "## Changed answers: 30" in page
    assert "| test-1.jsonl:1 | 第0个问题 | ship-when | handoff | ship-when (right) |" in page


def test_json_can_go_to_the_next_program(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(pack, tmp_path / "out", knows(ROWS), knows(ROWS), "--json")

    assert json.loads(capsys.readouterr().out) == report(tmp_path / "out")


def test_every_headline_is_compared(pack: Path, tmp_path: Path) -> None:
    command(pack, tmp_path / "out", knows(ROWS), knows(ROWS))

    assert set(report(tmp_path / "out")["parts"]["together"]["differences"]) == FIGURES


def test_what_only_the_candidate_knows_the_champion_misses(pack: Path, tmp_path: Path) -> None:
    known = read_knowledge(pack)
    poorer = replace(known, faq={code: entry for code, entry in known.faq.items() if code != "coupon-use"})
    shelf = FakeShelf({"a": replace(knows(ROWS), knowledge=poorer), "b": replace(knows(ROWS), knowledge=known)})

    assert compared(pack, tmp_path / "out", shelf) in (0, 1)


def test_a_candidate_that_does_not_know_a_label_is_refused(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = read_knowledge(pack)
    poorer = replace(known, faq={code: entry for code, entry in known.faq.items() if code != "coupon-use"})
    shelf = FakeShelf({"a": replace(knows(ROWS), knowledge=known), "b": replace(knows(ROWS), knowledge=poorer)})

    assert compared(pack, tmp_path / "out", shelf) == 2

    complaint = capsys.readouterr().err.splitlines()
    assert complaint == [
        "comparison could not run: b: knows no entry 'coupon-use', with which test-1.jsonl:3 is labelled; "
        "name a candidate made from this pack"
    ]
    assert not (tmp_path / "out").exists()


def edition(root: Path, name: str) -> str:
    """A folder that holds knowledge, as far as a look at it tells."""
    (root / name).mkdir()
    (root / name / "taxonomy.yaml").write_text("version: 1\n", "utf-8")
    return str(root / name)


def test_two_versions_of_knowledge_are_compared_with_one_bundle(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = read_knowledge(pack)
    poorer = replace(known, faq={code: entry for code, entry in known.faq.items() if code != "coupon-use"}, digest="e" * 64)
    missed = {
        text: Said(accepted=False, outcome=Outcome.NO_ANSWER) if said.entry == "coupon-use" else said
        for text, said in knows(ROWS).says.items()
    }
    shelf = FakeShelf({"m/new": replace(knows(ROWS), knowledge=known), "m/old": FakeEngine(missed, knowledge=poorer)})
    old, new = (edition(tmp_path, name) for name in ("old", "new"))
    options = ["--pack", str(pack), "--bundle", "m"]

    gates = write_gates(tmp_path / "gates.yaml")
    assert run([old, new, *options, "--out", str(tmp_path / "out")], opener=shelf, gates=gates) == 0

    found = report(tmp_path / "out")
    assert (found["champion"]["knowledge"], found["candidate"]["knowledge"]) == ("e" * 64, known.digest)
    assert (found["duels"][0]["intent"], found["duels"][0]["wins"]) == ("COUPON", 40)
    assert found["changed"] == 40
    assert found["parts"]["together"]["differences"]["coverage"]["low"] > 0
    assert f"knowledge {'e' * 12}" in capsys.readouterr().out

    # an entry that was taken away is no mistake of the command: its messages are lost, and the advice says so
    assert run([new, old, *options, "--out", str(tmp_path / "back")], opener=shelf, gates=gates) == 1
    assert any("worse: coverage" in reason for reason in report(tmp_path / "back")["reasons"])


def editions(pack: Path, old: FakeEngine, new: FakeEngine) -> FakeShelf:
    """Two versions of knowledge over one bundle."""
    known = read_knowledge(pack)
    edited = replace(known, digest="e" * 64)
    return FakeShelf({"m/old": replace(old, knowledge=known), "m/new": replace(new, knowledge=edited)})


def test_an_edited_answer_is_listed_and_passes(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says = {text: replace(said, reply="退货天数为 7 天。") for text, said in knows(ROWS).says.items()}
    changed = {text: replace(said, reply="退货天数为 3 天。") if said.entry == "coupon-use" else said for text, said in says.items()}
    shelf = editions(pack, FakeEngine(says), FakeEngine(changed))
    old, new = (edition(tmp_path, name) for name in ("old", "new"))
    asked = ["--pack", str(pack), "--bundle", "m", "--out", str(tmp_path / "out")]

    assert run([old, new, *asked], opener=shelf, gates=write_gates(tmp_path / "gates.yaml")) == 0

    found = report(tmp_path / "out")
    assert (found["recommendation"], found["changed"], found["reworded"]) == ("no worse", 0, 40)
    assert found["rewordings"][0] == {
        "place": "test-1.jsonl:3",
        "came": "answered coupon-use",
        "text": "第2个问题",
        "champion": "退货天数为 7 天。",
        "candidate": "退货天数为 3 天。",
    }
    screen = capsys.readouterr().out
    assert "0 of 120 answers change" in screen and "40 replies have the same entry and other words; all of them in" in screen
    assert "only the knowledge differs; the candidate passes the gates and no figure is surely worse" in screen
    page = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    assert "## Same entry, other words: 40 replies" in page
    assert "| test-1.jsonl:3 | 第2个问题 | answered coupon-use | 退货天数为 7 天。 | 退货天数为 3 天。 |" in page


def test_two_entries_whose_answers_were_swapped_are_listed(pack: Path, tmp_path: Path) -> None:
    answers = {"ship-when": "48 小时内发货。", "cancel-how": "在订单里取消。", "coupon-use": "结算时勾选。"}
    swapped = answers | {"ship-when": answers["cancel-how"], "cancel-how": answers["ship-when"]}
    before, after = (
        FakeEngine({text: replace(said, reply=told[said.entry]) for text, said in knows(ROWS).says.items()}) for told in (answers, swapped)
    )

    command(pack, tmp_path / "out", before, after)

    found = report(tmp_path / "out")
    assert (found["changed"], found["reworded"]) == (0, 80)
    assert {one["came"] for one in found["rewordings"]} == {"answered ship-when", "answered cancel-how"}


def test_an_edit_that_makes_something_surely_worse_is_kept_out(pack: Path, tmp_path: Path) -> None:
    old, new = (edition(tmp_path, name) for name in ("old", "new"))
    asked = ["--pack", str(pack), "--bundle", "m", "--out", str(tmp_path / "out")]
    shelf = editions(pack, knows(ROWS), shy(ROWS, every=4))

    assert run([old, new, *asked], opener=shelf, gates=write_gates(tmp_path / "gates.yaml")) == 1
    assert report(tmp_path / "out")["recommendation"] == "keep"


def test_one_test_message_whose_entry_was_taken_away_keeps_an_edit_out(pack: Path, tmp_path: Path) -> None:
    known = read_knowledge(pack)
    poorer = replace(known, faq={code: entry for code, entry in known.faq.items() if code != "coupon-use"}, digest="e" * 64)
    shelf = FakeShelf({"m/old": replace(knows(ROWS), knowledge=known), "m/new": replace(knows(ROWS), knowledge=poorer)})
    old, new = (edition(tmp_path, name) for name in ("old", "new"))
    gates = tmp_path / "gates.yaml"
    gates.write_text("gates:\n  - {suite: labels, metric: labels_lacking, at_most: 0.0}\n", encoding="utf-8")

    # every figure is as before, for the fake goes on naming the entry
    asked = ["--pack", str(pack), "--bundle", "m", "--out", str(tmp_path / "out")]
    assert run([old, new, *asked], opener=shelf, gates=gates) == 1
    assert report(tmp_path / "out")["reasons"][0].startswith("the candidate failed labels: labels_lacking at most 0")


def test_each_bundle_can_be_given_its_own_knowledge(pack: Path, tmp_path: Path) -> None:
    known = read_knowledge(pack)
    shelf = FakeShelf({"a/old": replace(shy(ROWS, every=4), knowledge=known), "b/new": replace(knows(ROWS), knowledge=known)})
    chosen = ("--pack-a", edition(tmp_path, "old"), "--pack-b", edition(tmp_path, "new"))

    assert compared(pack, tmp_path / "out", shelf, *chosen) == 0


def test_knowledge_for_knowledge_is_refused(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = edition(tmp_path, "old")

    assert run([old, "b", "--pack", str(pack), "--pack-a", old], opener=FakeShelf({})) == 2
    assert capsys.readouterr().err == f"comparison could not run: {old}: is knowledge itself; leave --pack-a out, or name a bundle here\n"


def test_a_missing_bundle_is_one_message(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shelf = FakeShelf({"a": replace(knows(ROWS), knowledge=read_knowledge(pack))})

    assert run(["a", "nowhere", "--pack", str(pack)], opener=shelf) == 2
    assert capsys.readouterr().err == "comparison could not run: nowhere: there is no bundle folder here; build one\n"


def test_a_folder_that_cannot_be_written_is_one_message(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.write_text("a file stands where the folder should be", encoding="utf-8")

    assert command(pack, out, knows(ROWS), knows(ROWS)) == 2
    assert str(out) in capsys.readouterr().err


def test_the_evaluation_command_knows_the_comparison(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path / "nowhere")

    assert main(["compare", nowhere, nowhere, "--pack", str(pack)]) == 2
    assert main(["--bundle", nowhere, "--pack", str(pack), "--out", nowhere]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("comparison could not run") and second.startswith("evaluation could not run")


def test_a_gate_that_the_candidate_alone_is_asked_stands_on_the_page(pack: Path, tmp_path: Path) -> None:
    candidate = tmp_path / "b"
    candidate.mkdir()
    write_fingerprints(candidate / TRAINED, ["与测试无关的一句话"])
    gates, leak = tmp_path / "gates.yaml", "{suite: contamination, metric: contaminated_rows, at_most: 0.03}"
    gates.write_text(f"gates:\n  - {{suite: test, metric: coverage, at_least: 0.5}}\n  - {leak}\n", encoding="utf-8")
    known = read_knowledge(pack)
    shelf = FakeShelf({name: replace(knows(ROWS), knowledge=known) for name in ("a", "b")})

    run(["a", str(candidate), "--pack", str(pack), "--out", str(tmp_path / "out")], opener=shelf, gates=gates)

    page = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith("| contamination: contaminated_rows"))
    assert "| not asked | passed" in line
