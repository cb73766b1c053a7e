"""One run of the demo: start all processes, show them, drain, and check the result."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg

from scripts.demo.benefits_check import compare_benefits
from scripts.demo.carrier_check import compare_waybills
from scripts.demo.case_check import compare_cases
from scripts.demo.chaos import kill_and_restart
from scripts.demo.client_job import CLIENT_USERS, ClientJob
from scripts.demo.client_process import ClientProcess
from scripts.demo.day_check import compare_stats
from scripts.demo.environment import OMS, RATE_LIMIT_ORDERS, RULES, DemoEnvironment
from scripts.demo.gateway_process import GatewayProcess
from scripts.demo.group_check import compare_groups
from scripts.demo.live_view import Screen
from scripts.demo.mail_check import compare_mails
from scripts.demo.money_check import compare_dead_letters, compare_money
from scripts.demo.processes import ChildProcess, ChildProcesses, python
from scripts.demo.statement_check import reconcile
from scripts.demo.system_status import StatusReader
from scripts.demo.verdict import RunResult
from scripts.demo.view_data import ViewData
from scripts.servers.find import Servers
from scripts.servers.ports import free_ports

READ_SECONDS = 1.0
ALL_PLACED = "all orders are placed; Ctrl-C ends it with an audit"
HARD_END = "a second Ctrl-C ended it at once: what was under way has no end, and is missing in the checks below"
IDLE_READS = 3
"""A message in a worker's hands is in no count, but it does not stay there for three reads."""
ENDING_SECONDS = 40
"""Beside the payment window, an end takes about so long: parcels, receipts and cases under way, then the checks."""
STANDSTILL_SECONDS = 200.0
"""If nothing moves for longer than the retry tier of two minutes, nothing will move any more."""


@dataclass(frozen=True)
class RunOptions:
    """The options of the command line."""

    orders: int = 0
    exit: bool = False
    rate: float = 50.0
    workers: int = 2
    relays: int = 2
    chaos: bool = False
    view: bool = True


@dataclass
class DemoRun:
    """One run in its environment."""

    options: RunOptions
    servers: Servers
    environment: DemoEnvironment
    gateways: GatewayProcess
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    stuck: tuple[str, ...] = ()
    _drained_at: float = 0.0

    def __post_init__(self) -> None:
        self.processes = ChildProcesses(self._children())
        self.client = ClientProcess(self._job(), self.environment.folder / "client.log")
        processes: list[ChildProcess | GatewayProcess] = [*self.processes.children, self.gateways]
        self.view_data = ViewData(processes, self.environment.names.prefix, self.options.orders)
        self.view_data.second_terminal = str(self.environment.second_terminal)
        self.screen = Screen(live=self.options.view)
        self.status_reader = StatusReader(
            self.environment.database_url, self.environment.urls["admin"], self.environment.queues
        )

    async def run(self) -> RunResult:
        """Run from the first process to the result. Raises an exception group if a process died."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        try:
            async with asyncio.TaskGroup() as group:
                self.processes.start(group)
                group.create_task(self.client.watch())
                watching = group.create_task(self.gateways.watch())
                chaos = self._start_chaos(group)
                with self.screen:
                    await self._live(self.screen)
                if chaos is not None:
                    chaos.cancel()
                await self.client.finish()
                await self.processes.stop()
                watching.cancel()
            return await self._result()
        finally:
            await self.processes.stop()
            await self.status_reader.close()

    def _children(self) -> list[ChildProcess]:
        ports = iter(free_ports(self.options.workers + self.options.relays))
        folder = self.environment.folder

        def child(role: str, number: int, *command: str) -> ChildProcess:
            variables = self.environment.variables(role, OMS_OPS_PORT=str(next(ports)), OMS_OPS_HOST="127.0.0.1")
            return ChildProcess(f"{role}-{number}", list(command), variables | dict(self.gateways.environment), folder)

        workers = [child("worker", number, *OMS, "worker") for number in range(1, self.options.workers + 1)]
        relays = [child("relay", n, *python("-m", "outbox")) for n in range(1, self.options.relays + 1)]
        return workers + relays

    def _job(self) -> ClientJob:
        environment = self.environment
        return ClientJob(
            urls={user: environment.urls[user] for user in CLIENT_USERS},
            run=environment.run,
            gateways=dict(self.gateways.urls),
            carriers_url=self.gateways.carriers_url,
            receipts=str(environment.receipts),
            benefits_log=str(environment.benefits_log),
            mails=str(environment.mails),
            rules=RULES,
            prefix=environment.names.prefix,
            orders=self.options.orders,
            rate=self.options.rate,
            window_seconds=environment.window_seconds,
            hasty_orders=RATE_LIMIT_ORDERS + 2,
        )

    def _start_chaos(self, group: asyncio.TaskGroup) -> "asyncio.Task[None] | None":
        if not self.options.chaos:
            return None
        half = max(self.options.orders // 2, 100)
        return group.create_task(kill_and_restart(self.view_data, self.processes, self.servers, half))

    def _interrupt(self) -> None:
        """Drain, and say at once how long that takes and why; or end at once if it drains already."""
        if self.draining.is_set():
            self.interrupted.set()
        else:
            self.draining.set()
            self.screen.announce(self.view_data, ending(self.environment.window_seconds))

    # ------------------------------------------------------------ the live view and the drain

    async def _live(self, screen: Screen) -> None:
        """Show the live view until all orders are placed and everything that was begun has ended."""
        idle_reads, standstill = 0, Standstill(STANDSTILL_SECONDS)
        while idle_reads < IDLE_READS and not self.interrupted.is_set():
            self.view_data.status = await self.status_reader.read()
            await self.gateways.refresh()
            self.view_data.client_report, self.view_data.ledgers = self.client.report, self.gateways.ledgers
            screen.show(self.view_data)
            if self._drains():
                self._drained_at = self._drained_at or time.monotonic()
                self.client.drain()
                under_way = ", ".join(self.view_data.status.in_progress()[:6]) or "nothing"
                self.view_data.note = f"{self._remaining()}still under way: {under_way}"
                done = self.view_data.status.is_idle and self.client.report.get("idle") and not self.gateways.waiting
                idle_reads = idle_reads + 1 if done else 0
                if standstill.since(self._signature):
                    break
            elif self._placed_all():
                self.view_data.note = ALL_PLACED
            await asyncio.sleep(READ_SECONDS)
        if idle_reads < IDLE_READS:
            why = HARD_END if self.interrupted.is_set() else f"nothing moved for {STANDSTILL_SECONDS:.0f} s"
            self.stuck = (why, *self._stuck())

    def _remaining(self) -> str:
        """Return how long the end should take at most, while it is not overdue."""
        left = ENDING_SECONDS + self.environment.window_seconds - (time.monotonic() - self._drained_at)
        return f"at most about {left:.0f} s to the end; " if left > 0 else ""

    def _drains(self) -> bool:
        return self.draining.is_set() or (self.options.exit and self._placed_all())

    def _placed_all(self) -> bool:
        return self.client.report.get("phase") == "draining"

    def _signature(self) -> object:
        report, status = self.client.report, self.view_data.status
        moving = ("ordered", "commands_open", "captured_cents", "refunded_cents", "ended", "live")
        return status, [report.get(name) for name in moving]

    def _stuck(self) -> tuple[str, ...]:
        waiting = self.gateways.waiting
        unsent = (f"notifications that gateways still send: {waiting}",) if waiting else ()
        return (*self.view_data.status.in_progress(), *unsent, *self.client.report.get("stuck", []))

    # ------------------------------------------------------------ the verdict

    async def _result(self) -> RunResult:
        final = self.client.report
        status = await self.status_reader.read()
        gateways, carriers = await self.gateways.read(), await self.gateways.read_carriers()
        delivered = await self.gateways.read_mails()
        session = await asyncpg.connect(self.environment.database_url, timeout=10)
        try:
            money = await compare_money(session, self.environment.receipts, gateways)
            dead_letters = await compare_dead_letters(session, final.get("malformed_sent", {}))
            benefits = await compare_benefits(session, self.environment.benefits_log)
            waybills = await compare_waybills(session, carriers["parcels"])
            mails = await compare_mails(session, self.environment.mails, delivered["mails"])
            cases = await compare_cases(session, final.get("cases", []))
        finally:
            await session.close(timeout=5)
        audit, day, statements = await asyncio.gather(
            asyncio.to_thread(
                self.environment.oms, "worker", ["audit", *([] if status.own_orders else ["--quiescent"])]
            ),
            asyncio.to_thread(self.environment.oms, "worker", ["stats", "-o", "json"]),
            asyncio.to_thread(reconcile, self.environment, gateways, self.gateways.environment),
        )
        return RunResult(
            final=final,
            status=status,
            money=money,
            dead_letters=dead_letters,
            benefits=benefits,
            gateways=gateways,
            carriers=carriers["habits"],
            waybills=waybills,
            cases=cases,
            groups=compare_groups(final.get("group_orders", []), self.environment.receipts),
            mails=mails,
            statements=statements,
            day=compare_stats(final, day),
            audit=(audit.returncode, audit.stdout + audit.stderr),
            stuck=(*self.stuck, *(f"left over: {what}" for what in status.in_progress() if not self.stuck)),
            restarts={child.name: child.restarts for child in self.processes.children},
            seconds=time.monotonic() - self.view_data.started,
        )


def ending(window_seconds: int) -> str:
    """Return what a person who typed Ctrl-C must know: how long the end takes, why, and how to have it sooner."""
    return (
        f"Ctrl-C: no more orders. The end takes at most about {window_seconds + ENDING_SECONDS} s: an order may be "
        f"paid for {window_seconds} s, and parcels and refunds under way arrive. Then all is checked. Ctrl-C again "
        "ends at once, and what is under way fails the checks then."
    )


class Standstill:
    """Detects that nothing has moved for too long."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._last: object = None
        self._moved = time.monotonic()

    def since(self, signature: Callable[[], object]) -> bool:
        """Tell whether the signature has been the same for the whole limit."""
        now = signature()
        if now != self._last:
            self._last, self._moved = now, time.monotonic()
        return time.monotonic() - self._moved > self._limit_seconds
