"""Handles a batch in one transaction: claim, handle, commit. Each message gets one outcome.

When a handler raises, the batch is halved until the message that caused it is alone.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog
from tenacity import RetryCallState, retry, retry_if_exception, wait_random_exponential

import outbox
from db.errors import UnavailableError
from db.pool import Pool, Transaction
from db.statements import SQL
from messages.base import MessageKind
from messages.cells import Cell
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.strict_json import Fault
from outbox.crashpoint import crashpoint
from workers.runtime import inbox
from workers.runtime.batch import Batch
from workers.runtime.decode import Work
from workers.runtime.delivery import RawDelivery
from workers.runtime.errors import ErrorClass, Failure, LocalDispatchError, classify
from workers.runtime.local_dispatch import Chain, LocalRoutes
from workers.runtime.locks import Patience
from workers.runtime.policy import Kind, Outcome, fail, reject_query
from workers.runtime.republish import explode_pack, take_out
from workers.runtime.route import CallRoute, QueryRoute, RawRoute, Route
from workers.runtime.transactions import transaction
from workers.telemetry import lines, metrics, spans

log = structlog.get_logger(__name__)

ID_REUSE = Failure.invalid(
    Fault("properties.message_id", "id_reuse", "this message_id was used before with another body"),
    reason=Reason.ID_REUSE,
)
TRIES = {  # of a whole batch, before it is halved
    ErrorClass.TRANSIENT: 5,  # a deadlock, or a lock that was not granted; the other transactions end within that time
    ErrorClass.SLOW: 2,  # the database answers a probe, so it was a short outage, or it is the statement itself
}

retry_transient = retry(
    retry=retry_if_exception(lambda error: classify(error) in TRIES),
    stop=lambda state: state.attempt_number >= TRIES[classify(_error_of(state))],
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)
"""Runs a transaction again at once when another one was in its way (deadlock, lock timeout)."""


def _error_of(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None, "only a try that failed is repeated"
    return error


@dataclass(frozen=True)
class QueueContext:
    """What the handling of one queue's messages needs. `committed` is called after every commit, with the shards of the
    outbox that have new rows. What the handler announces to `local` routes is handled in its transaction.
    """

    route: Route
    pool: Pool
    attempts_max: int = 7
    committed: Callable[[Collection[int]], None] = lambda _: None
    answers: Mapping[Any, Any] = field(default_factory=dict)
    local: LocalRoutes = field(default_factory=dict)
    cell: Cell | None = None


async def process(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    """Give every message an outcome.

    Raises UnavailableError when the database, or the system that is called, is away.
    """
    with spans.processing(context.route.queue, works) as outcomes:
        outcomes.extend(await _process(context, works))
        return outcomes


async def _process(context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    sound = [work for work in works if work.failure is None]
    handle = _answers_first if isinstance(context.route, CallRoute | QueryRoute) else _handle_halving
    outcomes: list[Outcome] = []
    for waited in (False, True):  # those that wait for a lock come last, so that nobody waits for them
        for part in _parts([work for work in sound if bool(work.lock_waits) is waited]):
            outcomes += await handle(context, part, Patience.of(part))
    return outcomes + [await _give_up(context, work, work.failure) for work in works if work.failure is not None]


def _parts(works: Sequence[Work]) -> Iterator[Sequence[Work]]:
    """Part the messages of senders who use one message id, because within a batch an id names one message."""
    if works and len({work.message_id for work in works}) == len({work.inbox_key for work in works}):
        yield works
    elif works:
        for sender in dict.fromkeys(work.sender for work in works):
            yield [work for work in works if work.sender == sender]


async def _answers_first(context: QueueContext, works: Sequence[Work], patience: Patience) -> list[Outcome]:
    """Make the outside calls, or record the queries, of all messages, then handle them; if it fails, each alone."""
    try:
        answers = await (_record if isinstance(context.route, QueryRoute) else _call_outside)(context, works)
    except UnavailableError:
        raise
    except Exception as error:
        if len(works) == 1:
            return [await _fail_alone(context, works[0], error)]
        return [outcome for work in works for outcome in await _answers_first(context, [work], patience)]
    return await _handle_halving(replace(context, answers=answers), works, patience)


async def _record(context: QueueContext, works: Sequence[Work]) -> Mapping[Any, Any]:
    """Record the queries that must be recorded before they are answered, and commit."""
    assert isinstance(context.route, QueryRoute), "only queries are recorded"
    items = [item for work in works for item in work.envelopes if context.route.is_recorded(item)]
    if not items or context.route.record is None:
        return {}
    async with transaction(context.pool) as tx:
        return await context.route.record(tx, items)


async def _call_outside(context: QueueContext, works: Sequence[Work]) -> Mapping[Any, Any]:
    """Call the other system while no transaction is open, and return its answers. Raises UnavailableError."""
    assert isinstance(context.route, CallRoute), "only a CallRoute calls other systems"
    async with transaction(context.pool, readonly=True) as tx:
        needed = await context.route.prepare(tx, [envelope for work in works for envelope in work.envelopes])
    try:
        with lines.calling(context.route.queue, works):
            return await context.route.call(needed)
    except OSError as error:
        raise UnavailableError(f"outside: {type(error).__qualname__}: {error}"[:200]) from error


async def _handle_halving(context: QueueContext, works: Sequence[Work], patience: Patience) -> list[Outcome]:
    """Commit all together if possible, else each half alone: one bad message costs about log2(n) extra transactions."""
    started = time.monotonic()
    try:
        return await _commit(context, works, patience.lock_timeout_ms)
    except UnavailableError:
        raise
    except Exception as error:
        if classify(error) is ErrorClass.LOCKED:
            if await patience.waits_for_batches(context.pool):
                return await _handle_halving(context, works, patience)
            await patience.search(context.pool, time.monotonic() - started)
            if isinstance(context.route, QueryRoute) and not patience.exhausted:
                return await _handle_halving(context, works, patience)  # it locks no row, and the table is free again
            if len(works) == 1 or patience.exhausted:
                return [await _set_aside(context, work, error) for work in works]
        if len(works) == 1:
            return [await _fail_alone(context, works[0], error)]
        fields = lines.of_failure(Failure.of_exception(error, b""))
        log.info("batch halved", queue=context.route.queue, messages=len(works), error=fields["error"], at=fields["at"])
        middle = len(works) // 2
        first = await _handle_halving(context, works[:middle], patience)
        return first + await _handle_halving(context, works[middle:], patience)


async def _commit(context: QueueContext, works: Sequence[Work], lock_timeout_ms: int | None = None) -> list[Outcome]:
    """Run one transaction, and again without local routes if one of their handlers raises: then its messages go by
    the broker to their own queue, where they fail alone.
    """
    try:
        return await _transact(context, works, lock_timeout_ms)
    except LocalDispatchError as error:
        log.info("batch done again without local dispatch", queue=context.route.queue, error=str(error))
        return await _transact(replace(context, local={}), works, lock_timeout_ms)


@retry_transient
async def _transact(context: QueueContext, works: Sequence[Work], lock_timeout_ms: int | None) -> list[Outcome]:
    """Run one transaction: claims, the handlers' writes and the announcements commit or roll back together."""
    started, chain = time.perf_counter(), Chain(context.local)
    in_chain = partial(_handle, chain=chain)
    handle = {RawRoute: _handle_raw, QueryRoute: _answer}.get(type(context.route), in_chain)
    with outbox.noting_shards() as shards:
        async with transaction(context.pool, readonly=handle is _answer) as tx:
            if lock_timeout_ms is not None:
                await tx.execute(SQL["locks.timeout"], str(lock_timeout_ms))
            outcomes = await handle(tx, context, works)
            crashpoint("before_commit")
    crashpoint("after_commit")
    chain.count()
    context.committed(shards)
    metrics.BATCH_SECONDS.labels(metrics.label(context.route.queue)).observe(time.perf_counter() - started)
    return outcomes


async def _handle(tx: Transaction, context: QueueContext, works: Sequence[Work], chain: Chain) -> list[Outcome]:
    claim = await inbox.claim(tx, context.route.queue, works)
    fresh = [envelope for work in claim.fresh for envelope in work.envelopes]
    batch = Batch([*fresh, *_repeats(claim.duplicates)], claim.now, context.answers)
    batch.cell = context.cell
    if batch:
        await chain.handle(tx, context.route, batch)
    undone = await _carry_out(tx, context, claim.fresh, batch) if batch.verdicts else []
    return _list_outcomes(claim, undone)


def _repeats(works: Sequence[Work]) -> Iterator[Envelope[Any]]:
    """The commands that were handled before and whose senders want the outcome again: their handler has it stored."""
    for envelope in (envelope for work in works for envelope in work.envelopes):
        if envelope.body.KIND is MessageKind.COMMAND and envelope.reply_to:
            yield replace(envelope, repeated=True)


async def _carry_out(tx: Transaction, context: QueueContext, works: Sequence[Work], batch: Batch[Any]) -> list[Outcome]:
    """Carry out the handler's verdicts.

    A single message loses its claim. An item leaves its pack, which stays claimed.
    """
    undone: list[Outcome] = []
    announcements: list[outbox.Announcement] = []
    judged = [(work, item) for work in works for item in work.envelopes if item.id in batch.verdicts]
    for work, item in judged:
        failure = Failure.of_verdict(batch.verdicts[item.id], work.delivery.body)
        outcome = fail(work, failure, context.attempts_max)
        if len(work.envelopes) == 1:
            undone.append(outcome)
        else:
            announcements.append(take_out(context.route.queue, item.index, outcome))
            outbox.once_committed(partial(lines.left_pack, context.route.queue, item, outcome))
    await inbox.unclaim(tx, context.route.queue, [outcome.work for outcome in undone])
    await outbox.append(tx, announcements)
    return undone


def _list_outcomes(claim: inbox.Claim, undone: Sequence[Outcome]) -> list[Outcome]:
    aside = {id(outcome.work) for outcome in undone}
    return [
        *undone,
        *(Outcome(work, Kind.ACKED) for work in claim.fresh if id(work) not in aside),
        *(Outcome(work, Kind.DUPLICATE) for work in claim.duplicates),
        *(Outcome(work, Kind.DEAD_LETTERED, ID_REUSE) for work in claim.reused),
    ]


async def _handle_raw(tx: Transaction, context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    raw: list[Any] = [RawDelivery.taken(context.route.queue, work.delivery) for work in works]
    batch = Batch(raw, await tx.fetchval(SQL["inbox.now"]))
    await context.route.handler(tx, batch)
    kinds = (Kind.REQUEUED if item.id in batch.verdicts else Kind.ACKED for item in raw)
    return [Outcome(work, kind) for work, kind in zip(works, kinds, strict=True)]


async def _answer(tx: Transaction, context: QueueContext, works: Sequence[Work]) -> list[Outcome]:
    items = [work.envelopes[0] for work in works]
    batch = Batch(items, await tx.fetchval(SQL["inbox.now"]), context.answers)
    replies = await context.route.handler(tx, batch)
    return [Outcome(work, Kind.ACKED, reply=reply) for work, reply in zip(works, replies or (), strict=True)]


async def _set_aside(context: QueueContext, work: Work, error: Exception) -> Outcome:
    """Set a message aside that waited for a lock in vain. A pack is taken apart: most items need another row."""
    if isinstance(context.route, RawRoute | QueryRoute):
        return await _fail_alone(context, work, error)
    failure = Failure.of_exception(error, work.delivery.body)
    if len(work.pieces) > 1:
        return await _explode(context, work, failure, aside=True)
    return Outcome(work, Kind.SET_ASIDE, failure)


async def _fail_alone(context: QueueContext, work: Work, error: Exception) -> Outcome:
    """Give an outcome to a message whose handler raised although it was alone."""
    metrics.HANDLER_FAILURES.labels(metrics.label(context.route.queue)).inc()
    if isinstance(context.route, RawRoute):
        log.warning("raw message failed, requeued", queue=context.route.queue, error=type(error).__qualname__)
        return Outcome(work, Kind.REQUEUED)
    failure = Failure.of_exception(error, work.delivery.body)
    return await _give_up(context, work, failure)


async def _give_up(context: QueueContext, work: Work, failure: Failure) -> Outcome:
    """Retry or dead-letter a failed message. A pack of several items is taken apart first, to isolate the bad item."""
    if isinstance(context.route, QueryRoute):
        return reject_query(work, failure)
    if len(work.pieces) > 1:
        try:
            return await _explode(context, work, failure)
        except UnavailableError:
            raise
        except Exception as error:
            lines.stays(context.route.queue, Outcome(work, Kind.RETRIED), type(error).__qualname__)
    return fail(work, failure, context.attempts_max)


@retry_transient
async def _explode(context: QueueContext, work: Work, failure: Failure, *, aside: bool = False) -> Outcome:
    with outbox.noting_shards() as shards:
        async with transaction(context.pool) as tx:
            claim = await inbox.claim(tx, context.route.queue, [work])
            if claim.fresh:
                await outbox.append(tx, explode_pack(context.route.queue, work, aside=aside))
    context.committed(shards)
    lines.taken_apart(context.route.queue, work, failure)
    return _list_outcomes(claim, [])[0]
