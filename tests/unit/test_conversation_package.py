"""What the person who takes over is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from yingda.decide.package import LONGEST_SUMMARY, build_package, summarise
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Handoff, Outcome, Reason
from yingda.domain.handoff import CustomerProfile, TurnRecord
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Tier


def turn(text: str, intent: str = "ORDER_LOGISTICS", sentiment: Sentiment = Sentiment.NEUTRAL, faq: str | None = None) -> TurnRecord:
    return TurnRecord(None, text, Outcome.ANSWERED, intent, sentiment, faq)


TURNS = (
    turn("你好", "GENERAL_GREETING"),
    turn("快递到哪了", faq="logistics-where"),
    turn("还是没动啊", sentiment=Sentiment.NEGATIVE, faq="logistics-stuck"),
    turn("什么破快递！！", "COMPLAINT_LOGISTICS", Sentiment.ANGRY),
    turn("那退货吧", "AFTER_SALES_RETURN", faq="return-how"),
    turn("转人工", "GENERAL_HUMAN"),
)


HANDOFF = Handoff(True, (Reason.REQUESTED, Reason.VIP), "vip", Priority.HIGH, ("supervisor",), ("大促",))


def test_the_package_holds_the_conversation_and_what_was_tried() -> None:
    state, read = ConversationState(facts=("order_no",)), ("logistics-where", "logistics-stuck", "logistics-where", "return-how")
    customer, worth = CustomerProfile(Tier.VIP, "王女士"), ("return-how", "a", "b", "a", "c", "d")
    package = build_package(TURNS, handoff=HANDOFF, state=state, customer=customer, tried=read, suggested=worth)

    assert package.transcript == TURNS
    assert package.tried == ("logistics-where", "logistics-stuck", "return-how")
    assert package.suggested == ("a", "b", "c")
    assert package.facts == ("order_no",)
    assert package.customer == customer
    assert package.reasons == (Reason.REQUESTED, Reason.VIP)


def test_the_package_says_who_takes_over_how_soon_and_who_is_told() -> None:
    package = build_package(TURNS, handoff=HANDOFF, state=ConversationState())

    assert (package.skill, package.priority, package.notify, package.tags) == ("vip", Priority.HIGH, ("supervisor",), ("大促",))


def test_intents_in_a_row_are_told_once_and_feelings_turn_by_turn() -> None:
    package = build_package(TURNS, handoff=HANDOFF, state=ConversationState())

    assert package.intents == ("GENERAL_GREETING", "ORDER_LOGISTICS", "COMPLAINT_LOGISTICS", "AFTER_SALES_RETURN", "GENERAL_HUMAN")
    assert package.sentiments[3] is Sentiment.ANGRY
    assert len(package.sentiments) == len(TURNS)


def test_the_summary_is_the_first_question_the_strongest_feeling_and_the_last_question() -> None:
    assert summarise(TURNS) == "快递到哪了 … 什么破快递！！ … 那退货吧"


def test_what_is_one_message_is_said_once() -> None:
    assert summarise([turn("快递到哪了")]) == "快递到哪了"


def test_small_talk_alone_is_better_than_nothing() -> None:
    assert summarise([turn("你好", "GENERAL_GREETING")]) == "你好"
    assert summarise([]) == ""


def test_long_texts_share_the_room() -> None:
    summary = summarise([turn("快" * 200), turn("慢" * 200)])

    assert len(summary) == LONGEST_SUMMARY
    assert abs(summary.count("快") - summary.count("慢")) <= 1


def test_a_placeholder_is_never_cut_in_half() -> None:
    summary = summarise([turn("一" * 115 + "〔手机号〕" + "二" * 20)])

    assert summary == "一" * 115 + "…"


@given(
    st.lists(st.builds(turn, st.text(max_size=200), st.sampled_from(["A", "GENERAL_THANKS"]), st.sampled_from(list(Sentiment))), max_size=6)
)
def test_a_summary_is_never_too_long_and_made_of_the_customers_words(turns: list[TurnRecord]) -> None:
    summary = summarise(turns)

    assert len(summary) <= LONGEST_SUMMARY
    assert bool(summary) == any(each.text_masked.strip() for each in turns)


def test_short_texts_stay_whole_beside_long_ones() -> None:
    assert summarise([turn("快" * 200), turn("退货吧")]).endswith("… … 退货吧")
