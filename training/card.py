"""Write the model card from measurements and ship the bundle: ``python -m training.card --help``.

Every figure of the card and of the READMEs' table is read from the evaluation report, the manifest or the data;
none is typed. The bundle's identity does not change: it covers what decides, not what is said about it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training import card_parts as parts
from training.studies import read_studies, study_table
from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.errors import MaterialError
from yingda.domain.message import MAX_CHARACTERS

START, END = "<!-- figures:start -->", "<!-- figures:end -->"
SHIPPED_REPORT = Path("reports/current")
READMES = {"en": Path("README.md"), "zh": Path("README.zh.md")}
_HEADS = {
    "en": "| measure | test (Chinese) | multilingual |\n| --- | --- | --- |",
    "zh": "| 指标 | 中文测试集 | 多语言测试集 |\n| --- | --- | --- |",
}
_SUITES = tuple(parts.SUITES)
_TEMPLATE = "model_card.md.j2"
_NOTHING: Mapping[str, Any] = {"value": None}
MEASURES = {  # name in the report -> what people read
    "match_accuracy": {"en": "match accuracy of accepted matches", "zh": "采纳的匹配的准确率"},
    "match_accuracy_lower_bound": {"en": "its one-sided 95 % lower bound", "zh": "上项的单侧 95 % 置信下限"},
    "coverage": {"en": "coverage of answerable messages at that accuracy", "zh": "在该准确率下对可回答消息的覆盖率"},
    "automatic_coverage": {"en": "answerable messages answered without a person", "zh": "可回答消息中不经人工就答复的比例"},
    "wrong_automatic_answers": {"en": "wrong automatic answers, share of all messages", "zh": "错误自动回复占全部消息的比例"},
    "out_of_scope_refusal": {"en": "out-of-scope messages not answered", "zh": "超范围消息未被回答的比例"},
    "faq_top1": {"en": "FAQ top-1 without abstaining", "zh": "不弃答时 FAQ 首位命中率"},
    "intent_accuracy": {"en": "intent accuracy without abstaining", "zh": "不弃答时意图准确率"},
    "intent_macro_f1": {"en": "intent macro-F1", "zh": "意图 macro-F1"},
    "sentiment_macro_f1": {"en": "sentiment macro-F1 (4 classes)", "zh": "情绪 macro-F1（4 类）"},
    "displeased_recall": {"en": "recall of negative and angry", "zh": "负面与愤怒的召回率"},
    "intent_ece": {"en": "calibration error of intent confidence", "zh": "意图置信度的校准误差"},
    "match_ece": {"en": "calibration error of match confidence", "zh": "匹配置信度的校准误差"},
}


def figure(measure: Mapping[str, Any]) -> str:
    """``0.967 [0.948, 0.979] (n 543)``; a dash for what could not be computed."""
    return parts.interval(measure) + ("" if measure["value"] is None else f" (n {measure['n']})")


def measures_of(report: Mapping[str, Any], suite: str) -> Mapping[str, Any]:
    """The measures of ``suite``; none for a pack that has no such files."""
    found: Mapping[str, Any] = report["suites"].get(suite, {"measures": {}})["measures"]
    return found


def figures_table(report: Mapping[str, Any], language: str) -> str:
    """The table of headline figures by suite in ``language``."""
    rows = [
        f"| {names[language]} | " + " | ".join(figure(measures_of(report, suite).get(name, _NOTHING)) for suite in _SUITES) + " |"
        for name, names in MEASURES.items()
    ]
    return "\n".join([_HEADS[language], *rows])


def with_figures(text: str, table: str, *, name: str) -> str:
    """``text`` with the part between the markers replaced by ``table``."""
    if text.count(START) != 1 or text.count(END) != 1:
        raise MaterialError(f"{name} must hold {START} and {END} once each")
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def write_card(
    manifest: Mapping[str, Any],
    report: Mapping[str, Any],
    check: Mapping[str, Any],
    studies: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
) -> str:
    """The card; what ``report`` or ``manifest`` does not say, and a study that was not made, is left out."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    training, base = {**manifest["training"], **manifest.get("effort", {})}, manifest["encoder"]["base"]
    text = environment.get_template(_TEMPLATE).render(
        manifest=manifest,
        report=report,
        training=training,
        base=base,
        promise=manifest["promise"],
        max_characters=MAX_CHARACTERS,
        megabytes=sum(facts["bytes"] for facts in manifest["files"].values()) / 1e6,
        logs=parts.logs_table(manifest),
        splits=parts.splits_table(manifest, report),
        epochs="; ".join(f"{e['epoch']}: loss {e['loss']:.3f}, selection {e['selection_accuracy']:.3f}" for e in training["history"]),
        time=parts.time_text(training) if "seconds" in training else "",
        figures=figures_table(report, "en"),
        calibration=parts.calibration_table(report),
        diagrams=report.get("run", {}).get("diagrams", []),
        slices=list(parts.slice_tables(report)),
        studies={name: study_table(rows) for name, rows in studies.items()},
        pruning=parts.pruning_text(check, base["pieces"]),
        export=parts.export_text(manifest["encoder"]["export"]),
        hashes=parts.hashes_table(manifest, report),
    )
    return text + "\n"


def ship(
    candidate: Path,
    report: Mapping[str, Any],
    check: Mapping[str, Any],
    target: Path,
    studies: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
) -> None:
    """Copy the evaluated candidate to ``target`` with its card; refuses a report about another bundle."""
    bundle = open_bundle(candidate)
    if report["bundle"]["sha256"] != bundle.identity.sha256:
        raise MaterialError("the report is about another bundle; run the evaluation again")
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(candidate, partial)
    (partial / layout.CARD).write_text(write_card(bundle.manifest, report, check, studies), "utf-8")
    summary = {suite: {name: measure["value"] for name, measure in measures_of(report, suite).items()} for suite in _SUITES}
    facts = {name: value for name, value in bundle.manifest.items() if name not in ("files", "format")}
    layout.write_manifest(partial, {**facts, "evaluation": {"verdict": report["verdict"], **summary}})
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def write_readmes(report: Mapping[str, Any], readmes: Mapping[str, Path]) -> None:
    """Replace the figures in the READMEs; one that does not exist is passed over."""
    for language, path in readmes.items():
        if path.is_file():
            path.write_text(with_figures(path.read_text("utf-8"), figures_table(report, language), name=path.name), "utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    for name in ("--bundle", "--report", "--base-check", "--target"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--studies", type=Path, default=Path("models/studies"), help="folder of studies; may be missing")
    args = parser.parse_args(argv)
    report, check = (json.loads(path.read_text("utf-8")) for path in (args.report / "evaluation.json", args.base_check))
    ship(args.bundle, report, check, args.target, read_studies(args.studies))
    shutil.copytree(args.report, SHIPPED_REPORT, dirs_exist_ok=True)
    write_readmes(report, READMES)


if __name__ == "__main__":
    main()
