"""The recipe, top to bottom: normalise, understand, retrieve, decide, reply. There is no second path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from yingda.cache import Cache, CacheInfo, Digests
from yingda.decide.context import InContext, Manner, is_fragment, only_points, read_in_context, read_together, without_asides
from yingda.decide.conversation import resumed, says_again
from yingda.decide.policy import KEEP_OFFERED, Evidence, Offer, Verdict, decide
from yingda.decide.ruled import apply_rules, rule_input
from yingda.decide.rules import combined, compile_rules, known_names
from yingda.decide.wording import SILENT, wording_of
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    LanguageGuess,
    Outcome,
    Reason,
    Step,
)
from yingda.domain.knowledge import DISPLEASED, OUT_OF_SCOPE, FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.domain.rules import RuleOutcome
from yingda.offers import Offers
from yingda.reader import CANDIDATES, RANKED, Reader
from yingda.reader import Calibration as Calibration
from yingda.reader import Encoder as Encoder
from yingda.reader import Model as Model
from yingda.reader import gather_views as gather_views
from yingda.reader import judge_views as judge_views
from yingda.reply.compose import SMALL_TALK
from yingda.reply.language import FRAMES, frame_of, written_languages
from yingda.reply.needs import Needs, needs_of, wanted_facts, with_spoken
from yingda.reply.request import ReplyRequest, is_opening
from yingda.reply.writer import ReplyWriter
from yingda.retrieve.index import FaqIndex
from yingda.text.masking import mask
from yingda.text.normalise import normalise
from yingda.turn import (
    OFFERED,
    TOGETHER,
    Reading,
    Turn,
    besides,
    clock_of,
    english_words,
    evidence_of,
    facts_asked,
    has_read,
    introduced,
    language_of,
    match_step,
    may_be_offered,
    offerable,
    reply_steps,
    situation_of,
    strays,
    told_outcome,
    topic_of,
    worth_offering,
)
from yingda.understand.entities import find_entities
from yingda.understand.intent import judge, rank_intents
from yingda.understand.named import NamedFacts

_GENERAL = "GENERAL"
_UPSET = frozenset({Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT})

_WARM_UP = ("你好，在吗", "Hello, is anyone there?")


class Engine:
    """Decides about messages. Immutable after construction; threads may share it.

    What it makes of a text it keeps for up to ``cache_size`` texts, 0 for none: a text that comes again is not encoded again, and
    the answer is the same, bit for bit. A text is looked up by its normalised form and kept as a digest; nothing of who wrote it
    is kept. Other knowledge or another bundle is another engine, and starts with nothing.
    """

    def __init__(self, model: Model, index: FaqIndex, knowledge: Knowledge, *, cache_size: int = 0) -> None:
        self.identity = model.identity
        self.knowledge = knowledge
        self._model = model
        self._index = index
        self._wording = wording_of(knowledge.handoff.words)
        self._writer = ReplyWriter(knowledge)
        self._reader = Reader(model, index, knowledge, self._wording, cache_size=cache_size)
        self._named, self._english, self._written = NamedFacts(knowledge), english_words(knowledge), written_languages(knowledge)
        self._digests, self._impersonal = Digests(), Cache[bool](cache_size)
        self._offerable = offerable(knowledge)
        self._offers = Offers(knowledge, self._offerable, self.read, match=model.thresholds.match)
        names = known_names(knowledge, skills=knowledge.handoff.skills)
        self._rules = tuple(compile_rules(document.text, known=names) for document in knowledge.rules)

    @property
    def index(self) -> FaqIndex:
        """The index in use; the engine that follows takes vectors over from it."""
        return self._index

    def cache_info(self) -> CacheInfo:
        """How often a text was known already, since the engine was made."""
        return self._reader.cache_info()

    def warm_up(self) -> None:
        """Answer a Chinese and a Latin message, so that no customer waits for what loads on first use."""
        self.answer_many([Message(text) for text in _WARM_UP])

    def classify(self, message: Message, *, top_k: int = 3) -> Classification:
        """Intent, sentiment, language and evidence for one message."""
        return self.classify_many([message], top_k=top_k)[0]

    def answer(self, message: Message) -> Answer:
        """The whole decision about one message, with the written reply."""
        return self.answer_many([message])[0]

    def classify_many(self, messages: Sequence[Message], *, top_k: int = 3) -> list[Classification]:
        """One classification a message, in order; ``top_k`` intents in each ranking."""
        if not messages:
            return []
        reading = self.read([message.text for message in messages])
        return [self._classify(message, reading, row, top_k) for row, message in enumerate(messages)]

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """One answer a message, in order; the conversation of message i stands in ``states`` i, and after it in the answer.

        Raises ValueError when there are not as many states as messages.
        """
        if not messages:
            return []
        reading = self.read([message.text for message in messages])
        given = [NEW] * len(messages) if states is None else states
        turns = [self._turn(*pair, reading, row) for row, pair in enumerate(zip(messages, given, strict=True))]
        return [self._answer(turn) for turn in self._read_again(turns)]

    def read(self, raw_texts: Sequence[str]) -> Reading:
        """Normalise, encode what was not read before, fuse the views and calibrate; as ``Reader.read``."""
        return self._reader.read(raw_texts)

    def _classify(self, message: Message, reading: Reading, row: int, top_k: int) -> Classification:
        start = perf_counter()
        thresholds, read = self._model.thresholds, reading.rows[row]
        ranking = read.ranking if top_k <= RANKED else rank_intents(read.intents, self._model.intents, top_k=top_k)
        decision = judge(ranking, threshold=thresholds.intent, ambiguity=thresholds.ambiguity)
        given = message.language
        language = LanguageGuess(re.split("[-_]", given)[0].lower(), 1.0) if given else read.language
        entities = find_entities(message.text, self._named)
        # an ambiguous message shows both intents, however few the caller asked for
        shown = ranking[: max(top_k, 2) if decision is Acceptance.AMBIGUOUS else top_k]
        return Classification(
            language=language,
            intent=ranking[0],
            decision=decision,
            ranking=shown,
            sentiment=read.sentiment,
            priority=self.knowledge.taxonomy.intents[ranking[0].code].priority,
            keywords=read.keywords,
            entities=entities,
            timing=reading.timings[row].plus(1000 * (perf_counter() - start)),
        )

    def _turn(self, message: Message, state: ConversationState, reading: Reading, row: int) -> Turn:
        read, classification = reading.rows[row], self._classify(message, reading, row, top_k=RANKED)
        current = introduced(resumed(state, message.at, self.knowledge.handoff), message.customer)
        asked = self.knowledge.faq.get(current.question.about) if current.question else None
        shown = {normalise(text): id_ for id_ in current.offered if (one := self.knowledge.faq.get(id_)) for text in one.question.values()}
        wanted = wanted_facts(asked, self.knowledge, message) if asked else ()
        original, entities = message.text, classification.entities
        if read.framed:  # 你好，第二个 chooses, and 不用转人工，订单号 … gives a fact
            original, entities = reading.questions[row], find_entities(reading.questions[row], self._named)
        context = read_in_context(original, reading.questions[row], current, entities, wanted, wordings=shown)
        if context.entry is not None and context.entry not in self.knowledge.faq:
            context = InContext()  # the entry was retired since it was offered
        return Turn(message, current, reading.texts[row], reading, row, classification, read.candidates, context, read.mentions)

    def _read_again(self, turns: Sequence[Turn]) -> list[Turn]:
        """The turns, those that could not be decided read once more where the conversation or the wording helps."""
        found = list(turns)
        if again := [(place, text, step) for place, turn in enumerate(turns) for text, step in self._other_reading(turn)]:
            reading = self.read([text for _, text, _ in again])
            for row, (place, _, step) in enumerate(again):
                found[place] = self._reread(replace(turns[place], fragment=step is TOGETHER), reading, row, step)
        return found

    def _other_reading(self, turn: Turn) -> tuple[tuple[str, Step], ...]:
        """The text to read instead, and why; at most one, none where the message is decided as it stands."""
        settled = turn.state.standing is not None or turn.context.manner is not Manner.ALONE
        if settled or (turn.candidates[0].confidence >= self._model.thresholds.match and not strays(turn, self.knowledge)):
            return ()
        rest = without_asides(turn.question, self._wording)
        if rest != turn.question:
            return ((rest, Step("context", "read without what the customer takes back")),)
        # the same words again are the same question: they complete nothing
        is_new = not any(says_again(turn.state.question, each, turn.message.text) for each in (turn.text, turn.question))
        if turn.state.question is not None and is_new and self._is_fragment(turn):
            return ((read_together(turn.state.question.text, turn.question), TOGETHER),)
        return ()

    def _is_fragment(self, turn: Turn) -> bool:
        """True for a short question without a matter of its own; words of feeling, thanks and idle talk are none."""
        found = turn.classification
        mentions = self._wording.find(turn.question) if turn.read.framed else turn.mentions
        if not is_fragment(turn.question) or mentions != SILENT:
            return False
        if found.sentiment.label in DISPLEASED and not only_points(turn.question):
            return False
        intent = self.knowledge.taxonomy.intents[found.intent.code]
        is_talk = intent.category == _GENERAL and (intent.code != OUT_OF_SCOPE or found.decision is Acceptance.ACCEPT)
        return not is_talk or only_points(turn.question)

    def _reread(self, turn: Turn, reading: Reading, row: int, step: Step) -> Turn:
        """``turn`` as read again, where that decides it or brings better candidates; mood and facts are those of the message alone.

        What the customer has read already decides nothing: the fragment asks for more than that.
        """
        found = reading.rows[row].candidates
        candidates = besides(found, turn.state.tried) if step is TOGETHER else found
        match = self._model.thresholds.match
        if not candidates or candidates[0].confidence < min(match, turn.candidates[0].confidence):
            return turn
        if step is TOGETHER and candidates[0].confidence < match and self._names_a_matter(turn):
            return turn
        if step is TOGETHER and strays(turn, self.knowledge) and strays(replace(turn, candidates=candidates), self.knowledge):
            return turn
        own, both = turn.classification, self._classify(turn.message, reading, row, top_k=RANKED)
        mixed = replace(both, sentiment=own.sentiment, entities=own.entities, language=own.language, timing=own.timing.then(both.timing))
        return replace(turn, reading=reading, row=row, classification=mixed, candidates=candidates, again=step)

    def _names_a_matter(self, turn: Turn) -> bool:
        """True where the message's own intent is sure, and has entries to ask about."""
        found = turn.classification
        return found.decision is Acceptance.ACCEPT and found.intent.code in self._offerable

    def _answer(self, turn: Turn) -> Answer:
        start = perf_counter()
        candidates = self._settled_first(turn)
        # a fragment that read together meant nothing would mean anything alone
        sure = candidates[0].confidence >= self._model.thresholds.match and (turn.again is TOGETHER or not turn.fragment)
        accepted = candidates[0] if sure else None
        language = self._language(turn)
        needs = self._needs(turn, candidates, language)
        evidence = self._weigh(turn, candidates, accepted, needs)
        verdict = decide(evidence)
        ruled = self._rule(evidence, verdict)
        verdict = apply_rules(verdict, ruled, evidence)
        offered = self._offered(turn, candidates, verdict)
        entry = evidence.accepted if verdict.outcome is Outcome.ANSWERED else None
        request = ReplyRequest(
            with_spoken(turn.message, turn.classification.entities, self.knowledge),
            frame_of(language),
            verdict.outcome,
            evidence.intent,
            entry,
            offered,
            facts_asked(verdict, evidence),
            second_response=verdict.second_response,
            standing=turn.state.standing is not None,
            soothing=evidence.upset or not _UPSET.isdisjoint(verdict.handoff.reasons),
            template=ruled.template,
            situation=situation_of(turn, verdict, offered, needs, entry),
            opening=is_opening(turn.state, turn.message.at),
            unasked=needs.unasked,
            entry_language="" if language in FRAMES else language,
        )
        reply = self._writer.write(request)
        outcome = told_outcome(verdict.outcome, request, reply, withheld=evidence.withheld and evidence.accepted is not None)
        is_aside = verdict.situation in KEEP_OFFERED if outcome is Outcome.CLARIFY else evidence.intent.code in SMALL_TALK
        asked = tuple(each.id for each in offered) if outcome is Outcome.CLARIFY else ()
        choices = turn.state.offered if is_aside else asked
        steps = (match_step(turn, candidates[0], self._index), *turn.steps(), *verdict.steps, *reply_steps(reply))
        timing = turn.classification.timing.plus(1000 * (perf_counter() - start))
        return Answer(
            outcome=outcome,
            reply=reply,
            faq=accepted if outcome is Outcome.ANSWERED else None,
            accepted=accepted,
            candidates=candidates,
            classification=replace(turn.classification, timing=timing),
            missing=reply.missing,
            handoff=verdict.handoff,
            explanation=steps,
            state=replace(verdict.state, offered=choices, language=language),
            second_response=verdict.second_response,
            masked=evidence.masked,
            # an agent alone is told, and an ordinary answer is not to wait for another reading
            suggested=tuple(self._offers.suggested(turn, candidates, verdict.state.tried)) if verdict.handoff.required else (),
        )

    def _weigh(self, turn: Turn, candidates: tuple[Candidate, ...], accepted: Candidate | None, needs: Needs) -> Evidence:
        """All that the policy looks at."""
        knowledge, question = self.knowledge, turn.state.question
        entry = knowledge.faq[accepted.id] if accepted else None
        topic = topic_of(question, knowledge)
        return Evidence(
            turn.message,
            turn.classification,
            knowledge.taxonomy.intents[entry.intent if entry else turn.classification.intent.code],
            entry,
            candidates,
            turn.read.complaint,
            self._model.thresholds,
            state=turn.state,
            text=turn.text,
            policy=knowledge.handoff,
            masked=self._masked(turn.message.text),
            best=knowledge.faq[candidates[0].id],
            topic=topic,
            fragment=turn.again is TOGETHER or turn.context.manner in (Manner.FACTS, Manner.CHOICE),
            only_facts=turn.context.manner is Manner.ONLY_FACTS,
            mentions=turn.mentions,
            # what only the open question brings in is no intent of the message itself
            askable=turn.again is not TOGETHER and turn.classification.intent.code in self._offerable,
            resumable=topic is not None and topic.code in self._offerable,
            hanging=turn.fragment,
            wants=needs.asks,
            withheld=needs.withheld,
            stuck=needs.stuck,
            brings=needs.brings,
            chosen=turn.context.manner is Manner.CHOICE,
            offerable=frozenset(each.id for each in candidates if may_be_offered(knowledge, knowledge.faq[each.id])),
        )

    def _masked(self, text: str) -> str:
        """The text as it was written without personal data; empty, for the decision to mask it if need be, where nothing is kept.

        Kept is only that a text, by its digest, has nothing to mask.
        """
        if self._impersonal.is_off:
            return ""
        key = self._digests.of(text)
        if self._impersonal.get(key):
            return text
        masked = mask(text)
        if masked == text:
            self._impersonal.keep({key: True})
        return masked

    def _rule(self, evidence: Evidence, verdict: Verdict) -> RuleOutcome:
        """What the operator's rules set: what a more urgent row sets, a less urgent one of another file does not change."""
        if not self._rules:
            return RuleOutcome()
        timed = any(rules.tells_time for rules in self._rules)
        seen = rule_input(evidence, verdict, clock=clock_of(self.knowledge, evidence.message) if timed else None)
        return combined(self._rules, seen)

    def _settled_first(self, turn: Turn) -> tuple[Candidate, ...]:
        """The candidates; one that the customer chose, or gave facts for, comes first and is beyond doubt."""
        if turn.context.entry is None:
            return turn.candidates
        settled = Candidate(turn.context.entry, 1.0, evidence_of(turn, turn.context.entry, self._index).cosine)
        return (settled, *(each for each in turn.candidates if each.id != settled.id))[:CANDIDATES]

    def _offered(self, turn: Turn, candidates: Sequence[Candidate], verdict: Verdict) -> tuple[FaqEntry, ...]:
        """Entries to ask the customer about; a second try offers what the open question may have meant besides."""
        question, faq = turn.state.question, self.knowledge.faq
        if verdict.offer is Offer.INTENT:
            own = turn.read.matches.nearest(self._offerable.get(turn.classification.intent.code, ()))
            return tuple(faq[each] for each in own[:OFFERED])
        if verdict.offer is Offer.QUESTION and question is not None:
            around, alone = self._offers.around(question, ()), turn.candidates[0]  # what the fragment by itself would be about
            if alone.confidence >= self._model.thresholds.match and may_be_offered(self.knowledge, faq[alone.id]):
                around.insert(OFFERED - 1, alone.id)
            return tuple(faq[each] for each in tuple(dict.fromkeys(around))[:OFFERED])
        if verdict.situation is not None:
            return ()
        if not verdict.second_response:
            return worth_offering(self.knowledge, candidates, least=2)
        if question is None:
            return worth_offering(self.knowledge, candidates, least=0)
        seen = (*verdict.state.tried, *turn.state.offered)
        return tuple(faq[each] for each in self._offers.further(question, seen)[:OFFERED])

    def _language(self, turn: Turn) -> str:
        """The language the customer is answered in, as far as the shop has it."""
        return language_of(turn, self._english, self._written)

    def _needs(self, turn: Turn, candidates: tuple[Candidate, ...], language: str) -> Needs:
        """What the best entry needs of the customer, who is answered in ``language``."""
        entry, found = self.knowledge.faq[candidates[0].id], turn.classification.entities
        needs = needs_of(entry, self.knowledge, turn.message, language=language, given=turn.state.facts, entities=found)
        # what the customer has read is not held back, nor asked for, unless a value of the message makes it another answer
        return needs.as_read(entry.ask) if has_read(turn) and not needs.filled else needs
