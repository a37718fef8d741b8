"""The report as one HTML page: whole, well-formed, closed to what customers and packs write, and needing nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from evaluation.examination import Examination
from evaluation.gates import EXAMINATIONS, Gate, Side, check
from evaluation.markdown import to_markdown
from evaluation.metrics import Measure
from evaluation.page import to_html
from evaluation.page.prose import to_markup
from evaluation.page.vector import inline_svg
from evaluation.page.views import gate_views
from evaluation.page.words import EXTRA_WORDS, METRIC_WORDS, TILES
from evaluation.power import least_accepted
from evaluation.provenance import Environment
from evaluation.report import Report, to_json
from evaluation.suites import METRICS, SuiteResult, examine
from evaluation.took import Took
from tests.fakes_evaluation import make_judged, make_row
from yingda.domain.decision import Outcome
from yingda.domain.identity import ModelIdentity

HOSTILE = """<script>alert("1")</script> ' onload='x' & </style><img src=http://evil.example/a.png>"""
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 50" onload="x()">'
    '<metadata>about</metadata><defs><clipPath id="c"><rect width="1"/></clipPath><path id="m" d="M 0 0"/></defs>'
    '<style>*{color:red}</style><script>alert(1)</script><use xlink:href="#m" clip-path="url(#c)"/>'
    '<use xlink:href="http://evil.example/a.svg"/><text style="font-family: Arial; fill: #333333">a &lt; b</text></svg>'
)
VOID = {"meta", "br", "wbr"}
RELEASE = (Gate("test", "wrong_automatic_answers", Side.AT_MOST, 0.5), Gate("test", "coverage", Side.AT_LEAST, 0.9))


class Page(HTMLParser):
    """Tags in order, each closed where it was opened; attributes of every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def suite(name: str = "test", *, text: str = "多久发货") -> SuiteResult:
    right = [make_judged(make_row(category="ORDER", style="plain")) for _ in range(27)]
    wrong = make_judged(make_row(text, category="ORDER", style="typo"), entry="cancel-how", intent="CANCEL", milliseconds=9.0)
    held = make_judged(make_row(category="ORDER", style="typo"), accepted=False, outcome=Outcome.CLARIFY)
    unheard = [make_judged(make_row("改个地址", category="ORDER", style="plain"), accepted=False, outcome=Outcome.CLARIFY)] * 3
    return examine(name, [*right, wrong, held, *unheard], texts=True, categories={"CANCEL": "SALES"})


def report(*suites: SuiteResult, gates: Sequence[Gate] = RELEASE) -> Report:
    found = suites or (suite(),)
    return Report(
        bundle=ModelIdentity("2026.1", "b" * 64),
        pack_digest="d" * 64,
        files={"test-1.jsonl": "f" * 64},
        suites=found,
        gates=check(gates, found),
        environment=Environment("c" * 40, "3.11.9", {"numpy": "2.9.9", "onnxruntime": None}),
    )


def page(found: Report, *, diagrams: Mapping[str, str] | None = None, extras: Sequence[Examination] = ()) -> Page:
    return Page(to_html(found, diagrams=diagrams or {}, extras=extras))


def test_the_page_is_well_formed_with_everything_on_it() -> None:
    found = page(report(suite(), suite("multilingual")), diagrams={"reliability.svg": SVG}, extras=[extra()])

    assert [tag for tag, _ in found.seen].count("h2") == 9


def test_each_gate_says_its_limit_what_was_found_and_by_how_much_it_misses() -> None:
    text = page(report()).text

    assert "评测报告 Evaluation report" in text
    assert "未通过 failed" in text
    assert "≥ 90.00%" in text and "87.50%" in text
    assert "未通过，还差 2.50 个百分点 failed, misses by 2.50 points" in text
    assert "通过，余量 46.88 个百分点 passed, 46.88 points to spare" in text
    assert "test: coverage at least 0.9" in text
    refused = least_accepted(32, 0.9)
    assert refused is not None and f"能挡住 refuses< {100 * refused:.1f}%" in text


def test_failed_gates_come_first_with_messages_to_read_and_passed_ones_are_folded() -> None:
    html = to_html(report(), diagrams={})
    text = Page(html).text

    failed, folded = text.index("misses by 2.50 points"), text.index("通过的门槛 gates passed 1 / 2")
    assert failed < text.index("例如 e.g. 多久发货 test-1.jsonl:1: ship-when expected: clarify, best ship-when (0.99)") < folded
    assert folded < text.index("46.88 points to spare")
    assert "<details>\n<summary>通过的门槛" in html


def test_the_banner_counts_the_gates_that_were_not_checked() -> None:
    kept, skipped = Gate("test", "coverage", Side.AT_LEAST, 0.5), Gate("multilingual", "coverage", Side.AT_LEAST, 0.5, optional=True)

    text = page(report(gates=[kept, skipped])).text

    assert "另有 1 道可选的门槛没有可检查的消息，不在其内。 1 optional gates had no rows and were not checked." in text
    assert "were not checked" not in page(report(gates=[kept])).text


def test_where_every_gate_passed_they_are_all_shown() -> None:
    html = to_html(report(gates=[Gate("test", "coverage", Side.AT_LEAST, 0.5)]), diagrams={})

    assert "<details open>\n<summary>通过的门槛" in html
    assert "例如" not in html


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (Gate("multilingual", "coverage", Side.AT_LEAST, 0.5), "资料包里没有这个测试集"),
        (Gate("test", "out_of_scope_refusal", Side.AT_LEAST, 0.5), "没有计入该指标的消息"),
        (Gate("test", "match_accuracy_lower_bound", Side.AT_LEAST, 0.9), "消息太少"),
    ],
)
def test_an_undecided_gate_says_why(gate: Gate, reason: str) -> None:
    found = report(gates=[gate])

    assert gate_views(found, ())[0].margin is None
    assert f"无法判定：{reason}" in page(found).text


def test_an_optional_gate_without_rows_is_skipped_in_words() -> None:
    found = report(gates=[Gate("multilingual", "coverage", Side.AT_LEAST, 0.5, optional=True)])

    assert "未检查：资料包里没有这个测试集" in page(found).text


def test_the_examinations_of_the_report_are_shown() -> None:
    assert "稳健性 robustness" in page(replace(report(), examinations=(extra(),))).text


def test_a_gate_may_name_the_measure_of_an_examination() -> None:
    results = check([Gate("robustness", "kept", Side.AT_LEAST, 0.5)], [], [extra()])

    (view,) = gate_views(replace(report(), gates=results), [extra()])

    assert view.suite.zh == "稳健性"
    assert view.margin == pytest.approx(0.25)


@pytest.mark.parametrize("name", METRICS)
def test_every_figure_stands_on_the_page_with_its_interval(name: str) -> None:
    tested = suite()
    measure = tested.measures[name]
    text = page(report(tested)).text

    assert METRIC_WORDS[name].zh in text and name in text
    assert ("–" if measure.value is None else f"{100 * measure.value:.1f}%") in text
    if measure.low is not None and measure.high is not None:
        assert f"{100 * measure.low:.1f}–{100 * measure.high:.1f}%" in text


def test_every_metric_has_words_and_tiles_are_metrics() -> None:
    assert set(METRIC_WORDS) == set(METRICS)
    assert set(EXTRA_WORDS) == {name for metrics in EXAMINATIONS.values() for name in metrics}
    assert set(TILES) <= set(METRICS)


def test_slices_confusion_latency_and_provenance_are_shown() -> None:
    text = page(report()).text

    assert "错别字 typo · 2 条" in text
    assert "SHIP → CANCEL" in text
    assert "最慢 max 9.00" in text
    assert all(one in text for one in ("2026.1", "b" * 64, "d" * 64, "f" * 64, "c" * 40, "3.11.9", "2.9.9"))


def test_names_stand_for_codes() -> None:
    html = to_html(report(), diagrams={}, names={"SHIP": "发货时间", "CANCEL": "取消订单", "cancel-how": "怎么取消"})
    text = Page(html).text

    assert "发货时间 → 取消订单" in text
    assert "怎么取消 cancel-how" in text


def test_hostile_texts_are_shown_and_never_run() -> None:
    hostile = report(suite(HOSTILE, text=HOSTILE))
    names = {"cancel-how": HOSTILE, "ORDER": HOSTILE, "SHIP": HOSTILE}
    html = to_html(
        replace(hostile, files={HOSTILE: "f" * 64}, bundle=ModelIdentity(HOSTILE, "b" * 64)),
        diagrams={"a.svg": SVG},
        extras=[Examination(HOSTILE, {HOSTILE: Measure(0.5, 2)}, {}, [HOSTILE, f"# {HOSTILE}", f"| {HOSTILE} |", f"- `{HOSTILE}`"])],
        names=names,
    )

    assert HOSTILE not in html
    assert Page(html).text.count('<script>alert("1")</script>') > 8
    assert_closed(html)


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    assert_closed(to_html(report(), diagrams={"reliability.svg": SVG, "risk-coverage.svg": SVG}, extras=[extra()]))


def test_the_page_fits_a_phone_and_paper() -> None:
    html = to_html(report(suite(), suite("multilingual")), diagrams={"reliability.svg": SVG}, extras=[extra()])
    seen, styles = Page(html).seen, "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    metas = [attributes for tag, attributes in seen if tag == "meta"]

    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    assert any("default-src 'none'" in (meta.get("content") or "") for meta in metas), "a browser would refuse to load anything"
    phone, paper = (styles.split(query, 1)[1] for query in ("@media (max-width:", "@media print {"))
    assert ".tiles" in phone and "@page { size: A4" in styles
    assert "nav, .hint { display: none; }" in paper and "break-inside: avoid" in paper
    assert "details::details-content { content-visibility: visible" in paper, "what is folded on the screen is printed, too"
    # tables that are wider than a phone scroll by themselves, or turn into cards
    tables = [attributes.get("class") or "" for tag, attributes in seen if tag == "table"]
    assert tables and html.count('<div class="scroll"><table') + sum("cards" in kind for kind in tables) == len(tables)


def test_how_long_the_evaluation_took_is_on_every_report() -> None:
    timed = replace(report(), took={"whole": Took(83.04, 61.26), "test": Took(20.0, 18.5)})

    text = page(timed).text
    assert "评测用时 took, whole" in text and "83.0 s CPU 61.3 s" in text
    assert "| whole | 83.0 | 61.3 |" in to_markdown(timed)
    assert json.loads(to_json(timed))["run"]["took"]["test"] == {"wall_s": 20.0, "cpu_s": 18.5}


def assert_closed(html: str) -> None:
    """No scripts, handlers or addresses, also not in styles."""
    seen = Page(html).seen
    assert not {"script", "img", "iframe", "link", "object", "embed", "base", "form", "foreignobject"} & {tag for tag, _ in seen}
    for tag, attributes in seen:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "xmlns")], tag
        assert (attributes.get("href") or "#").startswith("#")
        assert "://" not in (attributes.get("style") or "")
    styles = "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    assert styles and "url(" not in styles and "@import" not in styles


def test_texts_that_may_not_leave_their_file_are_not_on_the_page() -> None:
    private = examine("live/april.jsonl", [make_judged(make_row("我的密码是一二三"), entry="cancel-how")], texts=False)

    assert "密码" not in page(report(suite(), private)).text


def test_a_suite_that_measures_nothing_is_shown_too() -> None:
    empty = examine("live", [make_judged(make_row(intent=None, faq=None), accepted=False)], texts=False)

    assert "没有标注类别的消息" in page(report(empty)).text


def test_without_diagrams_the_page_says_so() -> None:
    assert "matplotlib is not installed" in page(report()).text


def test_the_same_report_gives_the_same_page() -> None:
    assert to_html(report(), diagrams={}) == to_html(report(), diagrams={})


def test_two_diagrams_keep_their_names_apart() -> None:
    html = to_html(report(), diagrams={"reliability.svg": SVG, "risk-coverage.svg": SVG})

    ids = [attributes["id"] for _, attributes in Page(html).seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"d0-m", "d1-m"} <= set(ids)
    assert html.index("风险—覆盖曲线") < html.index("可靠性图")


def test_a_diagram_keeps_its_shapes_alone() -> None:
    svg = inline_svg(SVG, prefix="p-", label='a "b"')

    assert Page(svg).text == "a < b"
    assert not [word for word in ("http", "script", "metadata", "onload", "Arial", "#333333", "<style") if word in svg]
    assert 'href="#p-m"' in svg and "url(#p-c)" in svg and "var(--ink)" in svg


def test_a_diagram_that_is_real_is_inlined() -> None:
    figures = pytest.importorskip("evaluation.figures")
    found = report()

    html = to_html(found, diagrams=figures.draw(found.suites))

    assert [tag for tag, _ in Page(html).seen].count("svg") == 2
    assert_closed(html)


def test_examinations_write_tables_lists_code_and_paragraphs() -> None:
    markup = to_markup(
        ["One **bold**\nline.\n", "## Title", "| a | b |", "| --- | --- |", "| x \\| y | 0.5 [0.4, 0.6] |", "", "- `c`", "- d"]
    )

    assert "<p>One <b>bold</b> line.</p>" in markup
    assert "<h4>Title</h4>" in markup
    assert "<th>a</th><th>b</th>" in markup
    assert '<td>x | y</td><td class="n">0.5 [0.4, 0.6]</td>' in markup
    assert '<ul><li><span class="code">c</span></li><li>d</li></ul>' in markup


def extra() -> Examination:
    return Examination("robustness", {"kept": Measure(0.75, 8, 0.4, 0.9)}, {}, ["Words.", "| a | b |", "| --- | --- |", "| 1 | 2 |"])
