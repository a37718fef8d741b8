"""The roll-out over HTTP: where it stands, how people move it on, and how they stop it."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from fastapi import APIRouter, Response

from serving import rollout_schemas as schemas
from serving.auth import needs
from serving.body import StrictRoute
from serving.contract import BODY, GUARDED, problems
from serving.errors import ProblemError
from serving.keys import Scope
from serving.rollout_watch import Look
from serving.routes import ServiceDependency, as_json
from serving.service import Service
from yingda.decide.guardrail import Comparison
from yingda.domain.rollout import Arm, PlanRevision, RolloutError, RolloutPlan, Stage
from yingda.store.rollouts import Rollouts

router = APIRouter(route_class=StrictRoute, tags=["operate"])

_REFUSED = {409: "A roll-out needs a store that outlives the process, or the plan does not permit this step."}
_READ = problems(*GUARDED, 409, meanings=_REFUSED)
_BODY = problems(*GUARDED, *BODY, 409, meanings=_REFUSED)


@router.get(
    "/v1/rollout",
    operation_id="readRollout",
    summary="Read where the roll-out stands",
    response_model=schemas.RolloutResponse,
    responses=_READ,
    dependencies=[needs(Scope.OPS)],
)
async def read_rollout(service: ServiceDependency) -> Response:
    """The plan in force and, by metric, what is known about the release against its reference."""
    return as_json(await service.roll_out(lambda rollouts: _standing(rollouts, service.last_look)))


@router.get(
    "/v1/rollout/history",
    operation_id="readRolloutHistory",
    summary="Read every plan that was in force",
    response_model=schemas.RolloutHistoryResponse,
    responses=_READ,
    dependencies=[needs(Scope.OPS)],
)
async def read_history(service: ServiceDependency) -> Response:
    """Who changed what, when and why, the guardrail's rollbacks included."""
    found = await service.roll_out(lambda rollouts: rollouts.history())
    return as_json(schemas.RolloutHistoryResponse(revisions=[_plan_out(each) for each in found]))


@router.post(
    "/v1/rollout/start",
    operation_id="startRollout",
    summary="Start the roll-out of a release",
    response_model=schemas.RolloutPlanOut,
    responses=_BODY,
    dependencies=[needs(Scope.OPS)],
)
async def start(body: schemas.RolloutStart, service: ServiceDependency) -> Response:
    """In shadow: from the next message on the release decides, and no reply is to be sent (`rollout.send` is false)."""
    plan = RolloutPlan(
        body.release, token_hex(16), Stage.SHADOW, body.share, channels=body.channels, tiers=body.tiers, reference=Arm(body.reference)
    )
    return await _changed(service, lambda rollouts: rollouts.start(plan, by=body.by, reason=body.reason, at=service.clock()))


@router.post(
    "/v1/rollout/advance",
    operation_id="advanceRollout",
    summary="Move the release on",
    response_model=schemas.RolloutPlanOut,
    responses=_BODY,
    dependencies=[needs(Scope.OPS)],
)
async def advance(body: schemas.RolloutAdvance, service: ServiceDependency) -> Response:
    """To gray, to full, or to other shares; only a person does this. A release that its guardrail took back stays back (409).

    From shadow straight to full is refused (409) unless `force` is true: nothing would compare the release with its reference.
    """

    def move(rollouts: Rollouts) -> PlanRevision:
        return rollouts.advance(
            by=body.by,
            reason=body.reason,
            at=service.clock(),
            stage=Stage(body.stage) if body.stage else None,
            share=body.share,
            channels=body.channels,
            tiers=body.tiers,
            number=body.revision,
            force=body.force,
        )

    return await _changed(service, move)


@router.post(
    "/v1/rollout/stop",
    operation_id="stopRollout",
    summary="Take the release back",
    response_model=schemas.RolloutPlanOut,
    responses=_BODY,
    dependencies=[needs(Scope.OPS)],
)
async def stop(body: schemas.Signed, service: ServiceDependency) -> Response:
    """To shadow, for the next message of every worker."""
    return await _changed(service, lambda rollouts: rollouts.stop(by=body.by, reason=body.reason, at=service.clock()))


async def _changed(service: Service, change: Callable[[Rollouts], PlanRevision]) -> Response:
    try:
        return as_json(_plan_out(await service.roll_out(change)))
    except RolloutError as error:
        raise ProblemError(409, "rollout_refused", str(error)) from None


def _standing(rollouts: Rollouts, look: Look | None) -> schemas.RolloutResponse:
    current = rollouts.in_force()
    found = rollouts.guardrail(current.plan.release).comparisons() if current else ()
    return schemas.RolloutResponse(
        plan=_plan_out(current) if current else None,
        comparisons=[_comparison_out(each) for each in found],
        watch=schemas.WatchOut(at=look.at, error=look.error) if look else None,
    )


def _plan_out(revision: PlanRevision) -> schemas.RolloutPlanOut:
    plan = revision.plan
    return schemas.RolloutPlanOut(
        revision=revision.number,
        release=plan.release,
        stage=plan.stage,
        share=plan.share,
        channels=dict(plan.channels),
        tiers=dict(plan.tiers),
        reference=plan.reference,
        at=revision.at,
        by=revision.by,
        reason=revision.reason,
        automatic=revision.automatic,
    )


def _comparison_out(found: Comparison) -> schemas.ComparisonOut:
    return schemas.ComparisonOut(
        metric=found.metric,
        against=found.against,
        automated=found.treated,
        reference=found.control,
        difference=found.difference,
        low=found.interval.low,
        high=found.interval.high,
        margin=found.margin,
        harmful=found.harmful,
    )
