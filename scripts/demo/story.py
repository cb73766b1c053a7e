"""`scripts/up --story`: one order on the real system, slowly, with every message explained as it happens."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any

import asyncpg

from messages.topology import messages_of
from scripts.amqp_client import AmqpClient
from scripts.cli import main
from scripts.demo.environment import OMS, DemoEnvironment
from scripts.demo.processes import ChildProcess, ChildProcesses, python
from scripts.demo.story_changes import SeenEvent, Subscriber, Tables
from scripts.demo.story_page import Pages
from scripts.demo.story_plot import Chapter, Plot
from scripts.servers.lifecycle import say
from scripts.servers.ports import free_ports
from workers.routes import ROUTES

ROLES = ("catalogue", "warehouse", "storefront", "payments", "carrier")
RECEIPT_WINDOW_SECONDS = 2
OUTCOME_SECONDS = 60.0
POLL_SECONDS = 0.1
TELLING = ("state", "amount", "verdict", "status", "sku_id", "qty", "provider", "tracking_no")
ENDS = "the servers stop, which takes about five seconds"
INTRODUCTION = (
    ("you see", "One order on the real system: its own RabbitMQ and PostgreSQL, one worker and one relay."),
    ("in", "Teams publish commands and facts to the exchange oms.commands. Each kind has a queue of its own."),
    ("worker", "It takes what waits in a queue as one batch, and changes PostgreSQL in one transaction."),
    ("outbox", "What there is to say goes into the table outbox, in the same transaction."),
    ("relay", "It publishes the rows of the outbox to oms.events, and deletes those that the broker has confirmed."),
    ("out", "Anyone may subscribe to events. A publisher knows no subscriber and waits for none."),
)


@dataclass
class Story:
    """One run of the story. This process has the environment of `oms` in a second terminal."""

    environment: DemoEnvironment
    pages: Pages

    async def run(self) -> bool:
        """Play all chapters; False if something did not happen as it must."""
        with self.pages.keys():
            self.pages.page("order management: the story of one order")
            async with self._system() as parts, asyncio.TaskGroup() as group:
                teams = [group.create_task(link.run()) for link in parts.links.values()]
                for label, text in INTRODUCTION:
                    await self.pages.line(label, text)
                try:
                    return await self._play(parts)
                finally:
                    for team in teams:
                        team.cancel()

    def interrupt(self) -> None:
        """End soon, and say when."""
        print(f"\nCtrl-C: {ENDS}", flush=True)
        self.pages.end()

    @asynccontextmanager
    async def _system(self) -> AsyncIterator["_Parts"]:
        """Start a worker and a relay, and connect the teams and a subscriber."""
        processes = ChildProcesses(self._children())
        async with AsyncExitStack() as stack:
            session = await asyncpg.connect(self.environment.database_url, timeout=15)
            stack.push_async_callback(session.close, timeout=5)
            subscriber = Subscriber(self.environment.urls["admin"], self.environment.names.events)
            stack.push_async_callback(subscriber.close)
            await subscriber.start()
            urls, prefix = self.environment.urls, self.environment.names.prefix
            links = {role: AmqpClient(urls[role], f"story-{role}", prefix) for role in ROLES}
            group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.push_async_callback(processes.stop)
            processes.start(group)
            parts = _Parts(Tables(session), subscriber, links, processes.first("worker"), processes.first("relay"))
            try:
                yield parts
            finally:
                parts.release(parts.worker)
                parts.release(parts.relay)

    def _children(self) -> list[ChildProcess]:
        ports = iter(free_ports(2))

        def child(role: str, *command: str) -> ChildProcess:
            more = {"OMS_RECEIPT_WINDOW_SECONDS": str(RECEIPT_WINDOW_SECONDS), "OMS_NOTIFICATIONS": "off"}
            more |= {"OMS_FULFILMENT_WAREHOUSES": "", "OMS_OPS_PORT": str(next(ports)), "OMS_OPS_HOST": "127.0.0.1"}
            return ChildProcess(role, command, self.environment.variables(role) | more, self.environment.folder)

        return [child("worker", *OMS, "worker"), child("relay", *python("-m", "outbox"))]

    async def _play(self, parts: "_Parts") -> bool:
        plot = Plot()
        making = (plot.stocking, plot.ordering, plot.paying, plot.booking, plot.leaving, plot.arriving, plot.completing)
        for number, make in enumerate(making, start=1):
            chapter = make()
            self.pages.page(f"{number} of {len(making)}: {chapter.title}")
            happened = await self._tell(chapter, parts)
            if self.pages.ended.is_set():
                return True
            if not happened:
                say(f"error: {chapter.ends_with} did not come; the logs are in {self.environment.folder}")
                return False
            plot.order = plot.order or parts.placed()
            await self._say_what_it_waits_for(plot.order)
        await self._show_timeline(plot.order["order_id"])
        return True

    async def _tell(self, chapter: Chapter, parts: "_Parts") -> bool:
        """Write the page of one chapter while it happens. Returns whether it ended as it must."""
        await self.pages.line("why", chapter.why)
        await parts.tables.mark()
        parts.subscriber.seen.clear()
        parts.hold(parts.relay)
        parts.release(parts.worker)
        try:
            for role, message in chapter.sends:
                await self.pages.line("in", f"{message.type} from {role}: {_short(message.body)}", 2)
                await parts.links[role].connected()
                await parts.links[role].send(message)
                await self.pages.line("queue", _handler(message.key()), 2)
            if not await self._happens(partial(parts.is_announced, chapter.announces)):
                return False
            if chapter.holds_worker:
                parts.hold(parts.worker)
            await self._show_changes(parts)
        finally:
            parts.release(parts.relay)
        if not await self._happens(partial(parts.is_seen, chapter.ends_with)):
            return False
        if not chapter.sends:
            await self.pages.line("queue", _handler("timer.due"), 2)
            await self._show_tables(parts)
            for event in parts.subscriber.seen:
                await self._show_announced(event.type, "events", event.type, event.headers)
        for event in parts.subscriber.seen:
            await self.pages.line("out", f"{event.type}: {_telling(event)}", 2)
        if chapter.then:
            await self.pages.line("note", chapter.then)
        return True

    async def _show_changes(self, parts: "_Parts") -> None:
        """Write which tables have changed, and what waits in the outbox."""
        await self._show_tables(parts)
        for announced in await parts.tables.unpublished():
            await self._show_announced(*announced)

    async def _show_tables(self, parts: "_Parts") -> None:
        await self.pages.line("tables", ", ".join(map(str, await parts.tables.changes())) or "none", 6)

    async def _show_announced(self, type_: str, destination: str, key: str, headers: Mapping[str, Any]) -> None:
        """Write one message of the outbox. The key of an event is its type without the version."""
        where = destination if destination == "events" else f"{destination} {key}"
        seq = f", number {headers['seq']} of its order" if "seq" in headers else ""
        await self.pages.line("outbox", f"{type_} to {where}{seq}", 2)

    async def _happens(self, seen: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until something is seen; False if it is not in time, or the reader wants to end."""
        for _ in range(int(OUTCOME_SECONDS / POLL_SECONDS)):
            if await seen():
                return True
            if self.pages.ended.is_set():
                return False
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _say_what_it_waits_for(self, order: Mapping[str, Any]) -> None:
        if not order:
            return
        explained = await self._oms("order", "explain", order["order_id"], "-o", "json")
        for one in json.loads(explained)["awaits"]:
            until = f", until {one['until'][11:19]} UTC, then {one['otherwise']}" if one["until"] else ""
            await self.pages.line("waits for", f"{one['what']}, by {', '.join(one['moved_by'])}{until}", 3)

    async def _oms(self, *command: str) -> str:
        """Return what an `oms` command prints, run in this process: it starts at once."""

        def run() -> str:
            with redirect_stdout(StringIO()) as printed:
                main(command)
            return printed.getvalue()

        return await asyncio.to_thread(run)

    async def _show_timeline(self, order_id: str) -> None:
        """End with the order's timeline, as `oms order timeline` prints it."""
        self.pages.page(f"the end: oms order timeline {order_id}")
        print((await self._oms("order", "timeline", order_id)).rstrip(), flush=True)
        await self.pages.wait()


@dataclass
class _Parts:
    """What the chapters work with."""

    tables: Tables
    subscriber: Subscriber
    links: dict[str, AmqpClient]
    worker: ChildProcess
    relay: ChildProcess

    @staticmethod
    def hold(process: ChildProcess) -> None:
        """Stop a process as Ctrl-Z would, so that what waits for it can be seen."""
        process.send_signal(signal.SIGSTOP)

    @staticmethod
    def release(process: ChildProcess) -> None:
        """Let it go on."""
        process.send_signal(signal.SIGCONT)

    async def is_announced(self, type_: str) -> bool:
        """Tell whether the outbox has a message of this type."""
        return type_ in {row[0] for row in await self.tables.unpublished()}

    async def is_seen(self, type_: str) -> bool:
        """Tell whether the subscriber has got an event of this type."""
        return type_ in {event.type for event in self.subscriber.seen}

    def placed(self) -> Mapping[str, Any]:
        """Return the order.created of this chapter, or nothing."""
        return next((event.body for event in self.subscriber.seen if event.type == "order.created.v1"), {})


def _handler(key: str) -> str:
    """The queue that takes messages of this routing key, and the file that handles them."""
    route = next(route for route in ROUTES if key in {model.routing_key() for model in messages_of(route.queue)})
    return f"oms.{route.queue}, handled by {route.handler.__module__.replace('.', '/')}.py"


def _short(body: object) -> str:
    return json.dumps(body, ensure_ascii=False).replace('"', "")


def _telling(event: SeenEvent) -> str:
    """The fields of an event that tell most, and the message that caused it."""
    body: dict[str, Any] = {name: event.body[name] for name in TELLING if name in event.body}
    if "cause" in event.body:
        body["because of"] = event.body["cause"]["type"]
    return _short(body)
