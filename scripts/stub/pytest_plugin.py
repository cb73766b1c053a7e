"""A plugin of pytest for other teams: the fixture `oms_stub` stands in for oms while a test runs.

    pytest -p scripts.stub.pytest_plugin          with OMS_STUB_AMQP_URL, a RabbitMQ without oms and another stub

    def test_a_refused_order_is_shown_to_the_buyer(oms_stub: OmsStub) -> None:
        oms_stub.refuse("order.create", "ORDER_PRICE_MISMATCH")
        checkout.place(basket)                                     # your code, which publishes to oms.commands
        assert oms_stub.received("order.create")[0].body["user_id"] == "ada"

A project overrides the fixtures `oms_stub_url` and `oms_stub_prefix` to say where the stub is.
"""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import orjson
import pytest

from messages.registry import MODELS
from messages.topology import Names
from scripts.commands.body_faults import faults
from scripts.commands.contract_files import examples
from scripts.commands.contracts import FOLDER
from scripts.commands.explanations import explain
from scripts.stub.broker import StubBroker, StubMessage
from scripts.stub.scenario import ANNOUNCED, Scenario, typed

T = TypeVar("T")
START_TIMEOUT_SECONDS = 30.0
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.01


class OmsStub:
    """A running stub. It works beside the test, so code that blocks can be tested."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url, self.names = url, Names(prefix)
        self.messages: list[StubMessage] = []
        self._scenario: dict[str, Any] = {}
        self._examples = examples(FOLDER)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="oms stub", daemon=True)

    def start(self) -> None:
        """Connect and begin to answer. Raises CommandError beside a real oms or another stub."""
        self._thread.start()
        try:
            self._broker = self._run(self._opened())
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Disconnect."""
        self._run(self._closed())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_SECONDS)
        self._loop.close()

    def received(self, type_: str, count: int = 1, *, within_seconds: float = WAIT_SECONDS) -> list[StubMessage]:
        """Wait until `count` valid messages of a type have come, and return all of them.

        The assertion that fails after `within_seconds` lists what came, with the faults of what was not valid.
        """
        deadline = time.monotonic() + within_seconds
        while True:
            found = [one for one in self.messages if _is(one, type_) and not one.faults]
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        came = [f"{one.type or 'no type'}{_faults(one)}" for one in self.messages]
        raise AssertionError(f"{len(found)} of {count} {type_} came within {within_seconds:g} s. All that came: {came}")

    def assert_all_valid(self) -> None:
        """Fail with the faults of each message that oms would not take."""
        wrong = [f"{one.type or 'no type'}{_faults(one)}" for one in self.messages if one.faults]
        assert wrong == [], f"oms would not take: {wrong}"

    def refuse(self, type_: str, code: str, *, times: int | None = None, share: str = "1") -> None:
        """Refuse commands or queries of a type from now on: the first `times`, or a share such as "0.25".

        It takes the place of an earlier rule for the type.
        """
        rule = {"type": type_, "code": code, "times": times, "share": share}
        others = [one for one in self._scenario.get("refuse", []) if one["type"] != type_]
        self.behave(refuse=[*others, rule])

    def silence(self, type_: str) -> None:
        """Never answer messages of a type from now on."""
        self.behave(silent=[*self._scenario.get("silent", []), type_])

    def emit(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Announce an event, or instruct a warehouse; return the body. Of an order that the stub created, its
        `order_id` is enough. Raises ValueError for a field that the message does not have, or that does not fit there.
        """
        type_ = typed(type_, ANNOUNCED)
        wrong = faults(MODELS[type_], orjson.dumps(self._examples[type_] | fields))
        if wrong:
            why = "; ".join(f"{fault['path']}: {fault['message']}, allowed: {fault['allowed']}" for fault in wrong)
            raise ValueError(f"{type_} cannot be emitted: {why}")
        made = self._run(self._broker.emit(type_, fields))
        body: dict[str, Any] = orjson.loads(made.json_bytes)
        return body

    def behave(self, **rules: Any) -> None:
        """Set fields of the scenario, such as latency_ms=50; see `oms stub --help`. The others stay."""
        self._scenario |= rules
        self._broker.behave(Scenario.model_validate(self._scenario))

    async def _opened(self) -> StubBroker:
        broker = StubBroker(self.url, self.names, self._examples, on_message=self.messages.append)
        await broker.start()
        return broker

    async def _closed(self) -> None:
        await self._broker.stop()
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:  # a task that ends may start another
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_SECONDS)


def _is(message: StubMessage, type_: str) -> bool:
    return type_ in (message.type, message.type.rpartition(".v")[0])


def _faults(message: StubMessage) -> str:
    return "".join(f" ({fault.path}: {fault.message})" for fault in message.faults)


@pytest.fixture
def oms_stub_url() -> str:
    """The AMQP URL of a RabbitMQ without oms, of a user who may declare there: OMS_STUB_AMQP_URL."""
    url = os.environ.get("OMS_STUB_AMQP_URL", "")
    if not url:
        pytest.fail(
            "export OMS_STUB_AMQP_URL=amqp://guest:guest@localhost:5672/%2F, a RabbitMQ without oms", pytrace=False
        )
    return url


@pytest.fixture
def oms_stub_prefix() -> str:
    """The prefix of the exchanges, as the code under test has it."""
    return "oms"


@pytest.fixture
def oms_stub(oms_stub_url: str, oms_stub_prefix: str) -> Iterator[OmsStub]:
    """oms, as far as the code under test can see."""
    stub = OmsStub(oms_stub_url, oms_stub_prefix)
    problem = None
    try:
        stub.start()
    except Exception as error:
        if (problem := explain(error)) is None:
            raise
    if problem is not None:  # not within `except`, where pytest shows the causes, too
        pytest.fail(problem.text.replace("OMS_AMQP_URL", "OMS_STUB_AMQP_URL"), pytrace=False)
    yield stub
    stub.stop()
