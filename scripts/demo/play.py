"""The run: start everyone, show them, drain, judge."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from scripts.demo.books import compare_books, compare_letters
from scripts.demo.chaos import make_trouble
from scripts.demo.figures import Figures, Gauge
from scripts.demo.gateways import Gateways
from scripts.demo.ledgers import compare_ledgers
from scripts.demo.outside import Outside
from scripts.demo.processes import Cast, Child, python
from scripts.demo.stage import OMS, RATE_LIMIT_ORDERS, RULES, Stage
from scripts.demo.statements import reconcile
from scripts.demo.verdict import Ending
from scripts.demo.view import Scene, Screen
from scripts.servers.find import Servers
from scripts.servers.ports import free_ports

LOOK_SECONDS = 1.0
QUIET_LOOKS = 3
"""A message in a worker's hands is in no figure; it does not stay there for three looks."""
STANDSTILL_SECONDS = 200.0
"""Nothing moves for longer than the retry tier of two minutes: it never will."""


@dataclass(frozen=True)
class Options:
    """What was typed."""

    orders: int = 0
    exit: bool = False
    rate: float = 50.0
    workers: int = 2
    relays: int = 2
    chaos: bool = False
    view: bool = True


@dataclass
class Play:
    """One run on its stage."""

    options: Options
    servers: Servers
    stage: Stage
    gateways: Gateways
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    give_up: asyncio.Event = field(default_factory=asyncio.Event)
    stuck: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.cast = Cast(self._children())
        self.outside = Outside(self._asked(), self.stage.folder / "client.log")
        processes: list[Child | Gateways] = [*self.cast.children, self.gateways]
        self.scene = Scene(processes, self.stage.names.prefix, self.options.orders)
        self.gauge = Gauge(self.stage.database_url, self.stage.urls["admin"], self.stage.queues)

    async def run(self) -> Ending:
        """From the first process to the verdict. Raises in a group what says that a process died."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        try:
            async with asyncio.TaskGroup() as group:
                self.cast.start(group)
                group.create_task(self.outside.watch())
                watching = group.create_task(self.gateways.watch())
                trouble = self._trouble(group)
                with Screen(live=self.options.view) as screen:
                    await self._live(screen)
                if trouble is not None:
                    trouble.cancel()
                await self.outside.finish()
                await self.cast.stop()
                watching.cancel()
            return await self._judge()
        finally:
            await self.cast.stop()
            await self.gauge.close()

    def _children(self) -> list[Child]:
        ports = iter(free_ports(self.options.workers + self.options.relays))
        folder = self.stage.folder

        def child(role: str, number: int, *command: str) -> Child:
            variables = self.stage.variables(role, OMS_OPS_PORT=str(next(ports)), OMS_OPS_HOST="127.0.0.1")
            return Child(f"{role}-{number}", list(command), variables | dict(self.gateways.environment), folder)

        workers = [child("worker", number, *OMS, "worker") for number in range(1, self.options.workers + 1)]
        relays = [child("relay", n, *python("-m", "outbox")) for n in range(1, self.options.relays + 1)]
        return workers + relays

    def _asked(self) -> dict[str, Any]:
        roles = ("upstream", "payments", "warehouse")
        return {
            "urls": {role: self.stage.urls[role] for role in roles},
            "run": self.stage.run,
            "gateways": dict(self.gateways.urls),
            "receipts": str(self.stage.receipts),
            "passbook": str(self.stage.passbook),
            "prefix": self.stage.names.prefix,
            "orders": self.options.orders,
            "rate": self.options.rate,
            "window_seconds": self.stage.window_seconds,
            "rules": RULES,
            "hasty_orders": RATE_LIMIT_ORDERS + 2,
        }

    def _trouble(self, group: asyncio.TaskGroup) -> "asyncio.Task[None] | None":
        if not self.options.chaos:
            return None
        half = max(self.options.orders // 2, 100)
        return group.create_task(make_trouble(self.scene, self.cast, self.servers, half))

    def _interrupt(self) -> None:
        if self.enough.is_set():
            self.give_up.set()
        self.enough.set()

    # ------------------------------------------------------------ the picture and the drain

    async def _live(self, screen: Screen) -> None:
        """Show until everything asked for is done, and what was begun has ended."""
        quiet, standstill = 0, Standstill(STANDSTILL_SECONDS)
        while quiet < QUIET_LOOKS and not self.give_up.is_set():
            self.scene.figures = await self.gauge.look()
            await self.gateways.look()
            self.scene.outside, self.scene.ledgers = self.outside.report, self.gateways.books
            screen.show(self.scene)
            if self._drains():
                self.outside.drain()
                self.scene.note = f"draining: {', '.join(self.scene.figures.unquiet()[:6]) or 'all quiet'}"
                done = self.scene.figures.quiet and self.outside.report.get("idle") and not self.gateways.waiting
                quiet = quiet + 1 if done else 0
                if standstill.since(self._signature):
                    break
            await asyncio.sleep(LOOK_SECONDS)
        if quiet < QUIET_LOOKS:
            why = "interrupted" if self.give_up.is_set() else f"nothing moved for {STANDSTILL_SECONDS:.0f} s"
            self.stuck = (why, *self._stuck())

    def _drains(self) -> bool:
        placed_all = self.outside.report.get("phase") == "draining"
        return self.enough.is_set() or (self.options.exit and placed_all)

    def _signature(self) -> object:
        report, figures = self.outside.report, self.scene.figures
        moving = ("ordered", "commands_open", "captured_cents", "refunded_cents", "ended", "live")
        return figures, [report.get(name) for name in moving]

    def _stuck(self) -> tuple[str, ...]:
        waiting = self.gateways.waiting
        untold = (f"notifications of gateways: {waiting}",) if waiting else ()
        return (*self.scene.figures.unquiet(), *untold, *self.outside.report.get("stuck", []))

    # ------------------------------------------------------------ the verdict

    async def _judge(self) -> Ending:
        final = self.outside.report
        figures = await self.gauge.look()
        gateways = await self.gateways.read()
        session = await asyncpg.connect(self.stage.database_url, timeout=10)
        try:
            books = await compare_books(session, self.stage.receipts, gateways)
            letters = await compare_letters(session, final.get("vandal", {}))
            ledgers = await compare_ledgers(session, self.stage.passbook)
        finally:
            await session.close(timeout=5)
        audit, statements = await asyncio.gather(
            asyncio.to_thread(self.stage.oms, "worker", ["audit", "--quiescent"]),
            asyncio.to_thread(reconcile, self.stage, gateways, self.gateways.environment),
        )
        return Ending(
            final=final,
            figures=figures,
            books=books,
            letters=letters,
            ledgers=ledgers,
            gateways=gateways,
            statements=statements,
            audit=(audit.returncode, audit.stdout + audit.stderr),
            stuck=(*self.stuck, *(f"left over: {what}" for what in figures.unquiet() if not self.stuck)),
            restarts={child.name: child.restarts for child in self.cast.children},
            seconds=time.monotonic() - self.scene.started,
        )


class Standstill:
    """Notifications that nothing has moved for too long."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._last: object = None
        self._moved = time.monotonic()

    def since(self, signature: Callable[[], object]) -> bool:
        """Whether the signature has been the same for the whole limit."""
        now = signature()
        if now != self._last:
            self._last, self._moved = now, time.monotonic()
        return time.monotonic() - self._moved > self._limit_seconds


__all__ = ["Figures", "Options", "Play"]
