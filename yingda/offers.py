"""Entries to bring up besides the one that was matched: to the customer in a second try, to the person who takes over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain

from yingda.decide.conversation import LIKELY
from yingda.decide.policy import next_best
from yingda.decide.wording import SILENT
from yingda.domain.conversation import Asked
from yingda.domain.decision import Acceptance, Candidate
from yingda.domain.knowledge import DISPLEASED, Knowledge
from yingda.turn import WORTH_OFFERING, Matches, Reading, Turn, has_a_matter, may_be_offered, worth_offering


class Offers:
    """What a question may be about, among the entries to ask about (``offerable``, by intent and by category).

    ``match`` is the confidence from which an entry is sent.
    """

    def __init__(
        self, knowledge: Knowledge, offerable: Mapping[str, tuple[str, ...]], read: Callable[[Sequence[str]], Reading], *, match: float
    ) -> None:
        self._knowledge, self._offerable, self._read, self._match = knowledge, offerable, read, match

    def around(self, question: Asked, seen: Collection[str]) -> list[str]:
        """What the open question may be about: its own entry, others of the intent, then of the category, the most similar first."""
        return self._near(question.about, self._read([question.text]).rows[0].matches, seen)

    def further(self, question: Asked, seen: Collection[str]) -> list[str]:
        """What the open question may have meant besides ``seen``: what is likely by its words, then what is around it."""
        row = self._read([question.text]).rows[0]
        return self._likely_first(next_best(row.candidates, tuple(seen)), question.about, row.matches, seen)

    def suggested(self, turn: Turn, candidates: Sequence[Candidate], tried: Sequence[str]) -> list[str]:
        """Entries worth sending by the person who takes over, best first, without those ``tried``.

        They are about the matter that the message names. One that names none (转人工, 还是没用, 我要投诉) leaves the open question, or
        what the customer has read last where that has nothing to send.
        """
        if about := self._matter(turn, candidates):
            return self._likely_first(next_best(candidates, tried), about, turn.read.matches, tried)
        last = self._knowledge.faq.get(tried[-1]) if tried else None
        asked = (turn.state.question, Asked(last.id, last.question["zh"]) if last else None)
        for question in asked:
            if question is not None and (found := self.further(question, tried)):
                return found
        return [entry.id for entry in worth_offering(self._knowledge, next_best(candidates, tried), least=0)]

    def _matter(self, turn: Turn, candidates: Sequence[Candidate]) -> str | None:
        """The entry or the intent that the message itself is about; None where it names no matter.

        Where what may not be offered comes first (转人工，发票开错了), the best entry besides counts by what is left for it. Words of
        displeasure look like much: there an entry has to be sure enough to be sent.
        """
        faq, found = self._knowledge.faq, turn.classification
        if candidates[0].confidence >= self._match and has_a_matter(self._knowledge, faq[candidates[0].id]):
            return candidates[0].id
        if found.sentiment.label in DISPLEASED:
            return None
        others = [each for each in candidates if may_be_offered(self._knowledge, faq[each.id])]
        left = 1.0 - sum(each.confidence for each in candidates if each not in others)
        if others and others[0].confidence >= max(WORTH_OFFERING, LIKELY * left):
            return others[0].id
        is_sure = found.decision is Acceptance.ACCEPT and turn.mentions == SILENT
        return found.intent.code if is_sure and found.intent.code in self._offerable else None

    def _likely_first(self, candidates: Sequence[Candidate], about: str, matches: Matches, seen: Collection[str]) -> list[str]:
        likely = worth_offering(self._knowledge, candidates, least=0)
        return list(dict.fromkeys((*(entry.id for entry in likely), *self._near(about, matches, seen))))

    def _near(self, about: str, matches: Matches, seen: Collection[str]) -> list[str]:
        """The entry ``about``, others of its intent, or of the intent of that code, then of the category, the most similar first."""
        entry = self._knowledge.faq.get(about)
        intent = self._knowledge.taxonomy.intents.get(entry.intent if entry else about)
        if intent is None:
            return []
        near = (matches.nearest(self._offerable.get(code, ())) for code in (intent.code, intent.category))
        own = [entry.id] if entry and may_be_offered(self._knowledge, entry) else []
        return [each for each in dict.fromkeys(chain(own, *near)) if each not in seen]
