"""``yingda knowledge`` on a store of its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.fakes_core import write_tiny_bundle, write_tiny_pack
from yingda.bundle import KNOWLEDGE
from yingda.cli.main import run
from yingda.pack import read_knowledge
from yingda.pack.exchange.folder import told, write_folder
from yingda.store.audit import Audit
from yingda.store.base import open_store

PACK = Path(__file__).parents[2] / "data/packs/retail"
GOOD = "id,intent,question.zh,answer.zh\nnew-one,ORDER_CANCEL,怎么退单,点退单。\n"


class Shell:
    """Runs commands against one store and gives back what they said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        write_tiny_bundle(folder / "bundle")

    def __call__(self, action: str, *words: str) -> str:
        place = ["--store", f"sqlite:///{self.folder / 'store.db'}", "--bundle", str(self.folder / "bundle")]
        run(["knowledge", action, *words, *place])
        return self._capsys.readouterr().out

    def fails(self, action: str, *words: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            self(action, *words)
        assert stopped.value.code == 2
        said = self._capsys.readouterr()
        return said.out + said.err

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, "utf-8")
        return str(self.folder / name)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("YINGDA_STORE", "YINGDA_PACK", "YINGDA_BUNDLE", "YINGDA_TWO_PEOPLE"):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path, capsys)


def test_a_store_is_seeded_once_and_listed(shell: Shell) -> None:
    assert shell("seed", "--author", "anna") == "seeded: 10 records\n"
    assert shell("seed").startswith("nothing to do")
    lines = shell("list", "faq").splitlines()

    assert lines[0].split("\t")[:3] == ["cancel-how", "published", "V1.0-怎么取消"]
    assert all(line.endswith("\tanna") for line in lines)
    assert shell("list", "faq", "--status", "draft") == ""


def test_a_file_is_tried_imported_exported_and_rolled_back(shell: Shell) -> None:
    shell("seed")
    path = shell.file("new.csv", GOOD)
    assert "faq: not imported: 1 added" in shell("import", path, "--dry-run")
    assert "faq: imported: 1 added" in shell("import", path, "--sha256", sha256(GOOD.encode()).hexdigest())
    changed = shell.file("more.csv", GOOD.replace("点退单。", "找客服退单。"))
    assert "1 changed" in shell("import", changed, "--author", "bo", "--reason", "new policy")
    shell("rollback", "faq", "new-one")

    shell("export", str(shell.folder / "all.jsonl"))
    assert "点退单。" in (shell.folder / "all.jsonl").read_text("utf-8")
    assert "6 unchanged" in shell("import", str(shell.folder / "all.jsonl"))
    with closing(open_store(f"sqlite:///{shell.folder / 'store.db'}")) as store:
        entries = [each.entry for each in Audit(store).entries() if each.entry.action == "knowledge.export"]
        assert Audit(store).verify().broken is None
    assert [(entry.target, entry.outcome) for entry in entries] == [("faq", "attempted"), ("faq", "done")]


def test_a_file_for_an_empty_store_comes_beside_the_pack_and_not_in_its_place(shell: Shell) -> None:
    path = shell.file("new.csv", GOOD)
    assert "run `yingda knowledge seed` first" in shell.fails("import", path, "--dry-run")
    assert shell("list", "faq") == ""

    said = shell("import", path, "--author", "anna")
    assert "seeded: 10 records of the pack" in said
    assert "faq: imported: 1 added" in said
    assert [line.split("\t")[0] for line in shell("list", "faq").splitlines()][:2] == ["cancel-how", "hello"]
    assert "new-one" in shell("list", "faq")


def test_what_the_store_says_becomes_a_pack_that_an_evaluation_can_read(shell: Shell) -> None:
    """Export to a folder: the pack in the bundle with what was changed since, of every kind."""
    shell("seed")
    shell("import", shell.file("new.csv", GOOD))
    target = shell.folder / "published"

    said = shell("export", str(target))

    before, after = (read_knowledge(folder) for folder in (shell.folder / "bundle" / KNOWLEDGE, target))
    assert after.faq["new-one"].answer == {"zh": "点退单。"}
    assert set(after.faq) - set(before.faq) == {"new-one"}
    assert (after.taxonomy, after.handoff, after.policy) == (before.taxonomy, before.handoff, before.policy)
    assert f"python -m evaluation compare {shell.folder / 'bundle' / KNOWLEDGE} {target}" in said
    # it can come back: nothing of it differs from what the store says
    assert shell("import", str(target), "--dry-run").count("not imported: 0 added, 0 changed, ") == 5
    assert "is there already" in shell.fails("export", str(target))
    assert sorted(path.name for path in shell.folder.glob(".published*")) == []


@pytest.mark.parametrize("pack", [PACK, None], ids=["shipped", "tiny"])
def test_every_kind_survives_the_way_to_a_folder(pack: Path | None, tmp_path: Path) -> None:
    folder = pack or write_tiny_pack(tmp_path / "pack")
    known = read_knowledge(folder)
    name = next(iter(known.policy.values))
    policy = replace(known.policy, values={**known.policy.values, name: "007: 9:00"})
    edited = replace(known, policy=policy)

    write_folder(edited, folder, tmp_path / "out")

    again = read_knowledge(tmp_path / "out")
    assert told(again) == told(edited) != told(known)
    assert again.policy.values == policy.values


def test_broken_rows_are_named_and_nothing_is_imported_unless_partial(shell: Shell) -> None:
    shell("seed")
    path = shell.file("bad.csv", GOOD + "bad,NO_SUCH,怎么,点。\n")
    said = shell.fails("import", path)
    assert "line 3, intent: unknown intent" in said
    assert "nothing was imported" in said
    assert "new-one" not in shell("list", "faq")
    assert "1 added" in shell("import", path, "--partial")


def test_an_edited_pack_is_imported_whole(shell: Shell) -> None:
    shell("seed")
    pack = write_tiny_pack(shell.folder / "pack")
    policy = (pack / "policy.yaml").read_text("utf-8")
    (pack / "policy.yaml").write_text(policy.replace("48 小时", "24 小时"), "utf-8")

    assert "policy: not imported: 0 added, 1 changed" in shell("import", str(pack), "--dry-run")
    assert "policy: imported: 0 added, 1 changed" in shell("import", str(pack))
    assert "policy: imported: 0 added, 0 changed, 2 unchanged" in shell("import", str(pack))


def test_with_two_people_a_file_needs_a_reviewer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("seed")
    path = shell.file("new.csv", GOOD)
    monkeypatch.setenv("YINGDA_TWO_PEOPLE", "true")

    assert "somebody other than the author" in shell.fails("import", path, "--author", "anna", "--reviewer", "anna")
    assert "1 added" in shell("import", path, "--author", "anna", "--reviewer", "bo")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("import", "nowhere.csv"), "cannot be read"),
        (("import", "nowhere.doc"), "is unknown; use one of"),
        (("publish", "faq", "nobody"), "there is no such record"),
        (("publish", "faq", "hello"), "cannot publish"),
        (("rollback", "faq", "hello"), "nothing was published before"),
        (("export", "no/such/folder.csv"), "cannot be written"),
        (("list", "faq", "--store", "memory"), "gone when this command ends"),
    ],
)
def test_what_cannot_be_done_is_one_line(shell: Shell, words: tuple[str, ...], told: str) -> None:
    shell("seed")
    if "--store" in words:
        with pytest.raises(SystemExit):
            run(["knowledge", *words, "--bundle", str(shell.folder / "bundle")])
        return
    said = shell.fails(*words)
    assert told in said
    assert said.count("\n") == 1
