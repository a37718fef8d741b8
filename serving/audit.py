"""What operators change or take away is put on record: an entry before it is done, without which it is not, and one for how it ended.

Customers' calls are not in the table of rules and never wait for the audit log, nor fail with it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event, Lock, Thread

from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope
from structlog.typing import FilteringBoundLogger

from serving.context import RequestContext, context_of
from serving.errors import ProblemError, problem_response
from yingda.access.scopes import Scope
from yingda.domain.errors import StoreError
from yingda.domain.rollout import PlanRevision
from yingda.store.audit import Audit, AuditEntry, Outcome, hidden_name, safe_name, taken_back

LOCAL = "local"
"""Who changes something where nobody is asked who they are."""

REFUSALS_S = 60.0
"""Least seconds between two entries about refused callers."""

MANY = 64
"""Different refused callers that are counted apart; all others together."""

Namer = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that are put on record: ``action``, asked for by ``method`` and ``path``, which needs ``scope``.

    The target is ``kind`` and the path's parameter ``name``; ``namer`` hides names that may be somebody's.
    """

    method: str
    path: str
    action: str
    scope: Scope
    kind: str = ""
    name: str = "id"
    namer: Namer = safe_name
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", compile_path(self.path)[0])

    def target(self, parameters: Mapping[str, str]) -> str:
        """What the request is about, as the log may name it."""
        kind = self.kind or parameters.get("kind", "")
        kind = kind if re.fullmatch(r"[a-z]{1,32}", kind) else "record"
        return self.namer(kind, parameters[self.name]) if self.name in parameters else kind


_WRITE, _OPS = Scope.KNOWLEDGE_WRITE, Scope.OPS
RULES = (
    Rule("POST", "/v1/faq", "knowledge.write", _WRITE, "faq"),
    Rule("POST", "/v1/faq/import", "knowledge.import", _WRITE, "faq"),
    Rule("GET", "/v1/faq/export", "knowledge.export", Scope.KNOWLEDGE_READ, "faq"),
    Rule("PUT", "/v1/faq/{id}", "knowledge.write", _WRITE, "faq"),
    Rule("DELETE", "/v1/faq/{id}", "knowledge.retire", _WRITE, "faq"),
    Rule("POST", "/v1/faq/{id}/rollback", "knowledge.rollback", _WRITE, "faq"),
    Rule("POST", "/v1/knowledge/{kind}", "knowledge.draft", _WRITE),
    Rule("PUT", "/v1/knowledge/{kind}/{id}", "knowledge.draft", _WRITE),
    Rule("DELETE", "/v1/knowledge/{kind}/{id}", "knowledge.retire", _WRITE),
    Rule("POST", "/v1/knowledge/{kind}/{id}/review", "knowledge.review", _WRITE),
    Rule("POST", "/v1/knowledge/{kind}/{id}/return", "knowledge.return", _WRITE),
    Rule("POST", "/v1/knowledge/{kind}/{id}/publish", "knowledge.publish", _WRITE),
    Rule("POST", "/v1/knowledge/{kind}/{id}/retire", "knowledge.retire", _WRITE),
    Rule("POST", "/v1/knowledge/{kind}/{id}/rollback", "knowledge.rollback", _WRITE),
    Rule("POST", "/v1/rollout/start", "rollout.start", _OPS, "rollout"),
    Rule("POST", "/v1/rollout/advance", "rollout.advance", _OPS, "rollout"),
    Rule("POST", "/v1/rollout/stop", "rollout.stop", _OPS, "rollout"),
    Rule("POST", "/v1/replay", "replay.run", _OPS, "replay"),
    Rule(
        "POST", "/v1/conversations/{conversation_id}/release", "conversation.release", Scope.ANSWER,
        "conversation", "conversation_id", hidden_name,
    ),
)  # fmt: skip
"""Every request that is recorded, the more special path first; a call added to the contract gets its rule here."""


class AuditDesk:
    """The audit log as the service sees it: written in a thread of its own, one entry after the other.

    Without ``audit`` (a store that forgets) nothing is recorded and nothing refused.
    """

    def __init__(self, audit: Audit | None, *, log: FilteringBoundLogger, clock: Callable[[], datetime]) -> None:
        self._audit, self._log, self._clock = audit, log, clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self.refusals = Refusals(self._record_refusals)

    def start(self) -> None:
        """Note the head of the log in the service's own log, where an attacker of the database does not reach."""
        self._note_head("start")
        self.refusals.start()

    def close(self) -> None:
        """Write what is counted, note the head, and stop."""
        self.refusals.close()
        self._pool.shutdown(wait=True)
        self._note_head("stop")

    async def record(
        self,
        context: RequestContext,
        action: str,
        target: str,
        *,
        outcome: Outcome = Outcome.DONE,
        facts: Mapping[str, int | str] | None = None,
    ) -> int | None:
        """Put an act of the caller on record; its number, None where nothing is recorded. Raises a 503 ProblemError.

        Ask before the act, and do not act when it raises.
        """
        if self._audit is None:
            return None
        who = context.key_id or LOCAL
        entry = AuditEntry(who, action, self._clock(), target, context.request_id, outcome, facts or {})
        try:
            return (await asyncio.get_running_loop().run_in_executor(self._pool, self._audit.record, entry)).number
        except StoreError as error:
            self._log.error("audit_failed", request_id=context.request_id, action=action, outcome=outcome.value, code=error.code)
            detail = "the audit log cannot be written now and nothing was changed; try again"
            raise ProblemError(503, "audit_unavailable", detail, headers={"Retry-After": "1"}) from None

    def record_now(
        self, action: str, target: str, *, outcome: Outcome = Outcome.DONE, facts: Mapping[str, int | str] | None = None
    ) -> None:
        """Put an act of the server itself on record, from any thread; a log that fails is logged, for the act has happened."""
        self._record_now(AuditEntry("server", action, self._clock(), target, outcome=outcome, facts=facts or {}))

    def taken_back(self, revision: PlanRevision) -> None:
        """Put on record that the guardrail took a release back, from any thread, as ``record_now`` does."""
        self._record_now(taken_back(revision))

    def _record_now(self, entry: AuditEntry) -> None:
        try:
            if self._audit:
                self._audit.record(entry)
        except StoreError as error:
            self._log.error("audit_failed", action=entry.action, outcome=entry.outcome.value, code=error.code)

    def _record_refusals(self, counts: Mapping[tuple[str, str], int]) -> bool:
        for (reason, who), count in counts.items():
            if self._audit is None:
                return True
            try:
                facts: dict[str, int | str] = {"reason": reason, "count": count}
                self._audit.record(AuditEntry(who, "auth.refused", self._clock(), outcome=Outcome.REFUSED, facts=facts))
            except StoreError as error:
                self._log.error("audit_failed", action="auth.refused", code=error.code, count=sum(counts.values()))
                return False
        return True

    def _note_head(self, moment: str) -> None:
        try:
            if self._audit:
                head = self._audit.head()
                self._log.info("audit_head", at=moment, count=head.count, hash=head.hash)
        except StoreError as error:
            self._log.error("audit_failed", action="head", code=error.code)


class Refusals:
    """Refused callers, counted and written at most once a minute: a flood of bad keys must not become a flood of entries."""

    def __init__(self, write: Callable[[Mapping[tuple[str, str], int]], bool], *, pause_s: float = REFUSALS_S) -> None:
        self._write, self._pause_s = write, pause_s
        self._lock, self._news, self._stop = Lock(), Event(), Event()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._thread = Thread(target=self._run, name="refusals", daemon=True)

    def count(self, reason: str, who: str) -> None:
        """Count one refusal, for any thread."""
        with self._lock:
            key = (reason, who)
            self._counts[key if key in self._counts or len(self._counts) < MANY else (reason, "others")] += 1
        self._news.set()

    def flush(self) -> None:
        """Write what was counted; it stays counted where it cannot be written."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if counts and not self._write(counts):
            with self._lock:
                self._counts += counts

    def start(self) -> None:
        """Write from now on, when there is something to write."""
        self._thread.start()

    def close(self) -> None:
        """Write the last, and stop."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.wait()
            self._news.clear()
            self.flush()
            self._stop.wait(self._pause_s)


class AuditTrail:
    """ASGI middleware, inside of KeyGate: records the requests of RULES."""

    def __init__(self, app: ASGIApp, desk: AuditDesk) -> None:
        self._app, self._desk = app, desk
        methods = {rule.method for rule in RULES}
        self._rules = {method: [rule for rule in RULES if rule.method == method] for method in methods}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 503 where it would change something that cannot be recorded."""
        found = self._rule(scope) if scope["type"] == "http" else None
        if found is None:
            return await self._app(scope, receive, send)
        rule, target = found
        context = context_of(scope)
        if context.scopes is not None and rule.scope not in context.scopes:
            return await self._app(scope, receive, send)  # refused there, before it does anything
        try:
            attempt = await self._desk.record(context, rule.action, target, outcome=Outcome.ATTEMPTED)
        except ProblemError as error:
            return await problem_response(scope, error)(scope, receive, send)
        if attempt is None:
            return await self._app(scope, receive, send)
        await self._followed(scope, receive, send, partial(self._end, context, rule.action, target, attempt))

    async def _followed(self, scope: AsgiScope, receive: Receive, send: Send, end: Callable[[int], asyncio.Future[None]]) -> None:
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            await asyncio.shield(end(status))  # also when the client left: what was done was done

    def _end(self, context: RequestContext, action: str, target: str, attempt: int, status: int) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._record_end(context, action, target, attempt, status))

    async def _record_end(self, context: RequestContext, action: str, target: str, attempt: int, status: int) -> None:
        outcome = Outcome.DONE if status < 400 else Outcome.REFUSED if status < 500 else Outcome.FAILED
        try:
            await self._desk.record(context, action, target, outcome=outcome, facts={"attempt": attempt, "status": status})
        except ProblemError:
            return  # logged, and the attempt stands in the log without its end, which shows

    def _rule(self, scope: AsgiScope) -> tuple[Rule, str] | None:
        for rule in self._rules.get(scope["method"], ()):
            match = rule.pattern.match(scope["path"])
            if match:
                return rule, rule.target(match.groupdict())
        return None


async def put_on_record(
    request: Request, action: str, target: str, facts: Mapping[str, int | str] | None = None, *, outcome: Outcome = Outcome.DONE
) -> None:
    """Record an act of the caller from within a route, before it is done; raises a 503 ProblemError, and then do not do it."""
    desk: AuditDesk = request.app.state.audit
    await desk.record(context_of(request.scope), action, target, outcome=outcome, facts=facts)
