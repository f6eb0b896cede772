"""Futures that are no tasks: how many, in which state, and whether anybody waits for them."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.heap.tasks.document import FuturePart
from memprobe.heap.tasks.look import Look, Looker
from memprobe.heap.tasks.task_objects import PENDING, RawFuture


def future_parts(looker: Looker, look: Look) -> Iterator[FuturePart]:
    """The known futures of all interpreters by type, loop and state, most first."""
    for one in look.interpreters:
        groups: dict[tuple[int, int, str | None], list[RawFuture]] = {}
        for future in one.awaiting.known.values():
            if not future.is_task:
                groups.setdefault((future.type, future.loop, future.state), []).append(future)
        for (kind, loop, state), futures in sorted(groups.items(), key=lambda item: -len(item[1])):
            awaited = {future.address for future in futures if one.awaiting.awaiters(future.address)}
            failed = [future for future in futures if future.never_retrieved and future.exception]
            types = looker.types.of_many(future.exception for future in failed)
            yield FuturePart(
                type=looker.types.label(kind),
                interpreter=one.interpreter.id,
                state=state,
                loop=loop or None,
                count=len(futures),
                never_awaited=sum(
                    state == PENDING and not future.callbacks and future.address not in awaited
                    for future in futures
                ),
                never_retrieved=len(failed),
                exceptions=tuple(sorted({looker.types.label(kind) for kind in types.values()})),
            )
