"""Conversations, decisions and feedback: what was said, why, and what people thought of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from serving import conversation_schemas as schemas
from serving.auth import demand, needs
from serving.body import StrictRoute
from serving.contract import BODY, GUARDED, problems
from serving.errors import FieldError, ProblemError, validation_problem
from serving.keys import Scope
from serving.knowledge_work import DeskDependency
from serving.routes import ServiceDependency, as_json
from serving.service import Engine, Service
from yingda.decide.counterfactual import Flip
from yingda.domain.knowledge import Knowledge
from yingda.store.audit import hidden_name
from yingda.store.codec import encode_state
from yingda.store.memory import Memory
from yingda.store.originals import opened
from yingda.store.records import Feedback, Masked, Reused, StoredHandoff, StoredTurn, Unknown
from yingda.store.vault import CUSTOMER, TEXT, Vault, VaultError
from yingda.text.masking import mask

router = APIRouter(route_class=StrictRoute, tags=["converse"])

_BODY = problems(*GUARDED, *BODY, 404)
_GIVEN = problems(*GUARDED, *BODY, 404, 409)
RecordUnmask = Callable[[Request, str, str], Awaitable[None]]
"""Puts on record who does what to whom, before it is done; what it raises stops it."""

_READ = problems(*GUARDED, 404, 422)
ConversationId = Annotated[str, Path(max_length=128, description="The name that its messages were sent with.")]
AnswerId = Annotated[str, Path(max_length=128, description="`answer_id` of an answer.")]


@router.post(
    "/v1/feedback",
    operation_id="giveFeedback",
    summary="Say how an answer was",
    response_model=schemas.FeedbackResponse,
    responses=_GIVEN,
    dependencies=[needs(Scope.FEEDBACK)],
)
async def give_feedback(body: schemas.FeedbackRequest, service: ServiceDependency) -> Response:
    """Stores a rating or a correction; corrections become labels for retraining."""
    _check_labels(body, service.engine.knowledge)
    feedback = Feedback(
        answer_id=body.answer_id,
        digest=_digest(body),
        at=service.clock(),
        rating=body.rating,
        helpful=body.helpful,
        reasons=tuple(body.reasons),
        correct_intent=body.correct_intent,
        correct_faq=body.correct_faq,
        comment=Masked(mask(body.comment)) if body.comment else None,
    )
    try:
        counted = await service.look_up(lambda memory: memory.add_feedback(feedback))
    except Unknown:
        raise _not_found("answer") from None
    except Reused as error:
        raise ProblemError(409, "message_id_reused", str(error)) from None
    return as_json(schemas.FeedbackResponse(answer_id=body.answer_id, counted=counted))


@router.get(
    "/v1/conversations/{conversation_id}",
    operation_id="readConversation",
    summary="Read a conversation",
    response_model=schemas.ConversationResponse,
    responses={**_READ, **problems(409, meanings={409: "No originals are kept here."})},
    dependencies=[needs(Scope.ANSWER)],
)
async def read_conversation(
    conversation_id: ConversationId,
    request: Request,
    service: ServiceDependency,
    unmask: Annotated[bool, Query(description="Originals, too; needs the scope `data:unmask` and is put on record.")] = False,
) -> Response:
    """Its turns, decisions and hand-offs; personal data is masked."""
    vault = await _allowed_vault(request, service, conversation_id) if unmask else None
    return as_json(await service.look_up(partial(_conversation, conversation_id, vault)))


@router.post(
    "/v1/conversations/{conversation_id}/release",
    operation_id="releaseConversation",
    summary="Give a conversation back to the bot",
    response_model=schemas.ReleaseResponse,
    responses=_BODY,
    dependencies=[needs(Scope.ANSWER)],
)
async def release_conversation(conversation_id: ConversationId, body: schemas.ReleaseRequest, service: ServiceDependency) -> Response:
    """Ends a standing hand-off; from now on the bot answers again."""
    now = service.clock()
    try:
        await service.look_up(lambda memory: memory.release(conversation_id, by=body.by, at=now))
    except Unknown:
        raise _not_found("conversation") from None
    return as_json(schemas.ReleaseResponse(conversation_id=conversation_id, released=True))


@router.get(
    "/v1/decisions/{answer_id}",
    operation_id="readDecision",
    summary="Ask why an answer was given",
    response_model=schemas.DecisionResponse,
    responses=_READ,
    dependencies=[needs(Scope.ANSWER)],
)
async def read_decision(answer_id: AnswerId, service: ServiceDependency, desk: DeskDependency) -> Response:
    """The decision with its scores, keywords, rules, thresholds and versions, and the smallest changes that would flip it.

    Once other knowledge was published, that of then is put together again from the store (`basis` is `rebuilt`).
    """
    turn = await service.look_up(lambda memory: memory.turn(answer_id))
    if turn is None:
        raise _not_found("answer")
    engine, facts = service.engine, turn.facts
    then = None
    if (facts.bundle, facts.knowledge) != (engine.identity.sha256, engine.knowledge.digest):
        # put together on a thread of its own, so that no message waits for it
        then = await desk.engine_then(facts.bundle, facts.knowledge, turn.at)
    return as_json(await service.take_turn(partial(_decision, turn, engine, then, desk.keeps_records, service.vault)))


def _decision(
    turn: StoredTurn, engine: Engine, then: Engine | None, kept: bool, vault: Vault | None, memory: Memory
) -> schemas.DecisionResponse:
    # Imported here: they bring the model runtime, which printing the contract does not need.
    from yingda.replay.explain import Because, explain_turn
    from yingda.replay.originals import Originals

    because = Because.NOT_REPRODUCED if kept else Because.NO_RECORDS
    # the original is decided on and not told, so that it takes no scope of its own
    why = explain_turn(engine, memory, turn, then=then, because=because, original=Originals(vault).of)
    facts = turn.facts
    return schemas.DecisionResponse(
        answer_id=turn.turn_id,
        conversation_id=turn.conversation_id,
        at=turn.at,
        text=turn.text,
        versions=schemas.VersionsOut(release=facts.release, bundle_sha256=facts.bundle, knowledge=facts.knowledge),
        answer={**turn.answer, "stored": True},
        state=encode_state(turn.state),
        keywords=turn.answer.get("classification", {}).get("keywords", []),
        rules=[schemas.FiredRuleOut(id=r.id, document=r.document, description=r.description, sets=dict(r.sets)) for r in why.rules],
        thresholds=schemas.ThresholdsOut(**why.thresholds) if why.thresholds else None,
        limits=dict(why.limits) if why.limits else None,
        basis=why.basis.value,
        basis_reason=schemas.BasisReasonOut(code=why.because.value, zh=why.because.chinese(), en=why.because.english())
        if why.because
        else None,
        today=schemas.DecidedOut.model_validate(asdict(why.today)) if why.today else None,
        replayed=why.replayed.value,
        text_read=why.text_read.value,
        would_flip=None if why.would_flip is None else [_flip_out(flip) for flip in why.would_flip],
    )


def _flip_out(flip: Flip) -> schemas.FlipOut:
    after = schemas.DecidedOut.model_validate(asdict(flip.after))
    return schemas.FlipOut(
        change=flip.name, now=flip.now, then=flip.then, size=round(flip.size, 6), zh=flip.chinese(), en=flip.english(), after=after
    )


async def _allowed_vault(request: Request, service: Service, conversation_id: str) -> Vault:
    """The vault, for callers who may read originals, once their reading is on record; raises ProblemError."""
    demand(request.scope, Scope.DATA_UNMASK, remedy="use a key that carries it, or leave unmask out")
    if service.vault is None:
        raise ProblemError(409, "no_vault", "no originals are kept here; set YINGDA_VAULT_KEYS to keep them from now on")
    await request.app.state.record_unmask(request, "conversation.unmask", hidden_name("conversation", conversation_id))
    return service.vault


def _original(turn: StoredTurn, vault: Vault | None) -> schemas.OriginalOut | None:
    try:
        found = opened(turn, vault)
    except VaultError as error:
        raise ProblemError(500, "original_unreadable", str(error)) from None
    return schemas.OriginalOut(text=found[TEXT], customer=found.get(CUSTOMER)) if TEXT in found else None


def _conversation(conversation_id: str, vault: Vault | None, memory: Memory) -> schemas.ConversationResponse:
    turns = memory.turns(conversation_id)
    if not turns:
        raise _not_found("conversation")
    state, _ = memory.recall(conversation_id)
    return schemas.ConversationResponse(
        conversation_id=conversation_id,
        standing=list(state.standing.reasons) if state.standing else [],
        turns=[_turn_out(turn, _original(turn, vault)) for turn in turns],
        handoffs=[_handoff_out(handoff) for handoff in memory.handoffs(conversation_id)],
    )


def _turn_out(turn: StoredTurn, original: schemas.OriginalOut | None) -> schemas.TurnOut:
    facts = turn.facts
    return schemas.TurnOut(
        answer_id=turn.turn_id,
        at=turn.at,
        message_id=turn.message_id,
        text=turn.text,
        reply=turn.answer.get("reply", {}).get("text", ""),
        outcome=facts.outcome,  # type: ignore[arg-type]  # pydantic turns the stored word into its member
        intent=facts.intent,
        sentiment=facts.sentiment,
        faq=facts.faq,
        reasons=list(facts.reasons),
        original=original,
    )


def _handoff_out(handoff: StoredHandoff) -> schemas.HandoffRecordOut:
    return schemas.HandoffRecordOut(
        reasons=list(handoff.opened.reasons),
        opened_at=handoff.opened.at,
        released_at=handoff.released_at,
        released_by=handoff.released_by,
        package=schemas.HandoffPackageOut.model_validate(handoff.opened.package),
    )


def _digest(body: schemas.FeedbackRequest) -> str:
    """What makes feedback the same: its ``message_id`` where it has one, else all that it says."""
    told = body.model_dump_json(include={"answer_id", "message_id"}) if body.message_id else body.model_dump_json(exclude={"message_id"})
    return sha256(told.encode()).hexdigest()


def _check_labels(body: schemas.FeedbackRequest, knowledge: Knowledge) -> None:
    errors = []
    if body.correct_intent is not None and body.correct_intent not in knowledge.taxonomy.intents:
        errors.append(FieldError(pointer="/correct_intent", code="unknown_intent", detail="no such intent; see /v1/intents"))
    if body.correct_faq is not None and body.correct_faq not in knowledge.faq:
        errors.append(FieldError(pointer="/correct_faq", code="unknown_faq", detail="no such entry; see /v1/faq"))
    if errors:
        raise validation_problem(errors)


def _not_found(what: str) -> ProblemError:
    return ProblemError(404, f"{what}_not_found", f"no such {what} is stored; check its id")
