"""The stub stands in for oms: code of another team, here pika and `oms publish`, is tested against it."""

import json
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
import pika
import pytest

from messages.base import MessageKind
from messages.envelope import Envelope
from messages.registry import MODELS
from scripts.commands.answers import ANSWERS
from scripts.commands.problems import CommandError
from scripts.servers.find import Servers
from scripts.servers.management import Management
from scripts.stub.answers import StubOrders
from scripts.stub.prices import TERMS, priced
from scripts.stub.scenario import Dice, Scenario, scenario_of
from tests.broker import Broker
from tests.golden.examples import EXAMPLES, example, raw
from tests.scripts.oms_command import Oms

if TYPE_CHECKING:
    from scripts.stub.pytest_plugin import OmsStub  # pytest loads it as a plugin, and rewrites its assertions

pytest_plugins = ("scripts.stub.pytest_plugin",)
WAIT_SECONDS = 20


@pytest.fixture
def oms_stub_url(broker: Broker) -> str:
    return broker["admin"]


@pytest.fixture
def oms_stub_prefix(broker: Broker) -> str:
    return broker.names.prefix


class Checkout:
    """The code under test: a client that knows the wire alone."""

    def __init__(self, stub: "OmsStub") -> None:
        self.prefix = stub.names.prefix
        self.connection = pika.BlockingConnection(pika.URLParameters(stub.url))
        self.channel = self.connection.channel()
        self.inbox, self.events = (self.channel.queue_declare("", exclusive=True).method.queue for _ in range(2))
        self.channel.queue_bind(self.events, f"{self.prefix}.events", "#")

    def request(self, kind: str, body: Any, exchange: str = "commands", key: str = "") -> tuple[str, dict[str, Any]]:
        sent = uuid4().hex
        about = pika.BasicProperties(type=f"{kind}.v1", message_id=sent, reply_to=self.inbox, delivery_mode=2)
        self.channel.basic_publish(f"{self.prefix}.{exchange}", key or kind, json.dumps(body).encode(), about)
        properties, answer = self.next(self.inbox)
        assert properties.correlation_id == sent
        return properties.type, answer

    def next(self, queue: str) -> tuple[Any, dict[str, Any]]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method is not None:
                return properties, json.loads(body)
            time.sleep(0.005)
        raise AssertionError(f"nothing came to {queue}")

    def announced(self) -> tuple[str, dict[str, Any]]:
        properties, body = self.next(self.events)
        return properties.type, body


@pytest.fixture
def checkout(oms_stub: "OmsStub") -> Iterator[Checkout]:
    client = Checkout(oms_stub)
    yield client
    client.connection.close()


def order(**changes: Any) -> dict[str, Any]:
    body = {"request_id": "r-1", "actor": {"type": "user", "id": "ada"}, "user_id": "ada", "channel": "pc"}
    items = [{"sku_id": "tea", "qty": 2}, {"sku_id": "mug", "qty": 1}]
    return body | {"currency": "GBP", "items": items, "expected_pay_amount": 2998} | changes


def test_an_order_lives_as_with_oms_and_a_repeat_gets_its_outcome(oms_stub: "OmsStub", checkout: Checkout) -> None:
    kind, created = checkout.request("order.create", order())
    assert (kind, created["request_id"], created["user_id"]) == ("order.created.v1", "r-1", "ada")
    assert (created["amounts"]["payable"], sum(line["payable"] for line in created["lines"])) == (2998, 2998)
    assert checkout.announced() == ("order.created.v1", created)
    assert checkout.request("order.create", order()) == ("order.created.v1", created | {"duplicate": True})
    assert checkout.request("order.create", order(channel="app"))[1]["code"] == "IDEMPOTENCY_CONFLICT"
    assert checkout.announced()[0] == "command.rejected.v1"
    about = {"actor": {"type": "user", "id": "ada"}, "order": created["order_id"]}
    kind, seen = checkout.request("order.get", about, "queries")
    assert (kind, seen["order_no"], seen["payable"]["text"]) == ("order.described.v1", created["order_no"], "29.98")
    paid = oms_stub.emit("order.paid", order_id=created["order_id"])
    assert checkout.announced() == ("order.paid.v1", paid)
    assert (paid["previous"], paid["state"], paid["version"]) == ("awaiting_payment", "paid", created["version"] + 1)
    confirmed = {"request_id": "r-2", "actor": about["actor"], "order_id": about["order"]}
    kind, completed = checkout.request("order.confirm_receipt", confirmed)
    assert (kind, completed["user_id"], completed["version"]) == ("order.completed.v1", "ada", paid["version"] + 1)
    assert [one.body["user_id"] for one in oms_stub.received("order.create", 3)] == ["ada"] * 3
    oms_stub.assert_all_valid()


def test_what_oms_would_not_take_is_answered_with_every_fault(oms_stub: "OmsStub", checkout: Checkout) -> None:
    kind, rejected = checkout.request("order.create", order(items=[{"sku_id": "tea", "qty": "2"}], colour="red"))
    assert (kind, rejected["code"]) == ("command.rejected.v1", "MESSAGE_INVALID")
    assert {fault["path"] for fault in rejected["details"]["faults"]} == {"$.items[0].qty", "$.colour"}
    kind, rejected = checkout.request("order.create", order(), key="order.craete")
    assert rejected["details"]["error"] == "unroutable"
    kind, rejected = checkout.request("order.get", {"order": 7}, "queries")
    assert (kind, rejected["code"]) == ("query.rejected.v1", "AUTH_REQUIRED")
    with pytest.raises(AssertionError, match=r"oms would not take.*\$.items\[0\].qty"):
        oms_stub.assert_all_valid()
    with pytest.raises(AssertionError, match=r"0 of 1 order.create came within 0.1 s.*unroutable|routing key"):
        oms_stub.received("order.create", within_seconds=0.1)


def test_a_stub_refuses_keeps_silent_and_goes_on_as_the_test_wants(oms_stub: "OmsStub", checkout: Checkout) -> None:
    oms_stub.refuse("order.create", "ORDER_PRICE_MISMATCH", times=1)
    oms_stub.behave(emit=[{"after": "order.created", "type": "order.paid", "delay_ms": 1}])
    assert checkout.request("order.create", order())[1]["code"] == "ORDER_PRICE_MISMATCH"
    created = checkout.request("order.create", order(request_id="r-2"))[1]
    kinds = [checkout.announced()[0] for _ in range(3)]
    assert kinds == ["command.rejected.v1", "order.created.v1", "order.paid.v1"]
    oms_stub.refuse("order.create", "INVENTORY_INSUFFICIENT")
    kind, rejected = checkout.request("order.create", order(request_id="r-3"))
    assert (kind, [one["sku_id"] for one in rejected["details"]["short"]]) == ("order.rejected.v1", ["tea", "mug"])
    assert checkout.announced()[0] == "order.rejected.v1"
    oms_stub.silence("payment.result")
    amounts = {"amount": created["amounts"]["payable"], "currency": "GBP"}
    result = example("payment.result.v1") | {"order_id": created["order_id"], "kind": "captured"} | amounts
    about = pika.BasicProperties(type="payment.result.v1", message_id="m-1")
    for provider in ("quiet", "loud"):
        body = json.dumps(result | {"provider": provider}).encode()
        checkout.channel.basic_publish(f"{checkout.prefix}.commands", "payment.result", body, about)
        assert oms_stub.received("payment.result", 1 if provider == "quiet" else 2)
        oms_stub.behave(silent=[])
    assert checkout.announced()[0] == "order.paid.v1"
    parcel = {"carrier": "sf", "tracking_no": "SF1"}
    shipped = parcel | {"event_id": "e-1", "status": "outbound", "occurred_at": "2026-01-31T09:30:00Z"}
    for kind, sent in (("shipment.book", parcel | {"order_id": created["order_id"]}), ("shipment.update", shipped)):
        about = pika.BasicProperties(type=f"{kind}.v1", message_id=kind)
        checkout.channel.basic_publish(f"{checkout.prefix}.commands", kind, json.dumps(sent).encode(), about)
    assert checkout.announced()[0] == "order.shipped.v1", "its number is that of the parcel that was booked"


def test_a_stub_with_stock_and_prices_refuses_as_oms_does(oms_stub: "OmsStub", checkout: Checkout) -> None:
    oms_stub.behave(stock={"tea": 3}, price={"tea": 1000, "mug": 998})
    first = checkout.request("order.create", order())[1]
    rejected = checkout.request("order.create", order(request_id="r-2"))[1]
    short = {"sku_id": "tea", "warehouse": "main", "want": 2, "have": 1, "elsewhere": 0}
    assert (rejected["code"], rejected["details"]) == ("INVENTORY_INSUFFICIENT", {"short": [short]})
    rejected = checkout.request("order.create", order(request_id="r-3", expected_pay_amount=2999))[1]
    assert (rejected["code"], rejected["details"]["expected"]) == ("ORDER_PRICE_MISMATCH", 2998)
    line = {"sku_id": "tea", "qty": 1, "expected_unit_price": 999}
    rejected = checkout.request("order.create", order(request_id="r-7", items=[line], coupon_id="c"))[1]
    assert rejected["details"] == {"line": 1, "sku_id": "tea", "expected": 1000, "got": 999, "currency": "GBP"}
    oms_stub.silence("order.merge")  # another rule restocks nothing
    cancel = {"request_id": "r-4", "actor": {"type": "user", "id": "ada"}, "order_id": first["order_id"]}
    assert checkout.request("order.cancel", cancel)[0] == "order.cancelled.v1"
    second = checkout.request("order.create", order(request_id="r-5"))
    assert second[0] == "order.created.v1"
    assert checkout.request("order.create", order(request_id="r-6", coupon_id="c"))[0] == "order.rejected.v1"
    for request_id, items, code in (
        ("r-9", [], "ORDER_ITEMS_EMPTY"),
        ("r-10", [line | {"qty": 0}], "ORDER_PARAM_INVALID"),
    ):
        rejected = checkout.request("order.create", order(request_id=request_id, items=items))[1]
        assert rejected["code"] == code
    numbers = [checkout.next(checkout.events)[0].headers for _ in range(7)]
    of_first = [one for one in numbers if one.get("stream") == first["order_id"]]
    assert [one["seq"] for one in of_first] == [1, 2]
    assert {one["conversation-id"] for one in of_first} == {first["conversation_id"]}
    oms_stub.emit("order.cancelled", order_id=second[1]["order_id"])
    assert checkout.request("order.create", order(request_id="r-8"))[0] == "order.created.v1", "its units are back"


def test_a_stub_shares_out_what_an_order_costs_to_the_minor_unit_as_oms_does() -> None:
    basket = {"currency": "GBP", "items": [{"sku_id": "tea", "qty": 2}, {"sku_id": "mug", "qty": 1}]}
    dear = {"items": [{"sku_id": "tea", "qty": 2, "expected_unit_price": 700}, {"sku_id": "mug", "qty": 1}]}
    for order, prices, units, lines, terms in (
        ({"expected_pay_amount": 3000}, {}, [1000, 1000], [2000, 1000], {}),
        ({"expected_pay_amount": 2998}, {}, [1000, 1000], [1999, 999], {"promotion": 2}),
        ({"expected_pay_amount": 2998} | dear, {}, [700, 1598], [1400, 1598], {}),
        (
            {"expected_pay_amount": 2500, "coupon_id": "c"},
            {"tea": 1000, "mug": 998},
            [1000, 998],
            [1668, 832],
            {"coupon": 498},
        ),
        (
            {"expected_pay_amount": 2997, "use_points": 1},
            {"tea": 1000, "mug": 998},
            [1000, 998],
            [1999, 998],
            {"points": 1},
        ),
        ({"expected_pay_amount": 3497}, {"tea": 1000, "mug": 998}, [1000, 998], [2333, 1164], {"shipping": 499}),
        ({"expected_pay_amount": -5}, {"tea": 1000}, [1000, 0], [0, 0], {"promotion": 2000}),
        ({"expected_pay_amount": 500, "items": []}, {}, [500], [500], {}),
    ):
        made, amounts = priced(basket | order, prices)
        assert ([one["unit_price"] for one in made], [one["payable"] for one in made]) == (units, lines)
        assert {name: amounts[name] for name in TERMS if amounts[name]} == terms
        assert amounts["payable"] == sum(lines)


def test_publish_shows_what_came_back(oms: Oms, oms_stub: "OmsStub", tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(orjson.dumps(order()))
    urls = {"prefix": oms_stub.names.prefix, "amqp_url": oms_stub.url}
    created = oms("publish", "order.create", str(file), "--wait", "-o", "json", **urls)
    assert (created.code, created.json["outcome"], created.json["body"]["user_id"]) == (0, "order.created.v1", "ada")
    oms_stub.refuse("order.cancel", "ORDER_NOT_CANCELLABLE")
    about = {"actor": {"type": "user", "id": "ada"}, "order_id": created.json["body"]["order_id"]}
    file.write_bytes(orjson.dumps(about | {"request_id": "r-2"}))
    refused = oms("publish", "order.cancel", str(file), "--wait")
    assert refused.code == 6
    assert "order.cancel.v1 was refused with ORDER_NOT_CANCELLABLE" in refused.err
    assert "a parcel is out" in refused.err
    assert {"command.rejected.v1", "details.order_id"} <= set(refused.out.split())
    file.write_bytes(orjson.dumps({"actor": about["actor"], "order": about["order_id"]}))
    assert oms("publish", "order.get", str(file)).code == 6
    assert oms("publish", "order.get", str(file), "--wait", "-o", "json").json["body"]["user_id"] == "ada"
    oms_stub.silence("order.get")
    late = oms("publish", "order.get", str(file), "--wait", "--wait-seconds", "0.1")
    assert (late.code, "no answer came within 0.1 s" in late.err) == (5, True)
    assert oms("publish", "order.create", str(file), "--wait", "--reply-to", "client.me").code == 1
    assert oms("publish", "payment.result", str(file), "--wait").code == 1


def test_the_command_answers_until_it_is_stopped_and_not_beside_oms(oms: Oms, broker: Broker) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker["admin"]))

    def stop_when_it_answers() -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                connection.channel().queue_declare("stubbed.stub", passive=True)
            except pika.exceptions.ChannelClosedByBroker as closed:
                if closed.reply_code == 405:  # it exists, and belongs to the stub's connection
                    break
                time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_when_it_answers)
    stopper.start()
    arguments = ("--refuse", "order.create=ORDER_PRICE_MISMATCH", "--latency-ms", "5", "--silent", "order.cancel")
    stopped = oms("stub", *arguments, amqp_url=broker["admin"], prefix="stubbed")
    stopper.join()
    assert (stopped.code, "the stub answers what is published to stubbed.commands" in stopped.err) == (0, True)
    connection.channel().queue_declare("stubbed.order-creation")
    beside = oms("stub", amqp_url=broker["admin"], prefix="stubbed")
    connection.close()
    assert (beside.code, "a stub does not run beside oms" in beside.err) == (6, True)


def answers(url: str, user: str, prefix: str) -> list[str]:
    """The type of what answers an order of this user at once, if anything does."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        about = pika.BasicProperties(type="order.create.v1", message_id="m-1", user_id=user)
        about.reply_to = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish(f"{prefix}.commands", "order.create", json.dumps(order()).encode(), about)
        _, properties, _ = next(channel.consume(about.reply_to, auto_ack=True, inactivity_timeout=0.5))
        return [str(properties.type)] if properties else []


def test_beside_oms_a_stub_makes_a_virtual_host_where_each_role_may_do_what_it_may(
    oms: Oms, broker: Broker, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (broker.has_roles and servers.broker.management_url):
        pytest.skip("it takes users of roles and an administrator")
    storefront, vhost, prefix = broker["storefront"], f"stub-{uuid4().hex[:8]}", broker.names.prefix
    refused = oms("stub", amqp_url=storefront, prefix="elsewhere")
    assert (refused.code, "oms stub --vhost stub" in refused.err) == (6, True)
    assert oms("stub", "--vhost", vhost, prefix=prefix).code == 1, "no administrator"
    management, at = Management(str(servers.broker.management_url)), broker.vhost
    management.grant(at, f"{prefix}-carrier", "^$", "^$", "^$")  # a right that somebody has changed
    before = management.call("GET", f"/vhosts/{at}/permissions")
    own = {"amqp_url": storefront, "management_url": servers.broker.management_url, "prefix": prefix}
    with pika.BlockingConnection(pika.URLParameters(broker["admin"])) as connection:
        connection.channel().queue_declare(f"{prefix}.order-creation")
        beside = oms("stub", "--vhost", at, **own)
        connection.channel().queue_delete(f"{prefix}.order-creation")
    assert (beside.code, "nothing was changed there" in beside.err) == (6, True)
    assert management.call("GET", f"/vhosts/{at}/permissions") == before, "the rights of a running oms stay"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    answered, ended = list[str](), threading.Event()

    def order_in_the_other_terminal() -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (answered or ended.is_set()) and time.monotonic() < deadline:
            for file in tmp_path.glob("oms-stub-*/env"):
                given = dict(re.findall(r"export (\w+)='?([^'\n]+)", file.read_text()))
                if "PATH" in given:  # the last line
                    answered.extend(answers(given["OMS_STOREFRONT_AMQP_URL"], f"{prefix}-storefront", prefix))
            time.sleep(0.05)
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    other = threading.Thread(target=order_in_the_other_terminal)
    other.start()
    urls = {"storefront_amqp_url": storefront, "management_url": servers.broker.management_url}
    stopped = oms("stub", "--vhost", vhost, **urls)
    ended.set()
    other.join()
    servers.broker.drop_vhost(vhost)
    assert (stopped.code, answered) == (0, ["order.created.v1"])
    assert not list(tmp_path.iterdir()), "the file with passwords goes with the stub"


def test_every_command_and_question_has_an_answer_made_of_its_example() -> None:
    orders = StubOrders({type_: example(type_) for type_ in EXAMPLES})
    for type_, answers in ANSWERS.items():
        body: Any = MODELS[type_].model_validate_json(raw(type_))
        item = Envelope(body, message_id="m", correlation_id="c", occurred_at=datetime.now(UTC))
        answer = orders.outcome(body, item) if body.KIND is MessageKind.COMMAND else orders.reply(body)
        assert answers.types[0] == answer.TYPE


def test_a_scenario_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    wrong = {
        "silent = ['order.paid']": "order.paid.v1 is of the kind event",
        "[[refuse]]\ntype = 'order.create'\ncode = 'ORDER_HELD'": "oms never refuses order.create.v1 with ORDER_HELD",
        "[[emit]]\nafter = 'order.created'\ntype = 'order.gone'": "there is no message order.gone",
        "silent = ['order.craete']": "no message order.craete; near it are order.create, order.get, order.change_note",
        "[[refuse]]\ntype = 'order.create'\ncode = 'ORDER_PRICE_MISMATC'": "near it are ORDER_PRICE_MISMATCH,",
        "colour = 'red'": "colour",
        "[stock]\ntea = -1": "stock.tea",
        "latency_ms = ": "cannot be read as TOML",
    }
    for text, why in wrong.items():
        file.write_text(text)
        with pytest.raises(CommandError) as error:
            scenario_of(file)
        assert why in error.value.text, text
    file.write_text("latency_ms = 5\nsilent = ['order.cancel']")
    assert scenario_of(file, silent=["order.merge"], latency_ms=None).silent == ["order.cancel.v1", "order.merge.v1"]
    rule = {"type": "order.create", "code": "ORDER_PRICE_MISMATCH"}
    dice = Dice(Scenario.model_validate({"refuse_share": "0.25", "refuse": [rule]}))
    refused = sum(dice.refusal("order.create.v1") is not None for _ in range(1_000))
    assert 200 < refused < 300
