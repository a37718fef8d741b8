"""Negation holds whatever stands around it; unrelated text changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from yingda.decide.wording import LONGEST_ALONE, Topic, wording_of
from yingda.domain.handoff import Words

WORDS = Words()
PERSON = [phrase for phrase in WORDS.person.phrases if not phrase.isascii()]
UNRELATED = st.text(alphabet="快递单号颜色尺码邮费 ，。！0246", max_size=30)


@given(UNRELATED, st.sampled_from([word for word in WORDS.negation.refusing if not word.isascii()]), st.sampled_from(PERSON), UNRELATED)
def test_a_refused_person_is_never_asked_for(before: str, refusal: str, phrase: str, behind: str) -> None:
    assert Topic.PERSON not in wording_of(WORDS).find(f"{before}，{refusal}{phrase}，{behind}").asserted


@given(
    st.sampled_from(["那就", "也", "我都", "还", "能不能", "这个", "觉得", "再", "老"]),
    st.sampled_from([word for word in WORDS.negation.refusing if len(word) > 1 and not word.isascii()]),
    st.sampled_from(PERSON),
)
def test_no_adverb_makes_a_demand_of_a_refusal(adverb: str, refusal: str, phrase: str) -> None:
    assert wording_of(WORDS).find(f"{adverb}{refusal}{phrase}").denied == {Topic.PERSON}


@given(UNRELATED, st.sampled_from(PERSON), UNRELATED)
def test_unrelated_text_around_a_request_changes_nothing(before: str, phrase: str, behind: str) -> None:
    assert wording_of(WORDS).find(f"{before}，{phrase}，{behind}").asserted == {Topic.PERSON}


@given(UNRELATED, st.sampled_from(PERSON), st.sampled_from(PERSON))
def test_a_request_beside_a_refusal_is_a_request(between: str, refused: str, asked: str) -> None:
    mentions = wording_of(WORDS).find(f"不用{refused}，{between}，{asked}")

    assert mentions.asserted == {Topic.PERSON}
    assert not mentions.denied


@given(st.lists(st.sampled_from([*WORDS.satisfied.alone, *WORDS.satisfied.polite]), max_size=12), st.sampled_from(WORDS.satisfied.alone))
def test_polite_words_around_a_settled_matter_change_nothing(polite: list[str], alone: str) -> None:
    text = "，".join([*polite, alone])
    assert len(text) > LONGEST_ALONE or Topic.SATISFIED in wording_of(WORDS).find(text).asserted


@given(UNRELATED, st.sampled_from(WORDS.satisfied.vetoes), st.sampled_from([w for w in WORDS.satisfied.phrases if "…" not in w]))
def test_a_veto_silences_satisfaction(between: str, veto: str, phrase: str) -> None:
    assert Topic.SATISFIED not in wording_of(WORDS).find(f"{phrase},{between},{veto}").asserted


@given(st.text(max_size=60))
def test_any_text_is_read_without_error_and_no_topic_is_both(text: str) -> None:
    mentions = wording_of(WORDS).find(text)

    assert not mentions.asserted & mentions.denied
