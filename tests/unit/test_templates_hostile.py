"""Templates that try to be more than text are refused when they are saved, each with its reason; good ones are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pack_kit import RETAIL, TEMPLATES, changed, mistakes_of, only, write_pack
from yingda.domain.tone import Style
from yingda.pack import read_knowledge
from yingda.pack.variables import check_template

KNOWN = frozenset({"称呼", "订单号"})
HOSTILE = [
    ("{__class__}", "no variable name"),
    ("{0.__class__}", "no variable name"),
    ("{称呼.__class__.__mro__}", "no variable name"),
    ("{称呼[0]}", "no variable name"),
    ("{a!r:>10}", "no variable name"),
    ("{称呼!r}", "no variable name"),
    ("{称呼:>1000000000}", "no variable name"),
    ("{0}", "no variable name"),
    ("{}", "names no variable"),
    ("{ }", "names no variable"),
    ("{{7*7}}", "braces are not balanced"),
    ("{{称呼}}", "braces are not balanced"),
    ("{{{{{{{{称呼", "braces are not balanced"),
    ("{称呼", "braces are not balanced"),
    ("称呼}", "braces are not balanced"),
    ("{称{呼}}", "braces are not balanced"),
    ("{% for x in y %}", "another template language"),
    ("{%称呼%}", "another template language"),
    ("{# note #}", "another template language"),
    ("${称呼}", "another template language"),
    ("#{称呼}", "another template language"),
    ("$(reboot)", "another template language"),
    ("<% 称呼 %>", "another template language"),
    ("%(称呼)s", "another template language"),
    ("您好\x00", "control character"),
    ("您好\x1b[31m", "control character"),
    ("您好\x85", "control character"),
    ("您好\r\n", "control character"),
    ("您好\u2028", "control character"),
    ("您好\u202e好您", "writing direction"),
    ("您\u2066好", "writing direction"),
    ("您\u200b好", "invisible"),
    ("{称\u200b呼}", "invisible"),
    ("您\u200d好", "invisible"),
    ("您好\ufeff", "invisible"),
    ("pay\u00adpal", "invisible"),
    ("您好\ud800", "not valid text"),
    ("您好\ue000", "not valid text"),
    ("<script>alert(1)</script>", "HTML"),
    ("< img src=x onerror=alert(1)>", "HTML"),
    ("</p>", "HTML"),
    ("<!-- x -->", "HTML"),
    ("&lt;script&gt;", "HTML entities"),
    ("&#60;b&#62;", "HTML entities"),
    ("javascript:alert(1)", "script address"),
    ("｛称呼｝", "full-width braces"),
    ("{单号}", "unknown variable '{单号}'"),
    ("{称呼 }", "no variable name"),
    ("{" + "长" * 40 + "}", "no variable name"),
    ("字" * 2001, "2,001 characters; write at most 2,000"),
    ("{称呼}" * 21, "uses 21 variables; use at most 20"),
    ("{" * 100_000, "100,000 characters"),
    ("{a" * 999, "braces are not balanced"),
]


@pytest.mark.parametrize(("text", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_template_is_refused_with_its_reason(text: str, reason: str) -> None:
    reasons = check_template(text, KNOWN)
    assert any(reason in found for found in reasons), reasons
    assert all(found.isprintable() and len(found) < 200 for found in reasons)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{称呼}好，订单 {订单号}。",
        "第一行\n第二行",
        "👨‍👩‍👧 ❤️",
        "5 < 6，A&B，100%，$5",
        "价格 <3 元",
        "می‌خواهم",
        "“人工”「我的」→「设置」",
    ],
)
def test_plain_text_is_accepted(text: str) -> None:
    assert check_template(text, KNOWN) == []


def test_names_are_not_checked_when_they_are_not_known() -> None:
    assert check_template("{任何}", None) == []
    assert check_template("{__class__}", None) != []


@pytest.mark.parametrize("text", ["{__class__}", "${称呼}", "<b>您好</b>", "您\u202e好"])
@pytest.mark.parametrize(("name", "old"), [("templates.yaml", "{答案}"), ("faq-order.yaml", "Within "), ("policy.yaml", "48 小时")])
def test_a_pack_with_a_hostile_text_is_refused_with_its_line(tmp_path: Path, name: str, old: str, text: str) -> None:
    quoted = f"'{text}'" if name == "policy.yaml" else text
    found = mistakes_of(tmp_path, changed(name, old, quoted))
    assert found and all(mistake.startswith(f"{name}:") for mistake in found)


# ---- what templates.yaml may say besides ----

OFFER = '{zh: "回复“人工”", en: "reply “agent”"}'
EMPTY = "{zh: '', en: ''}"
PARTS = f"greeting: {EMPTY}, confirm: {EMPTY}, solution: {{zh: 好, en: ok}}, next: {OFFER}, closing: {EMPTY}"


def more(text: str) -> dict[str, str]:
    return {"templates.yaml": TEMPLATES.replace("outcomes:", text + "outcomes:", 1)}


def test_a_pack_whose_automatic_reply_offers_no_person_is_refused(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, more("person: {zh: 人工, en: agent}\n"))
    assert any("outcome 'clarify' of 'default' on channel 'sms' in 'en' offers no person; write “agent”" in mistake for mistake in found)
    assert not any("handoff" in mistake for mistake in found)


def retail(old: str, new: str) -> dict[str, str]:
    """The templates and the policy of the shipped pack, one text of the templates changed."""
    text = (RETAIL / "templates.yaml").read_text("utf-8")
    assert old in text
    return {"templates.yaml": text.replace(old, new, 1), "policy.yaml": (RETAIL / "policy.yaml").read_text("utf-8")}


def test_a_channel_that_takes_the_offer_away_is_refused(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, retail("转真人回复“人工”。", "谢谢。")))
    assert "outcome 'answered' of 'default' on channel 'sms' in 'zh' offers no person" in found


@pytest.mark.parametrize("before", ["{候选问题}，", "订单 {订单号} 在办，", "订单 {订单号} 在办。\\n"])
def test_an_offer_that_may_be_left_out_with_its_variable_is_refused(tmp_path: Path, before: str) -> None:
    found = mistakes_of(tmp_path, retail('zh: "转真人回复“人工”。"', f'zh: "{before}转真人回复“人工”。"'))
    assert "outcome 'smalltalk' of 'default' on channel 'sms' in 'zh' offers no person" in only(found)


@pytest.mark.parametrize("before", ["{答案}，", "{店铺名称}，", "您也可以问：\\n{候选问题}\\n"])
def test_an_offer_beside_what_is_always_said_is_accepted(tmp_path: Path, before: str) -> None:
    changes = retail('zh: "转真人回复“人工”。"', f'zh: "{before}转真人回复“人工”。"')
    assert only(mistakes_of(tmp_path, {**changes, "keywords.yaml": "version: 1"})).startswith("keywords.yaml")


def test_names_as_service_teams_write_them_are_accepted(tmp_path: Path) -> None:
    changes = {"templates.yaml": TEMPLATES.replace("id: default", "id: V1.0-物流查询模板").replace('"1.0"', '"V1.0-物流查询模板"')}
    templates = read_knowledge(write_pack(tmp_path, changes)).templates
    assert (templates.id, templates.version) == ("V1.0-物流查询模板", "V1.0-物流查询模板")


@pytest.mark.parametrize("name", ["../x", "<b>", "a b", "x" * 65, "{称呼}"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    found = only(mistakes_of(tmp_path, {"templates.yaml": TEMPLATES.replace("id: default", f"id: '{name}'")}))
    assert found.startswith("templates.yaml:1: field 'id' may hold letters")


def test_tone_channels_and_sets_are_read(tmp_path: Path) -> None:
    text = (
        "tone: {style: lively, pronoun: 你, emoji: false, sign_off: {zh: '{店铺名称}', en: us}}\n"
        "channels:\n  email: {subject: {zh: 回复, en: Reply}}\n"
        f"by_intent:\n  SHIP:\n    id: V1.0-物流查询模板\n    outcomes:\n      answered: {{{PARTS}}}\n"
    )
    templates = read_knowledge(write_pack(tmp_path, more(text))).templates
    assert (templates.tone.style, templates.tone.pronoun, templates.tone.emoji) == (Style.LIVELY, "你", False)
    assert templates.channels["email"]["subject"]["zh"] == "回复"
    assert templates.by_intent["SHIP"].id == "V1.0-物流查询模板"
    assert templates.by_intent["SHIP"].version == "1.0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tone: {pronoun: 亲}\n", "field 'pronoun' is '亲'"),
        ("tone: {style: rude}\n", "field 'style' is 'rude'"),
        ("tone: {sign_off: {zh: '{称呼}', en: x}}\n", "unknown variable '{称呼}'"),
        ("channels: {fax: {next: {zh: a, en: b}}}\n", "unknown field 'fax'"),
        ("channels: {sms: {subject: {zh: a, en: b}}}\n", "unknown field 'subject'"),
        ("channels: {sms: {next: {zh: a}}}\n", "no text for language 'en'"),
        ("channels: {sms: {next: {zh: '{单号}', en: b}}}\n", "unknown variable '{单号}'"),
        ("channels: {sms: {next: {zh: '{承诺时间}', en: b}}}\n", "variable '{承诺时间}' has no value here"),
        ("channels: {sms: {next: {zh: '{答案}', en: b}}}\n", "variable '{答案}' has no value here"),
        ("soothing: {zh: '{称呼}', en: b}\n", "unknown variable '{称呼}'"),
        ("by_intent: {SHIP: {id: x, outcomes: {}}}\n", "the set has no outcome"),
        ("by_intent: {SHIP: {outcomes: {}}}\n", "field 'id' is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    found = mistakes_of(tmp_path, more(text))
    assert any(expected in mistake for mistake in found), found


@pytest.mark.parametrize("name", ["{瞎写}", "{订单号}", "<b>订单号</b>"])
def test_the_name_of_a_fact_is_plain_text(tmp_path: Path, name: str) -> None:
    found = only(mistakes_of(tmp_path, changed("templates.yaml", "order_no: {zh: 订单号", f"order_no: {{zh: '{name}'")))
    assert found.startswith("templates.yaml:4: ")


def test_the_safe_reply_may_hold_no_variable(tmp_path: Path) -> None:
    parts = PARTS.replace("{zh: 好, en: ok}", "{zh: '{店铺名称}', en: ok}")
    found = mistakes_of(tmp_path, {"templates.yaml": f"{TEMPLATES}  blocked: {{{parts}}}\n"})
    assert any("unknown variable '{店铺名称}'" in mistake for mistake in found)
