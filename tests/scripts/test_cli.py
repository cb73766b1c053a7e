"""`oms` writes data to stdout and messages to stderr, returns exit codes, and never shows a traceback."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from yarl import URL

from db import cipher
from db.pool import open_pool
from messages.topology import RETRY_TIERS_SECONDS, Names, topology
from outbox import wire
from scripts.cli import COMMANDS, load
from scripts.commands.recorded_reasons import REASON_MAX_CHARACTERS
from tests.broker import Broker
from tests.handlers.builders import captured, create
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

ROOT = Path(__file__).parents[2]
SKU = {
    "sku_id": "s1", "revision": 1, "spu_id": "p1", "name": "Milk", "status": "on_sale", "price": 500, "currency": "CNY",
}  # fmt: skip


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command and the words that call it."""
    loaded = {name: load(name) for name in COMMANDS} if group is None else group.commands
    for name, command in loaded.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize("words", [path for path, _ in commands()], ids=" ".join)
def test_every_command_shows_examples(oms: Oms, words: Sequence[str]) -> None:
    result = oms(*words, "--help")
    assert result.code == 0
    assert "Examples:" in result.out
    assert f"oms {' '.join(words)}" in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_shows_each_command_with_the_first_sentence_of_its_own_help(name: str) -> None:
    first_sentence = re.split(r"(?<=\.)\s", load(name).help.strip())[0]
    assert COMMANDS[name] == first_sentence


def test_the_version_is_printed_and_nothing_else(oms: Oms) -> None:
    result = oms("--version", version="2.7.1")
    assert (result.code, result.out, result.err) == (0, "oms 2.7.1\n", "")


WITHOUT_JSON = {("worker",), ("relay",), ("stub",), ("console",), ("contracts", "page"), ("contracts", "example")}
"""Commands that run until they are stopped, and write logs in place of a result; one writes HTML, one JSON alone."""


@pytest.mark.parametrize("words", [path for path, _ in commands() if path not in WITHOUT_JSON], ids=" ".join)
def test_every_command_can_write_json(oms: Oms, words: Sequence[str]) -> None:
    assert "--output" in oms(*words, "--help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Usage: oms"),
        (["nope"], "No such command 'nope'"),
        (["topology", "show", "--colour"], "No such option"),
        (["worker", "--queues", "stock,nope"], "no handler serves nope"),
        (["dead-letters", "list", "--state", "lost"], "there is no state lost"),
        (["dead-letters", "list", "--group"], "next: oms dead-letters list --help"),
        (["dead-letters", "discard", "1", "--reason", " "], "a reason is needed"),
        (["dead-letters", "replay", "1", "--to", "nope", "--reason", "x"], "no queue nope"),
        (["dead-letters", "replay", "1", "--reason", " "], "a reason is needed"),
        (["dead-letters", "replay", "1"], "Missing option '--reason'"),
        (["publish", "order.creat", "-"], "next: oms publish order.create FILE"),
        (["consumers", "pause", "oms.stok", "--reason", "x"], "next: oms consumers pause stock --reason"),
        (["publish", "sku.upsert", "/nonexistent"], "cannot be read"),
        (["keys", "new", "a:b"], "is not a key id"),
    ],
    ids=str,
)
def test_wrong_use_exits_with_1_and_explains_what_to_type(oms: Oms, arguments: Sequence[str], message: str) -> None:
    result = oms(*arguments, database_url="postgresql://nobody@127.0.0.1:1/none")
    assert (result.code, result.out) == (1, "")
    assert message in result.err


RECORDED = [
    *(["dead-letters", verb, "1", "--reason"] for verb in ("replay", "discard", "restore", "edit")),
    *(["dead-letters", verb, "1", "--reveal", "--reason"] for verb in ("show", "export")),
    ["dead-letters", "import", "/nonexistent", "--reason"], ["dead-letters", "note", "g"],
    ["replays", "pause", "1", "--reason"], ["replays", "cancel", "1", "--reason"], ["repair", "--apply", "--reason"],
    ["timers", "fire", "refund", "1", "--reason"], ["timers", "cancel", "refund", "1", "--reason"],
    ["consumers", "pause", "stock", "--reason"], ["consumers", "resume", "stock", "--reason"],
    ["outbox", "hold", "1", "--for", "2h", "--reason"], ["outbox", "retry", "1", "--reason"],
    ["order", "show", "1", "--reveal", "--reason"], ["cases", "show", "1", "--reveal", "--reason"],
]  # fmt: skip


def test_a_reason_that_is_too_long_for_a_list_is_refused_before_anything_is_done(oms: Oms) -> None:
    for arguments in RECORDED:
        result = oms(*arguments, "x" * (REASON_MAX_CHARACTERS + 1), database_url="postgresql://nobody@127.0.0.1:1/none")
        assert (result.code, result.out) == (1, ""), arguments
        assert "has at most 500 characters, and this one has 501" in result.err, arguments


NEED_DATABASE = [
    ["migrate"], ["audit"], ["order", "show", "1"], ["order", "find"], ["order", "timeline", "1"],
    ["order", "explain", "1"],
    ["dead-letters", "list"],
    ["dead-letters", "replay", "1", "--reason", "x"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", NEED_DATABASE, ids=" ".join)
def test_a_missing_setting_is_named(oms: Oms, arguments: Sequence[str]) -> None:
    result = oms(*arguments)
    assert result.code == 1
    assert "OMS_DATABASE_URL: field required" in result.err
    assert "export OMS_DATABASE_URL=" in result.err


@pytest.mark.parametrize("arguments", [*NEED_DATABASE, ["topology", "declare"]], ids=" ".join)
def test_a_command_exits_with_5_if_a_server_does_not_answer(oms: Oms, arguments: Sequence[str]) -> None:
    away = {"database_url": "postgresql://nobody@127.0.0.1:1/none", "amqp_url": "amqp://nobody:x@127.0.0.1:1/"}
    result = oms(*arguments, **away)
    assert (result.code, result.out) == (5, "")
    assert "next:" in result.err


@pytest.mark.parametrize("url", ["", "foo", "http://h/", "amqp://", "postgresql://", "amqp://h:99999/", "://s3cr3t"])
@pytest.mark.parametrize("arguments", [*NEED_DATABASE, ["topology", "declare"], ["relay"], ["worker"]], ids=" ".join)
def test_an_invalid_url_is_reported_without_its_content(oms: Oms, arguments: Sequence[str], url: str) -> None:
    result = oms(*arguments, database_url=url, amqp_url=url)
    assert (result.code, result.out) == (1, "")
    assert "is not the URL of a server" in result.err
    assert "s3cr3t" not in result.err


@pytest.mark.parametrize("process", ["relay", "worker"])
def test_a_process_without_keys_does_not_start_and_names_the_command_that_makes_keys(oms: Oms, process: str) -> None:
    away = {"database_url": "postgresql://nobody@127.0.0.1:1/none", "amqp_url": "amqp://nobody:x@127.0.0.1:1/"}
    result = oms(process, encryption_keys="", **away)
    assert result.code == 1
    assert "oms keys new" in result.err


@pytest.mark.parametrize("process", ["relay", "worker"])
def test_the_error_about_a_port_in_use_names_the_port(process: str, database_url: str, declared_broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        urls = {"OMS_DATABASE_URL": database_url, "OMS_AMQP_URL": declared_broker["admin"]}
        own = {"OMS_OPS_HOST": "127.0.0.1", "OMS_OPS_PORT": port}
        command = [sys.executable, "-m", "scripts.cli", process]
        ran = subprocess.run(
            command, cwd=ROOT, env=os.environ | urls | own, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 1
    assert f"another process listens on port {port} (OMS_OPS_PORT)" in ran.stderr
    assert "export OMS_OPS_PORT=" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_password_exits_with_5_and_is_not_repeated(oms: Oms, broker: Broker) -> None:
    scheme, _, place = broker["admin"].partition("://")
    url = f"{scheme}://intruder:s3cr3t@{place.rpartition('@')[2]}"
    result = oms("topology", "declare", amqp_url=url)
    assert result.code == 5
    assert "OMS_AMQP_URL" in result.err
    assert "s3cr3t" not in result.err


def test_the_error_about_a_database_without_the_schema_names_oms_migrate(oms: Oms, empty_database_url: str) -> None:
    result = oms("dead-letters", "list", database_url=empty_database_url)
    assert result.code == 1
    assert "oms migrate" in result.err
    assert oms("migrate", "--status").code == 3
    assert oms("migrate").code == 0
    status = oms("migrate", "--status", "-o", "json")
    assert (status.code, {month["orders"] for month in status.json["partitions"]}) == (0, {None})
    assert oms("dead-letters", "list", "-o", "json").json == []
    assert oms("audit", "--quiescent").code == 0


def test_malformed_keys_are_reported_without_showing_them(oms: Oms, database_url: str) -> None:
    result = oms("audit", database_url=database_url, encryption_keys="k1:c2VjcmV0")
    assert result.code == 1
    assert "OMS_ENCRYPTION_KEYS" in result.err
    assert "c2VjcmV0" not in result.err


def test_a_new_key_can_be_used_at_once(oms: Oms) -> None:
    made = cipher.Cipher.from_keys(oms("keys", "new", "k7").out.strip())
    assert made.current == "k7"


def test_a_closed_pipe_is_not_an_error() -> None:
    shell = f"{sys.executable} -m scripts.cli topology show -o json | head -1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "{\n", "")


def test_the_topology_is_shown_as_it_is_declared(oms: Oms) -> None:
    shown = oms("topology", "show", "-o", "json", prefix="shop", payment_window_seconds="77").json
    wanted = topology(Names("shop"), (*RETRY_TIERS_SECONDS[:3], 77, *RETRY_TIERS_SECONDS[3:]))
    assert [queue["name"] for queue in shown["queues"]] == [queue.name for queue in wanted.queues]
    assert len(shown["bindings"]) == len(wanted.bindings)
    assert "shop.delay.77s" in oms("topology", "show").out


def test_the_event_history_is_part_of_the_topology_once_it_is_switched_on(oms: Oms) -> None:
    assert "oms.event-history" not in oms("topology", "show").out
    shown = oms("topology", "show", "-o", "json", event_history="on", event_history_max_age_seconds="3600").json
    assert shown["queues"][-1]["arguments"]["x-max-age"] == "3600s"


def test_declaring_twice_changes_nothing_and_a_different_queue_is_an_error(oms: Oms, broker: Broker) -> None:
    urls = {"amqp_url": broker["topology"], "prefix": broker.names.prefix}
    for _ in range(2):
        result = oms("topology", "declare", **urls)
        assert (result.code, result.out) == (0, "")
        assert "declared 8 exchanges" in result.err

    async def replace_queue() -> None:
        connection = await wire.connect(broker["admin"], name="test")
        channel = await connection.channel()
        await channel.queue_delete(broker.names.queue("stock"))
        await channel.declare_queue(broker.names.queue("stock"), durable=True)
        await connection.close()

    asyncio.run(replace_queue())
    result = oms("topology", "declare")
    assert result.code == 6
    assert broker.names.queue("stock") in result.err


def write(folder: Path, body: Any) -> str:
    path = folder / "body.json"
    path.write_bytes(body if isinstance(body, bytes) else orjson.dumps(body))
    return str(path)


def test_a_dry_run_needs_no_server(oms: Oms, tmp_path: Path) -> None:
    result = oms("publish", "sku.upsert", write(tmp_path, SKU), "--dry-run")
    assert (result.code, result.out) == (0, "")
    assert "sku.upsert.v1 is valid" in result.err
    query = {"actor": {"type": "user", "id": "ada"}, "order": "1"}
    assert oms("publish", "order.get", write(tmp_path, query), "--dry-run").code == 0
    many = {"items": [{"sku_id": "tea", "qty": "1", "colour": "red"}] * 15, "currency": "EUR"}
    found = oms("publish", "order.create", write(tmp_path, many), "--dry-run", "-o", "json")
    assert (found.code, len(found.json)) == (1, 15 * 2 + 5)
    allowed = {fault["path"]: fault["allowed"] for fault in found.json}
    assert allowed["$.items[14].qty"] == "integer (units)"
    assert allowed["$.items[14].colour"] == "one of sku_id, qty, warehouse, expected_unit_price"
    assert (allowed["$.user_id"], allowed["$.actor"]) == ("text, 1 to 64 characters", "object")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b"{nope", {"$"}),
        (SKU | {"price": 1.5}, {"$.price"}),
        (SKU | {"price": "5", "colour": "red"}, {"$.price", "$.colour"}),
        ({}, {"$.sku_id", "$.revision", "$.spu_id", "$.name", "$.status", "$.price", "$.currency"}),
    ],
    ids=["no JSON", "float", "text and unknown", "empty"],
)
def test_an_invalid_body_is_rejected_with_the_paths_of_its_errors(
    oms: Oms, tmp_path: Path, body: Any, paths: set[str]
) -> None:
    result = oms("publish", "sku.upsert.v1", write(tmp_path, body), "-o", "json")
    assert result.code == 1
    assert {fault["path"] for fault in result.json} == paths
    assert "nothing was published" in result.err


def test_the_error_about_an_invalid_body_repeats_no_value(oms: Oms, tmp_path: Path) -> None:
    result = oms("publish", "order.create", write(tmp_path, {"address": {"phone": "13812345678x"}}))
    assert result.code == 1
    assert "13812345678" not in result.out + result.err


@pytest.mark.parametrize("type_", ["stock.reserve.v1", "order.paid.v1", "timer.due"])
def test_a_message_type_of_the_system_itself_cannot_be_published(oms: Oms, tmp_path: Path, type_: str) -> None:
    result = oms("publish", type_, write(tmp_path, {}))
    assert (result.code, result.out) == (6, "")


async def get_message(broker: Broker, queue: str) -> Any:
    """Take one message from a queue."""
    connection = await wire.connect(broker["admin"], name="test")
    channel = await (await connection.channel()).get_underlay_channel()
    message = await channel.basic_get(broker.names.queue(queue), no_ack=True)
    await connection.close()
    return message


def test_a_published_message_arrives_in_its_queue_as_the_contract_requires(
    oms: Oms, broker: Broker, tmp_path: Path
) -> None:
    urls = {"prefix": broker.names.prefix, "amqp_url": broker["topology"]}
    assert oms("topology", "declare", **urls).code == 0
    options = ("--message-id", "m-7", "--reply-to", "client.me", "-o", "json")
    result = oms("publish", "sku.upsert", write(tmp_path, SKU), *options, amqp_url=broker["upstream"])
    assert result.code == 0
    user = URL(broker["upstream"]).user
    about = {"message_id": "m-7", "type": "sku.upsert.v1", "exchange": broker.names.commands, "user": user}
    assert result.json == about
    message = asyncio.run(get_message(broker, "catalogue"))
    properties = message.header.properties
    assert (properties.message_id, properties.message_type, properties.correlation_id) == (
        "m-7",
        "sku.upsert.v1",
        "m-7",
    )
    assert (properties.delivery_mode, properties.content_type, properties.reply_to) == (
        2,
        "application/json",
        "client.me",
    )
    assert properties.user_id == user
    assert orjson.loads(message.body) == SKU


def test_publish_connects_as_the_user_of_a_role_that_may_send_the_message(
    oms: Oms, broker: Broker, tmp_path: Path
) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    urls = {"prefix": broker.names.prefix, "amqp_url": broker["topology"]}
    assert oms("topology", "declare", **urls).code == 0
    body = write(tmp_path, SKU)
    refused = oms("publish", "sku.upsert", body, amqp_url=broker["storefront"])
    assert refused.code == 6
    assert "the broker user oms-storefront may not send sku.upsert" in refused.err
    assert "its senders have the role catalogue" in refused.err
    assert "export OMS_CATALOGUE_AMQP_URL=amqp://oms-catalogue:password@host:port/" in refused.err
    as_role = {"amqp_url": broker["storefront"], "catalogue_amqp_url": broker["catalogue"]}
    sent = oms("publish", "sku.upsert", body, "-o", "json", **as_role)
    assert (sent.code, sent.json["user"]) == (0, "oms-catalogue")
    cancel = {"request_id": "r", "actor": {"type": "operator", "id": "o"}, "order_id": "1"}
    as_role = {"storefront_amqp_url": broker["storefront"], "operator_amqp_url": broker["operator"]}
    for actor, user in (("operator", "oms-operator"), ("user", "oms-storefront")):
        path = write(tmp_path, cancel | {"actor": {"type": actor, "id": "o"}})
        sent = oms("publish", "order.cancel", path, "-o", "json", **as_role)
        assert (sent.code, sent.json["user"]) == (0, user)


def test_the_error_about_publishing_without_a_topology_names_oms_topology_declare(
    oms: Oms, broker: Broker, tmp_path: Path
) -> None:
    result = oms("publish", "sku.upsert", write(tmp_path, SKU), amqp_url=broker["admin"], prefix="absent")
    assert result.code == 1
    assert "oms topology declare" in result.err


@pytest.fixture
def order_id(database_url: str) -> int:
    """The id of a paid order that the handlers made."""

    async def make(harness: HandlerHarness) -> int:
        await harness.handle(create(("s1", 2), request_id="r1"))
        made = int(harness.events_of("order.created")[0]["order_id"])
        await harness.handle(captured(made, 1000), trusted=True)
        return made

    return with_handlers(database_url, make)


def test_an_order_is_shown_by_its_id_and_by_its_number(oms: Oms, database_url: str, order_id: int) -> None:
    by_id = oms("order", "show", str(order_id), "--rows", "--json", database_url=database_url).json
    by_number = oms("order", "show", by_id["order"]["order_no"], "--rows", "-o", "json").json
    assert by_id == by_number
    assert by_id["order"]["id"] == str(order_id)
    assert by_id["order"]["state"] == "paid"
    assert [step["cur_state"] for step in by_id["log"]] == ["placing", "awaiting_payment", "paid"]
    assert [fact["verdict"] for fact in by_id["payments"]] == ["kept"]
    assert (by_id["items"][0]["sku_id"], by_id["timers"], by_id["refunds"]) == ("s1", [], [])
    assert {row["op"] for row in by_id["stock"]} == {"reserve", "commit"}


def test_an_address_is_shown_masked(oms: Oms, database_url: str, order_id: int) -> None:
    for arguments in ((), ("--json",), ("--rows",)):
        result = oms("order", "show", str(order_id), *arguments, database_url=database_url)
        assert result.code == 0
        assert "138****5678" in result.out
        for secret in ("13812345678", "Wang Fang", "Nanjing Road"):
            assert secret not in result.out


def test_without_the_key_the_rest_of_the_order_is_shown(oms: Oms, database_url: str, order_id: int) -> None:
    other = cipher.new_key("other")
    stored = oms(
        "order", "show", str(order_id), "--rows", "--json", database_url=database_url, encryption_keys=other
    ).json
    assert "unreadable" in stored["address"]
    assert stored["order"]["state"] == "paid"
    shown = oms("order", "show", str(order_id), "--json").json
    assert (shown["address"]["detail"], shown["state"]) == ("****", "paid")
    revealed = oms("order", "show", str(order_id), "--reveal", "--reason", "a letter came back")
    assert (revealed.code, revealed.out) == (1, "")
    assert "OMS_ENCRYPTION_KEYS" in revealed.err


@pytest.mark.parametrize("unknown", ["7", "99999999999999999999", "no-such-number", "'; DROP TABLE orders"])
def test_oms_exits_with_2_for_an_unknown_order(oms: Oms, database_url: str, unknown: str) -> None:
    result = oms("order", "show", unknown, database_url=database_url)
    assert (result.code, result.out) == (2, "")


def test_the_audit_exits_with_3_and_names_the_order_that_violates_an_invariant(
    oms: Oms, database_url: str, order_id: int
) -> None:
    async def violate_invariant() -> None:
        pool = await open_pool(database_url, application_name="tests")
        await pool.execute("UPDATE orders SET refunded_amount = 5")
        await pool.close()

    assert oms("audit", database_url=database_url).code == 0
    asyncio.run(violate_invariant())
    result = oms("audit", "-o", "json")
    assert result.code == 3
    (violated,) = [one for one in result.json if one["violations"]]
    assert (violated["id"], violated["first"]) == ("INV-06", [str(order_id)])
    assert str(order_id) in oms("audit").out
