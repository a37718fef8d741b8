"""From the engine's decisions to the contract's words; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping

from serving import response_schemas as out
from yingda.domain.decision import Answer, Candidate, Classification, Reply
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import FaqEntry, Intent, Knowledge
from yingda.domain.rollout import Arm

_DIGITS = 6


def classification_out(found: Classification, *, knowledge: Knowledge, model: ModelIdentity) -> out.ClassifyResponse:
    """``found`` as /v1/classify tells it."""
    intent = knowledge.taxonomy.intents[found.intent.code]
    sentiment, timing = found.sentiment, found.timing
    return out.ClassifyResponse(
        language=out.LanguageOut(code=found.language.code, confidence=_round(found.language.confidence)),
        intent=out.IntentOut(
            code=intent.code,
            name=_name(intent, found.language.code),
            category=intent.category,
            confidence=_round(found.intent.confidence),
        ),
        decision=found.decision,
        ranking=[out.RankedIntent(code=each.code, confidence=_round(each.confidence)) for each in found.ranking],
        sentiment=out.SentimentOut(
            label=sentiment.label,
            confidence=_round(sentiment.confidence),
            scores={label: _round(score) for label, score in sentiment.scores.items()},
        ),
        priority=found.priority,
        keywords=[out.KeywordOut(text=hit.text, intent=hit.intent) for hit in found.keywords],
        entities=[out.EntityOut(type=e.type, text=e.text, start=e.start, end=e.end) for e in found.entities],
        model=model_out(model),
        timing_ms=out.ClassifyTiming(
            total=_ms(timing.total),
            tokenize=_ms(timing.tokenize),
            encode=_ms(timing.encode),
            decide=_ms(timing.decide),
        ),
    )


def answer_out(answer: Answer, *, knowledge: Knowledge, model: ModelIdentity, answer_id: str) -> out.AnswerResponse:
    """``answer`` as /v1/answer tells it."""
    return out.AnswerResponse(
        outcome=answer.outcome,
        reply=_reply_out(answer.reply),
        faq=_faq_out(answer.faq, knowledge.faq, answer.reply.language) if answer.faq else None,
        candidates=[
            out.CandidateOut(id=each.id, confidence=_round(each.confidence), similarity=_round(each.similarity))
            for each in answer.candidates
        ],
        classification=classification_out(answer.classification, knowledge=knowledge, model=model),
        missing=list(answer.missing),
        handoff=_handoff_out(answer),
        second_response=answer.second_response,
        # where a release is rolled out, the dialogue puts the drawn arm in its place
        rollout=out.RolloutOut(arm=Arm.AUTOMATED, release=model.version, send=True, revision=None),
        explanation=[out.ExplanationStep(step=each.step, detail=each.detail) for each in answer.explanation],
        answer_id=answer_id,
        timing_ms=out.AnswerTiming(total=_ms(answer.classification.timing.total)),
    )


def intents_out(knowledge: Knowledge) -> out.IntentsResponse:
    """The taxonomy as /v1/intents tells it."""
    taxonomy = knowledge.taxonomy
    return out.IntentsResponse(
        version=taxonomy.version,
        categories=[
            out.TaxonomyCategory(
                code=category.code,
                names=dict(category.names),
                intents=[_intent_out(i) for i in taxonomy.intents.values() if i.category == category.code],
            )
            for category in taxonomy.categories
        ],
    )


def model_out(model: ModelIdentity) -> out.ModelOut:
    """Which bundle decided."""
    return out.ModelOut(version=model.version, sha256=model.sha256)


def _intent_out(intent: Intent) -> out.TaxonomyIntent:
    return out.TaxonomyIntent(
        code=intent.code,
        names=dict(intent.names),
        kind=intent.kind,
        priority=intent.priority,
        skill=intent.skill,
        answerable=intent.answerable,
        covers=intent.covers,
        excludes=intent.excludes,
    )


def _reply_out(reply: Reply) -> out.ReplyOut:
    parts = reply.parts
    return out.ReplyOut(
        text=reply.text,
        parts=out.ReplyPartsOut(
            greeting=parts.greeting,
            confirm=parts.confirm,
            solution=parts.solution,
            next=parts.next,
            closing=parts.closing,
        ),
        template=out.TemplateOut(id=reply.template_id, version=reply.template_version),
        language=reply.language,
        subject=reply.subject,
        segments=list(reply.segments),
        blocked=list(reply.blocked),
    )


def _faq_out(sent: Candidate, entries: Mapping[str, FaqEntry], language: str) -> out.FaqOut:
    questions = entries[sent.id].question
    question = questions.get(language) or questions.get("zh") or next(iter(questions.values()))
    return out.FaqOut(id=sent.id, question=question, confidence=_round(sent.confidence))


def _handoff_out(answer: Answer) -> out.HandoffOut:
    handoff = answer.handoff
    return out.HandoffOut(
        required=handoff.required,
        reasons=list(handoff.reasons),
        skill=handoff.skill,
        priority=handoff.priority,
        notify=list(handoff.notify),
        tags=list(handoff.tags),
        # thanks are answered while a person has the conversation, and release nothing
        released=not handoff.required and answer.state.standing is None,
    )


def _name(intent: Intent, language: str) -> str:
    # Who writes neither Chinese nor English reads the English name more likely than the Chinese one.
    return intent.name(language if language in intent.names or language == "und" else "en")


def _round(value: float) -> float:
    return round(value, _DIGITS)


def _ms(value: float) -> float:
    return round(value, 3)
