"""The catalogue of advice: one text per cause of a leak, with the line and the holder put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from memprobe.vocab.stack import Frame


class Cause(StrEnum):
    """What went wrong: the key of an advice."""

    HANDLES_NOT_CLOSED = "handles not closed"
    HANDLES_HELD = "handles held by a collection"
    HANDLES_LOST = "handles whose object is gone"
    SOCKETS_NOT_CLOSED = "sockets not closed"
    CLOSE_WAIT = "sockets whose peer has closed"
    HALF_OPEN = "connections that never complete"
    POOL_WITHOUT_LIMIT = "pool without a limit"
    BACKLOG = "written faster than the peer reads"
    CACHE_WITHOUT_LIMIT = "collection without a limit"
    LRU_WITHOUT_LIMIT = "lru_cache without maxsize"
    LRU_ON_METHOD = "lru_cache on a method"
    QUEUE_WITHOUT_LIMIT = "queue filled faster than emptied"
    REGISTRY = "instances registered and never removed"
    OBJECTS_HELD = "objects held by something that lives long"
    COLLECTOR_OFF = "cycles while the collector is off"
    CYCLES_WAIT = "cycles made faster than collected"
    UNCOLLECTABLE = "cycles that cannot be collected"
    TRACEBACKS_KEPT = "exceptions kept with their frames"
    LISTENERS_NOT_REMOVED = "callbacks never removed"
    LISTENERS_AGAIN = "callbacks registered again and again"
    EXIT_HANDLERS = "exit handlers never removed"
    TASKS_PENDING = "tasks that never end"
    TASKS_KEPT = "ended tasks that are kept"
    TIMERS_NOT_CANCELLED = "timers never cancelled"
    THREADS_NOT_ENDED = "threads that never end"
    EXECUTOR_NOT_SHUT_DOWN = "executors never shut down"
    THREADS_KEPT = "ended threads that are kept"
    NATIVE_MEMORY = "memory of an extension"
    REFERENCES_LOST = "references that nobody has"


ADVICE: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.HANDLES_NOT_CLOSED: "Close what {line} opens on every path, best with a with statement; an "
        "exception between opening and close() leaves it open.",
        Cause.HANDLES_HELD: "{holder} keeps open what {line} opens: close each one when it is taken out, "
        "and take it out when it is done with.",
        Cause.HANDLES_LOST: "The descriptors of {line} are open though no Python object owns them: call "
        "os.close() on each number, or wrap it at once (os.fdopen, socket.socket(fileno=...)) so that it "
        "has an owner.",
        Cause.SOCKETS_NOT_CLOSED: "Close the connection that {line} opens when the exchange is over (with, "
        "or close() in finally), or make one client and use it for all requests.",
        Cause.CLOSE_WAIT: "The peer has closed and this side has not:[ at {line},] call close() when recv() "
        "or read() returns nothing, and set a timeout.",
        Cause.HALF_OPEN: "Give the connection[ at {line}] a timeout, and close it when connecting fails.",
        Cause.POOL_WITHOUT_LIMIT: "Give the pool {holder} a largest size and an idle timeout, and return "
        "each connection that {line} takes.",
        Cause.BACKLOG: "{holder} is filled faster than the peer reads:[ at {line},] wait for the buffer to "
        "empty (await writer.drain()), limit its size, and drop a peer that is too slow.",
        Cause.CACHE_WITHOUT_LIMIT: "Limit {holder}: evict the oldest beyond a size or an age, or delete each "
        "entry when it is done with.[ They are made by {line}.]",
        Cause.LRU_WITHOUT_LIMIT: "Give the lru_cache of {holder} a maxsize; without one it keeps every set "
        "of arguments that it was ever called with.[ It is filled by {line}.]",
        Cause.LRU_ON_METHOD: "Take the lru_cache off the method {holder}: it keeps every instance that it "
        "was called on. Use functools.cached_property, or a cache in the instance.[ It is filled by {line}.]",
        Cause.QUEUE_WITHOUT_LIMIT: "{holder} is filled faster than it is emptied: give it a maxsize so that"
        " {line} has to wait, or add consumers.",
        Cause.REGISTRY: "Every new {type} is entered in {holder} and stays: remove it when it is closed, "
        "hold it weakly (weakref.WeakSet, WeakValueDictionary), or make one and reuse it[; they are made at "
        "{line}].",
        Cause.OBJECTS_HELD: "Let go of {type} when it is done with: {holder} keeps each one alive[, and they"
        " are made at {line}].",
        Cause.COLLECTOR_OFF: "The garbage collector does not run: call gc.enable(), or gc.collect() now and"
        " then, or break the cycle of {type} by hand[; they are made at {line}].",
        Cause.CYCLES_WAIT: "Break the cycle of {type} when it is done with (set the back reference to None,"
        " or make it a weakref), so that it need not wait for the collector[; they are made at {line}].",
        Cause.UNCOLLECTABLE: "The collector cannot free the cycle of {type}: close or clear it by hand "
        "before it is dropped[, at {line}].",
        Cause.TRACEBACKS_KEPT: "{holder} keeps exceptions, and each keeps its traceback and the variables "
        "of every frame: store str(error), or clear it with error.with_traceback(None)[; raised at {line}].",
        Cause.LISTENERS_NOT_REMOVED: "Remove the callback {type} from {holder} when its owner is done with,"
        " or hold it weakly (weakref.WeakMethod)[; {line} adds it].",
        Cause.LISTENERS_AGAIN: "{holder} has the same callback ({type}) again and again: register it once, "
        "not per request or instance, and look whether it is there already[; {line} adds it].",
        Cause.EXIT_HANDLERS: "The module atexit keeps {type} until the program ends: register it once, not "
        "per instance, or call atexit.unregister() when the instance is closed[; {line} registers it].",
        Cause.TASKS_PENDING: "Tasks of {type} wait[ at {line}] and never end: give the wait a timeout "
        "(asyncio.timeout, wait_for), and cancel the task when its client is gone.",
        Cause.TASKS_KEPT: "{holder} keeps tasks that have ended: let go of each one when it is done "
        "(task.add_done_callback(tasks.discard))[; they are made at {line}].",
        Cause.TIMERS_NOT_CANCELLED: "Cancel the timer of {type} when it is not needed any more "
        "(handle.cancel()), or do not plan the next while one is pending[; {line} plans it].",
        Cause.THREADS_NOT_ENDED: "Threads that run {type} are started and never end: let them return and "
        "join() them, or use one pool of fixed size[; they are started at {line}].",
        Cause.EXECUTOR_NOT_SHUT_DOWN: "Make one executor and use it again, or shut each one down (with, or "
        "shutdown())[; it is made at {line}].",
        Cause.THREADS_KEPT: "{holder} keeps what ended threads have left: join() every thread that {line} "
        "starts.",
        Cause.NATIVE_MEMORY: "Memory that no Python object explains grows[ below {line}]: look for a missing "
        "free, close() or destroy()[ there], and see whether a newer release of the library mends it.",
        Cause.REFERENCES_LOST: "Native code holds references to {type} that it never gives back (a missing "
        "Py_DECREF): see whether a newer release of the library that {line} calls mends it.",
    }
)
"""One text per cause. `line` is the place in the source, `holder` and `type` are those of the finding.

What stands in brackets is said only where the line is known.
"""

_WITH_A_LINE = re.compile(r"\[([^\]]*)\]")


def advice(cause: Cause, *, site: Frame | None, holder: str, type_name: str) -> str:
    """Return what to do about a cause; what is not known is said in words."""
    line = f"{site.function} ({site.file}:{site.line})" if site else "the program"
    text = _WITH_A_LINE.sub(r"\1" if site else "", ADVICE[cause]).format_map(
        {"line": line, "holder": holder or "whatever holds them", "type": type_name or "these objects"}
    )
    return text[0].upper() + text[1:] if text.startswith(("the ", "whatever ", "these ")) else text
