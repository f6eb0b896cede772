"""Connections that are not closed: by this side, though the peer has; half open; or more and more of them."""

from __future__ import annotations

from collections.abc import Iterator

from memprobe.detectors.caches import LRU_CACHE
from memprobe.detectors.confidence import Sign, sure_of
from memprobe.detectors.evidence import Evidence, Grown, Suspect
from memprobe.detectors.fixes import Cause
from memprobe.detectors.handle_leaks import SHARE, HandleLeak, described, leaks
from memprobe.detectors.handles import NO_SITE
from memprobe.detectors.memory_rates import memory_of, surest
from memprobe.detectors.sites import more_of, where
from memprobe.ledger.derived import waiting_socket
from memprobe.vocab.finding import Kind
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.subject import What

SOCKET = "socket"
CLOSED_BY_PEER = waiting_socket(SocketState.CLOSE_WAIT)
STATES = {
    CLOSED_BY_PEER: ("whose peer has closed", Cause.CLOSE_WAIT),
    waiting_socket(SocketState.SYN_SENT): ("that never connect", Cause.HALF_OPEN),
    waiting_socket(SocketState.SYN_RECV): ("that never connect", Cause.HALF_OPEN),
    waiting_socket(SocketState.FIN_WAIT2): ("that wait for the peer to close", Cause.SOCKETS_NOT_CLOSED),
}
"""What is said of sockets that wait in a state, and what to do about it."""

FEW = 8
"""So many sockets that wait for long are worth a word, even if there are no more of them every second."""

IDLE = 0.3
"""How sure that is: pools leave connections that the peer has closed until they use them again."""

BACKLOG_BYTES = 64 << 10
"""What waits in the kernel when a peer does not read: its buffers are full."""

SENT = ("bytes", "bytearray", "memoryview")
"""What is put into a connection."""

KEYED = frozenset({"dict", "collections.OrderedDict", "collections.defaultdict", "set", LRU_CACHE})
"""What is in these is looked up: what waits to be sent has an order, and leaves at one end."""


class Sockets:
    """Sockets of every family."""

    kind = Kind.SOCKETS

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        """Yield one for each place whose sockets pile up, for what waits, and for what is not read."""
        found = list(leaks(evidence, {SOCKET}))
        for leak in found:
            yield _suspect(leak, _state(evidence, leak))
        yield from _waiting(evidence, {leak.grown.pid for leak in found})
        yield from _unsent(evidence)


def _suspect(leak: HandleLeak, state: str) -> Suspect:
    grown = leak.grown
    what, cause = STATES.get(state, ("", _cause(leak)))
    signs = (*leak.signs, Sign.UNREACHABLE) if state == CLOSED_BY_PEER and not leak.is_lost else leak.signs
    subject = grown.subject
    number = f"{described(grown.count, SOCKET)} {what}".rstrip()
    return Suspect(
        kind=Kind.SOCKETS,
        grown=leak.rests_on,
        confidence=sure_of(grown.growth, *signs),
        title=f"{number} stay open, {more_of(grown)}{where('opened', subject.site)}",
        type=state,
        holder=leak.owner.subject.holder if leak.owner else "",
        site=subject.site,
        evidence=(*leak.evidence(), *_states(leak)),
        fix=cause,
        limits=() if subject.site else (NO_SITE,),
        resource="descriptors",
        age_s=leak.age_s,
    )


def _state(evidence: Evidence, leak: HandleLeak) -> str:
    """Return "socket", with the state that most of them wait in, or that half of the new ones do."""
    for state, count in leak.group.states:
        name = f"{SOCKET} {state}"
        if name in STATES and count > SHARE * leak.group.open:
            return name
    for waiting in evidence.growing(What.HANDLES):
        is_ours = waiting.pid == leak.grown.pid and waiting.subject.type in STATES
        if is_ours and waiting.added >= SHARE * leak.grown.added and not leak.grown.subject.site:
            return waiting.subject.type
    return SOCKET


def _states(leak: HandleLeak) -> Iterator[str]:
    if leak.group.states:
        yield f"Their states: {', '.join(f'{count:,} {state}' for state, count in leak.group.states)}."


def _cause(leak: HandleLeak) -> Cause:
    if leak.is_lost:
        return Cause.HANDLES_LOST
    return Cause.POOL_WITHOUT_LIMIT if leak.owner else Cause.SOCKETS_NOT_CLOSED


def _waiting(evidence: Evidence, told: set[int]) -> Iterator[Suspect]:
    """Sockets that wait in a state though sockets do not become more: the pool is full of dead ones."""
    for grown in evidence.of(What.HANDLES):
        is_old = (grown.oldest_s or 0.0) > evidence.thresholds.file_age_s
        if grown.subject.type in STATES and grown.pid not in told and grown.count >= FEW and is_old:
            yield _idle(evidence, grown)


def _idle(evidence: Evidence, grown: Grown) -> Suspect:
    what, cause = STATES[grown.subject.type]
    group = evidence.ledger.handle_group(grown.pid, grown.subject_id)
    oldest_s = group.oldest_s or 0.0
    return Suspect(
        kind=Kind.SOCKETS,
        grown=(grown,),
        confidence=max(IDLE, sure_of(grown.growth, Sign.UNREACHABLE)),
        title=f"{described(grown.count, SOCKET)} {what} stay open, the oldest for {oldest_s:.0f} s and more",
        type=grown.subject.type,
        holder="",
        site=(),
        evidence=(f"Some of them: {', '.join(group.examples)}.",) if group.examples else (),
        fix=cause,
        limits=("They may be idle connections of a pool, which are closed when they are used again.",),
        resource="descriptors",
    )


def _unsent(evidence: Evidence) -> Iterator[Suspect]:
    """What is written faster than a peer reads: its buffer here grows, and the kernel's is full."""
    for grown in evidence.of(What.CONTAINER, What.TYPE):
        is_queue = grown.subject.type in SENT and grown.subject.container not in KEYED
        if is_queue and grown.subject.holder and grown.added >= FEW:
            memory = memory_of(evidence, grown, part=0.0)
            if (memory or grown.growth.probability > 0) and _is_unsent(evidence, grown.pid):
                yield _backlog(grown, memory)


def _is_unsent(evidence: Evidence, pid: int) -> bool:
    queues = evidence.ledger.handles.open(pid).rows["send_queue_bytes"]
    return bool((queues >= BACKLOG_BYTES).any())


def _backlog(grown: Grown, memory: Grown | None) -> Suspect:
    subject = grown.subject
    return Suspect(
        kind=Kind.SOCKETS,
        grown=(grown,),
        confidence=sure_of(surest(grown, memory), Sign.CORROBORATED),
        title=f"{subject.holder} is filled faster than its peer reads: {grown.count:,} pieces wait",
        type=subject.type,
        holder=subject.holder,
        site=subject.site,
        evidence=("The kernel's send buffer of a connection is full: its peer does not read.",),
        fix=Cause.BACKLOG,
    )
