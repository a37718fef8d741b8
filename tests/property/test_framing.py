"""A frame comes off whole, once, and nothing else does."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from yingda.decide.framing import LEAST, framing_of
from yingda.decide.wording import Topic, wording_of
from yingda.domain.handoff import Words
from yingda.text.normalise import normalise

WORDS = Words()
FRAMING = framing_of(WORDS)
CALLS, LEADS, CLOSINGS = WORDS.framing.calls, WORDS.framing.leads, WORDS.framing.closings
REFUSALS = [f"{refusing}{person}" for refusing in ("不用", "先别", "不需要") for person in ("转人工", "找人工", "人工")]
MARKS = st.sampled_from(["，", " ", "。", "！", "~", "，，"])
PIECES = st.sampled_from(
    [*CALLS, *LEADS, *CLOSINGS, *REFUSALS, "转人工", "我要投诉", "没解决", "退货", "运费多少", "2", "，", " ", "?", "的", "下单"]
)
MATTERS = st.text(alphabet="快递颜色尺码邮费多久到0246", min_size=LEAST, max_size=20).map(normalise)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=10).map("".join)))
def test_a_question_is_a_stretch_of_its_text_with_substance_and_asks_itself(raw: str) -> None:
    text = normalise(raw)
    question = FRAMING.question(text)

    assert len(question) <= len(text)
    assert question in text
    assert FRAMING.question(question) == question
    assert question == text or len(re.findall(r"[^\W_]", question)) >= LEAST


@given(st.lists(PIECES, max_size=10).map("".join))
def test_what_a_text_asserts_its_question_asserts_and_only_a_person_is_denied_outside(raw: str) -> None:
    text, wording = normalise(raw), wording_of(WORDS)
    whole, left = wording.find(text), wording.find(FRAMING.question(text))

    assert whole.asserted <= left.asserted
    assert whole.denied - {Topic.PERSON} <= left.denied


@given(
    st.lists(st.one_of(st.sampled_from(LEADS), st.tuples(st.sampled_from([*CALLS, *REFUSALS]), MARKS).map("".join)), max_size=4).map(
        "".join
    ),
    MATTERS,
    st.one_of(st.just(""), st.tuples(MARKS, st.sampled_from([*CLOSINGS, *REFUSALS])).map("".join)),
)
def test_whatever_frames_a_matter_the_matter_is_the_question(before: str, matter: str, behind: str) -> None:
    question = FRAMING.question(normalise(before + matter + behind))

    assert question.rstrip("!") == matter  # a question keeps its mark


@given(MATTERS)
def test_a_bare_matter_is_its_own_question(matter: str) -> None:
    assert FRAMING.question(matter) == matter
