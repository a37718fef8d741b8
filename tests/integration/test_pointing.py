"""Fragments that only point, on the shipped bundle: about the open question, or asked about, never an answer to something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingda.assemble import open_engine
from yingda.domain.conversation import NEW
from yingda.domain.decision import Answer, Outcome, Reason
from yingda.domain.message import Message
from yingda.engine import Engine

BUNDLE = Path(__file__).parents[2] / "models" / "current"
OPEN = ("退款什么时候到账", "怎么开发票", "优惠券怎么用", "衣服想换个尺码怎么换", "怎么修改收货地址", "快递三天没动了")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine(BUNDLE)


def talk(engine: Engine, *texts: str) -> list[Answer]:
    answers, state = list[Answer](), NEW
    for text in texts:
        answers.append(engine.answer_many([Message(text)], [state])[0])
        state = answers[-1].state
    return answers


@pytest.mark.parametrize("question", OPEN)
@pytest.mark.parametrize("fragment", ["那多久到", "还有吗", "还有呢", "在哪", "怎么查", "行吗", "那怎么弄"])
def test_a_fragment_is_about_the_open_question_or_asked_about(engine: Engine, question: str, fragment: str) -> None:
    asked, read = talk(engine, question, fragment)
    taxonomy, faq = engine.knowledge.taxonomy.intents, engine.knowledge.faq

    assert asked.state.question is not None
    about = faq[asked.state.question.about]
    offered = [faq[each] for each in read.state.offered]
    if read.outcome is Outcome.ANSWERED:
        assert read.faq is not None
        assert taxonomy[faq[read.faq.id].intent].category == taxonomy[about.intent].category
    else:
        assert read.outcome is Outcome.CLARIFY
        assert offered
        assert taxonomy[offered[0].intent].category == taxonomy[about.intent].category
    assert read.state.undecided == read.state.out_of_scope == 0


def test_a_question_that_names_its_matter_is_answered_whatever_is_open(engine: Engine) -> None:
    last = talk(engine, "怎么退货", "那多久到账")[-1]

    assert (last.faq and last.faq.id) == "refund-time"


@pytest.mark.parametrize("keyword", ["退款", "发货", "质量问题"])
def test_a_keyword_alone_is_asked_about_among_the_entries_of_its_intent(engine: Engine, keyword: str) -> None:
    answer = talk(engine, keyword)[-1]
    offered = {engine.knowledge.faq[each].intent for each in answer.state.offered}

    assert (answer.outcome, answer.state.undecided) == (Outcome.CLARIFY, 1)
    assert offered == {answer.classification.intent.code}


def test_a_fragment_of_nothing_is_asked_what_it_is_about_and_then_a_person_takes_over(engine: Engine) -> None:
    first, second = talk(engine, "可以吗", "然后呢")

    assert (first.outcome, first.state.undecided) == (Outcome.CLARIFY, 1)
    assert second.handoff.reasons == (Reason.LOW_CONFIDENCE,)


@pytest.mark.parametrize("text", ["你们这是欺诈", "差评"])
def test_what_could_only_be_asked_about_with_nothing_is_not_asked_about(engine: Engine, text: str) -> None:
    answer = talk(engine, text)[0]

    assert (answer.outcome, answer.state.offered) == (Outcome.NO_ANSWER, ())
    assert answer.state.undecided == 1
