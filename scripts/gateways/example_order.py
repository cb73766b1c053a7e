"""`python -m scripts.gateways.example_order` makes an order for a buyer who pays by hand with curl (README.md)."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import aio_pika
import typer
from aio_pika.abc import AbstractIncomingMessage

SCENES = {"alipay": "page", "wechat": "qr", "unionpay": "page", "paypal": "page", "stripe": "page"}
PRICE, ANSWER_SECONDS = 500, 60.0
ROLE_OF = {"sku.upsert": "catalogue", "stock.receive": "warehouse"}
"""Message -> the role that sends it. The storefront sends the others."""


class RefusedError(Exception):
    """The order system rejected a command. The message is its event."""


async def start(
    urls: Mapping[str, str], prefix: str, provider: str, scene: str | None = None, user: str = "ada"
) -> dict[str, Any]:
    """Put a product on sale, order two of it, start the payment; returns payment.started.

    `urls` is role -> AMQP URL of its broker user. Raises RefusedError, TimeoutError.
    """

    async def send(type_: str, body: Mapping[str, Any]) -> dict[str, Any]:
        url = urls[ROLE_OF.get(type_, "storefront")]
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            answers = asyncio.Queue[AbstractIncomingMessage]()
            await queue.consume(answers.put, no_ack=True)
            exchange = await channel.get_exchange(f"{prefix}.commands", ensure=False)
            sender = unquote(urlsplit(url).username or "guest")
            await exchange.publish(_message(type_, body, queue.name, sender), type_)
            async with asyncio.timeout(ANSWER_SECONDS):
                return _outcome(type_, await answers.get())

    currency, sku = "USD" if provider in ("paypal", "stripe") else "CNY", f"tea-{uuid.uuid4().hex[:8]}"
    outcome: dict[str, Any] = {}
    for type_, body in _commands(sku, currency, user):
        outcome = await send(type_, body)
    return await send(
        "payment.start",
        {
            "request_id": uuid.uuid4().hex,
            "actor": _actor(user),
            "order_id": outcome["order_id"],
            "provider": provider,
            "scene": scene or SCENES[provider],
            "amount": outcome["amounts"]["payable"],
            "currency": currency,
            "client_ip": "203.0.113.7",
            "payer": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        },
    )


def _actor(user: str) -> dict[str, str]:
    return {"type": "user", "id": user}


def _commands(sku: str, currency: str, user: str) -> list[tuple[str, Mapping[str, Any]]]:
    fee = int(json.loads(os.environ.get("OMS_SHIPPING_FEE_MINOR_UNITS", "{}")).get(currency, 0))
    address = {"receiver": "Ada", "phone": "+44 20 7946 0000", "country": "GB", "detail": "12 St James's Square"}
    return [
        (
            "sku.upsert",
            {
                "sku_id": sku,
                "revision": 1,
                "spu_id": sku,
                "name": "Green tea",
                "status": "on_sale",
                "price": PRICE,
                "currency": currency,
            },
        ),
        ("stock.receive", {"ref": "note-1", "sku_id": sku, "warehouse": "main", "qty": 10}),
        (
            "order.create",
            {
                "request_id": uuid.uuid4().hex,
                "actor": _actor(user),
                "user_id": user,
                "channel": "pc",
                "currency": currency,
                "items": [{"sku_id": sku, "qty": 2}],
                "address": address,
                "expected_pay_amount": 2 * PRICE + fee,
            },
        ),
    ]


def _message(type_: str, body: Mapping[str, Any], reply_to: str, user_id: str) -> aio_pika.Message:
    return aio_pika.Message(
        json.dumps(body).encode(),
        type=f"{type_}.v1",
        message_id=uuid.uuid4().hex,
        reply_to=reply_to,
        user_id=user_id,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _outcome(type_: str, answer: AbstractIncomingMessage) -> dict[str, Any]:
    """Return the body of the outcome. Raises RefusedError if the command was rejected."""
    if answer.type in ("command.rejected.v1", "order.rejected.v1"):
        raise RefusedError(f"{type_}: {answer.body.decode()}")
    outcome: dict[str, Any] = json.loads(answer.body)
    return outcome


def main(
    provider: Annotated[str, typer.Argument(help=", ".join(SCENES))],
    scene: Annotated[str | None, typer.Option(help="A scene of the provider: qr, page, wap, app, jsapi, h5.")] = None,
    user: Annotated[str, typer.Option(help="The buyer. A shop may limit the orders of one buyer.")] = "ada",
) -> None:
    """Make an order that awaits payment; print the payment.started with which its buyer pays.

    The command sends what the systems of a shop send, as the users of OMS_STOREFRONT_AMQP_URL, OMS_CATALOGUE_AMQP_URL
    and OMS_WAREHOUSE_AMQP_URL.
    """
    if provider not in SCENES:
        raise typer.BadParameter(f"the providers are {', '.join(SCENES)}", param_hint="PROVIDER")
    variables = {role: f"OMS_{role.upper()}_AMQP_URL" for role in ("storefront", "catalogue", "warehouse")}
    if missing := [name for name in variables.values() if not os.environ.get(name)]:
        raise typer.BadParameter(f"set {', '.join(missing)}", param_hint=missing[0])
    urls = {role: os.environ[name] for role, name in variables.items()}
    try:
        print(json.dumps(asyncio.run(start(urls, os.environ.get("OMS_PREFIX", "oms"), provider, scene, user))))
    except (RefusedError, TimeoutError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(main)
    app()
