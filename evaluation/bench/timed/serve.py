"""The service with a stopwatch in each stage: ``python serve.py [--plain]``, run from the repository with Yingda's own Python.

Settings are the service's (YINGDA_…). On standard input it takes a word a line: ``count`` prints the processor time so far as a line
of JSON, ``hold`` keeps the engine from answering until ``release``. The clock is that of the thread, so that what others do on the
machine, and waiting, count for nothing; a stage does not count what stages within it spend, nor (roughly) its stopwatches.
``--plain`` measures no stages, only the whole.
"""
# mypy: ignore-errors

import json
import sys
from functools import wraps
from importlib import import_module
from inspect import iscoroutinefunction
from threading import Event, Thread, local
from time import process_time_ns, thread_time_ns

from serving.lean import travel_light

_UVICORN = "uvicorn.protocols.http.httptools_impl:RequestResponseCycle"
TARGETS = {
    "HTTP": ("serving.connections:PatientProtocol.data_received", f"{_UVICORN}.run_asgi", f"{_UVICORN}.send", f"{_UVICORN}.receive"),
    "refusal": ("serving.door:Doorkeeper.response",),
    "middleware": (
        "serving.security_headers:SecurityHeaders.__call__",
        "serving.door:Door.__call__",
        "serving.envelope:Envelope.__call__",
        "serving.envelope:_Exchange.send",
        "serving.auth:KeyGate.__call__",
        "serving.body:BodyClock.__call__",
        "serving.hot:HotRoutes.__call__",
    ),
    "access line, metrics": ("serving.envelope:Envelope._record", "serving.service:Service._count"),
    "request read and checked": ("serving.hot:read_answer",),
    "response written as JSON": ("serving.hot:_encode", "serving.service:answer_out", "serving.service:written"),
    "queue": (
        "serving.hot:HotRoutes._answered",
        "serving.lane:Lane.run",
        "serving.lane:Lane._next",
        "serving.lane:Lane._wake_for_turn",
        "serving.lane:_settle",
        "serving.lane:_tell",
        "serving.lane:Lane._found",
    ),
    "conversation": ("yingda.dialogue:Dialogue.take", "serving.service:Service._answer_now"),
    "normalise": ("yingda.reader:normalise",),
    "known or not": ("yingda.reader:Reader.read",),
    "tokenise": ("yingda.text.tokenizer:MessageTokenizer.encode",),
    "encode": ("yingda.runtime.session:EncoderSession.run",),
    "views and calibration": ("yingda.reader:Reader._read_new",),
    "entities": ("yingda.engine:find_entities",),
    "decide": ("yingda.engine:Engine.answer_many",),
    "reply": ("yingda.reply.writer:ReplyWriter.write",),
    "masking": ("yingda.engine:mask", "yingda.dialogue:mask", "yingda.decide.conversation:mask"),
    "turn for the store": ("yingda.dialogue:Dialogue._write",),
    "store": (
        "yingda.store.lasting.memory:LastingMemory.recall_all",
        "yingda.store.lasting.memory:LastingMemory.remember_all",
        "yingda.store.group_commit:GroupCommit._commit",
    ),
}
"""By stage, what belongs to it: a module and the name of a function in it."""


class Watch:
    """Nanoseconds, calls and inner stages by stage, for any number of threads."""

    def __init__(self):
        self._here, self._all = local(), []

    def enter(self, stage):
        here = self._here
        if not hasattr(here, "open"):
            here.open, here.spent = [], {}
            self._all.append(here.spent)
        here.open.append([stage, 0, 0, thread_time_ns()])

    def leave(self):
        ended, here = thread_time_ns(), self._here
        stage, within, inner, began = here.open.pop()
        whole = ended - began
        if here.open:
            here.open[-1][1] += whole
            here.open[-1][2] += 1
        told = here.spent.setdefault(stage, [0, 0, 0])
        told[0] += whole - within
        told[1] += 1
        told[2] += inner

    def totals(self):
        found = {}
        for spent in list(self._all):
            for stage, numbers in list(spent.items()):
                found[stage] = [sum(pair) for pair in zip(found.get(stage, (0, 0, 0)), numbers, strict=True)]
        return found

    def plain(self, stage, work):
        @wraps(work, updated=())
        def timed(*args, **kwargs):
            self.enter(stage)
            try:
                return work(*args, **kwargs)
            finally:
                self.leave()

        return timed

    def stepped(self, stage, work):
        """For a coroutine function: each step between two waits counts, and what others do meanwhile does not."""

        @wraps(work)
        async def timed(*args, **kwargs):
            return await _Steps(self, stage, work(*args, **kwargs))

        return timed


class _Steps:
    def __init__(self, watch, stage, coroutine):
        self._watch, self._stage, self._coroutine = watch, stage, coroutine

    def __await__(self):
        send, value, error = self._coroutine.send, None, None
        while True:
            self._watch.enter(self._stage)
            try:
                waits_for = send(value) if error is None else self._coroutine.throw(error)
            except StopIteration as done:
                return done.value
            finally:
                self._watch.leave()
            value, error = None, None
            try:
                value = yield waits_for
            except BaseException as thrown:
                error = thrown


def cost_of_watching(rounds=20_000):
    """What a stopwatch adds, in nanoseconds a call: to its own stage, and to the one around it."""
    watch = Watch()
    empty = watch.plain("inner", lambda: None)

    def outer():
        for _ in range(rounds):
            empty()

    def bare():
        for _ in range(rounds):
            nothing()

    def nothing():
        pass

    watch.plain("outer", outer)()
    watch.plain("bare", bare)()
    found = watch.totals()
    return found["inner"][0] / rounds, max(0.0, (found["outer"][0] - found["bare"][0]) / rounds)


def place(target):
    """The owner of a target and its name there; None where it is gone."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    try:
        owner = import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        getattr(owner, name)
    except (ImportError, AttributeError):
        return None
    return owner, name


def watch_all(watch):
    """Put a stopwatch at every target; those that are gone."""
    gone = []
    for stage, targets in TARGETS.items():
        for target in targets:
            found = place(target)
            if found is None:
                gone.append(target)
                continue
            owner, name = found
            work = getattr(owner, name)
            setattr(owner, name, (watch.stepped if iscoroutinefunction(work) else watch.plain)(stage, work))
    return gone


def gate_engine():
    """What stops the engine from answering while it is not set."""
    from yingda.engine import Engine

    gate, answer_many = Event(), Engine.answer_many
    gate.set()

    @wraps(answer_many)
    def gated(*args, **kwargs):
        if not gate.is_set():
            gate.wait()
        return answer_many(*args, **kwargs)

    Engine.answer_many = gated
    return gate


def listen(gate, watch, told):
    """Do what standard input asks for."""
    for line in sys.stdin:
        match line.strip():
            case "count":
                found = {"cpu_ns": process_time_ns(), "stages": watch.totals(), **told}
                sys.stdout.write(json.dumps(found) + "\n")
                sys.stdout.flush()
            case "hold":
                gate.clear()
            case "release":
                gate.set()


if __name__ == "__main__":
    travel_light()
    from serving.command import main

    gate, watch = gate_engine(), Watch()
    gone = [] if "--plain" in sys.argv else watch_all(watch)
    told = {"gone": gone, "watching_ns": cost_of_watching()}
    Thread(target=listen, args=(gate, watch, told), daemon=True).start()
    sys.exit(main([]))
