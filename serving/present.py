"""From the engine's decisions to the contract's words; nothing is decided here.

Decisions become plain dicts, so that nothing is built twice and nothing validated on the way out: that they fit the models of
serving/response_schemas.py, which OpenAPI shows, is checked by tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.json import Decoder, Encoder

from serving import response_schemas as out
from yingda.domain.decision import Answer, Candidate, Classification, Reply
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import FaqEntry, Intent, Knowledge
from yingda.domain.rollout import Arm
from yingda.store.codec import JsonObject

_DIGITS = 6
_encode, _decode = Encoder().encode, Decoder(dict[str, Any]).decode


def classification_out(found: Classification, *, knowledge: Knowledge, model: ModelIdentity) -> dict[str, Any]:
    """``found`` as /v1/classify tells it: plain JSON, in the order of ClassifyResponse."""
    best, language, sentiment, timing = found.intent, found.language, found.sentiment, found.timing
    intent = knowledge.taxonomy.intents[best.code]
    return {
        "language": {"code": language.code, "confidence": _round(language.confidence)},
        "intent": {
            "code": intent.code,
            "name": _name(intent, language.code),
            "category": intent.category,
            "confidence": _round(best.confidence),
        },
        "decision": found.decision.value,
        "ranking": [{"code": each.code, "confidence": _round(each.confidence)} for each in found.ranking],
        "sentiment": {
            "label": sentiment.label.value,
            "confidence": _round(sentiment.confidence),
            "scores": {label.value: _round(score) for label, score in sentiment.scores.items()},
        },
        "priority": found.priority.value,
        "keywords": [{"text": hit.text, "intent": hit.intent} for hit in found.keywords],
        "entities": [{"type": e.type, "text": e.text, "start": e.start, "end": e.end} for e in found.entities],
        "model": {"version": model.version, "sha256": model.sha256},
        "timing_ms": {
            "total": _ms(timing.total),
            "tokenize": _ms(timing.tokenize),
            "encode": _ms(timing.encode),
            "decide": _ms(timing.decide),
        },
    }


def answer_out(answer: Answer, *, knowledge: Knowledge, model: ModelIdentity, answer_id: str) -> dict[str, Any]:
    """``answer`` as /v1/answer tells it: plain JSON, in the order of AnswerResponse; what became of it in the store is added there."""
    return {
        "outcome": answer.outcome.value,
        "reply": _reply_out(answer.reply),
        "faq": _faq_out(answer, answer.faq, knowledge.faq) if answer.faq else None,
        "candidates": [
            {"id": each.id, "confidence": _round(each.confidence), "similarity": _round(each.similarity)} for each in answer.candidates
        ],
        "classification": classification_out(answer.classification, knowledge=knowledge, model=model),
        "missing": list(answer.missing),
        "handoff": _handoff_out(answer),
        "second_response": answer.second_response,
        # where a release is rolled out, the dialogue puts the drawn arm in its place
        "rollout": {"arm": Arm.AUTOMATED.value, "release": model.version, "send": True, "revision": None},
        "explanation": [each.told() for each in answer.explanation],
        "answer_id": answer_id,
        "timing_ms": {"total": _ms(answer.classification.timing.total)},
    }


def written(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """``told`` with the JSON it is stored as, written once; as it is where only the store knows how to write it, or to refuse it."""
    try:
        text = _encode(told)
        read = _decode(text)
    except (TypeError, ValueError, OverflowError):
        return told
    # what is no JSON, such as NaN, would come back as something else
    return JsonObject(read, text.decode()) if read == told else told


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


def _reply_out(reply: Reply) -> dict[str, Any]:
    parts = reply.parts
    return {
        "text": reply.text,
        "parts": {
            "greeting": parts.greeting,
            "confirm": parts.confirm,
            "solution": parts.solution,
            "next": parts.next,
            "closing": parts.closing,
        },
        "template": {"id": reply.template_id, "version": reply.template_version},
        "language": reply.language,
        "subject": reply.subject,
        "segments": list(reply.segments),
        "blocked": list(reply.blocked),
    }


def _faq_out(answer: Answer, sent: Candidate, entries: Mapping[str, FaqEntry]) -> dict[str, Any]:
    questions = entries[sent.id].question
    told = (questions.get(code) for code in (answer.state.language or "", answer.reply.language, "zh"))
    question = next((text for text in told if text), "") or next(iter(questions.values()))
    return {"id": sent.id, "question": question, "confidence": _round(sent.confidence)}


def _handoff_out(answer: Answer) -> dict[str, Any]:
    handoff = answer.handoff
    return {
        "required": handoff.required,
        "reasons": [reason.value for reason in handoff.reasons],
        "skill": handoff.skill,
        "priority": handoff.priority.value,
        "notify": list(handoff.notify),
        "tags": list(handoff.tags),
        # thanks are answered while a person has the conversation, and release nothing
        "released": not handoff.required and answer.state.standing is None,
    }


def _name(intent: Intent, language: str) -> str:
    # Who writes neither Chinese nor English reads the English name more likely than the Chinese one.
    return intent.name(language if language in intent.names or language == "und" else "en")


def _round(value: float) -> float:
    return round(value, _DIGITS)


def _ms(value: float) -> float:
    return round(value, 3)
