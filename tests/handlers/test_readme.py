"""The examples of messages/README.md about prices and payments, given to the handlers word for word."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from messages.payments import PaymentCallback, PaymentStart
from messages.registry import MODELS
from tests.handlers.builders import create, receive, sku
from tests.handlers.case_builders import end_refund, steps
from tests.handlers.harness import HandlerHarness
from tests.providers.keys import private_pem, public_pem
from workers import providers, shop
from workers.providers.configuration import make

README = Path(__file__).parents[2] / "messages" / "README.md"
JSON = re.compile(r"^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
FACT = re.compile(r"^([a-z_]+\.result) +(\{[^}]*\})", re.MULTILINE)
COMMAND = re.compile(r"^([a-z_]+(?:\.[a-z_]+)+) +(\{.*?\})$", re.MULTILINE | re.DOTALL)


async def test_the_commands_of_the_readme_are_taken_and_make_the_price(harness: HandlerHarness) -> None:
    text = README.read_text("utf-8").partition("<!-- prices -->")[2].partition("<!-- /prices -->")[0]
    commands = {name: MODELS[f"{name}.v1"].model_validate_json(body) for name, body in COMMAND.findall(text)}
    assert list(commands) == [
        "promotion.upsert",
        "coupon_template.upsert",
        "coupon.issue",
        "points.grant",
        "points.adjust",
        "settings.set",
    ]
    tea = sku("tea", price=500, currency="USD").model_copy(update={"category_id": "tea"})
    shop.configure(replace(shop.current(), points_unit_minor_units={"USD": 100}))
    await harness.handle(tea)
    await harness.handle(receive("tea", 10))
    for body in commands.values():
        await harness.handle(body, trusted=True)
    bought = create(
        ("tea", 5),
        user_id="ada",
        currency="USD",
        coupon_id="welcome-ada",
        use_points=250,
        expected_pay_amount=5 * 500 - 300 - 200 - 200,
    )
    await harness.handle(bought)
    [created] = harness.events_of("order.created")
    amounts = created["amounts"]
    assert [amounts[part] for part in ("promotion", "coupon", "points", "payable")] == [300, 200, 200, 1800]


async def test_the_messages_of_the_readme_take_a_case_to_its_refund(harness: HandlerHarness) -> None:
    text = README.read_text("utf-8").partition("<!-- cases -->")[2].partition("<!-- /cases -->")[0]
    await harness.fill_stock(qty=20)
    ids = {"order_id": await harness.place_paid_order(("s1", 2))}
    await harness.deliver(ids["order_id"])
    harness.events.clear()
    for name, body in COMMAND.findall(text):
        named = orjson.dumps(orjson.loads(body) | {key: str(value) for key, value in ids.items()})
        await harness.handle(MODELS[f"{name}.v1"].model_validate_json(named), trusted=True)
        ids["case_id"] = int(harness.events_of("after_sale.requested")[0]["case_id"])
    assert harness.rejections() == []
    wanted = ["requested", "approved", "return_awaited", "return_shipped", "return_received", "inspect_passed"]
    assert steps(harness) == [*wanted, "refunding"]
    await end_refund(harness)
    assert steps(harness)[-1] == "completed"


@pytest.fixture
def no_providers_afterwards() -> Iterator[None]:
    yield
    providers.configure({})


@pytest.mark.usefixtures("no_providers_afterwards")
async def test_the_payment_of_the_readme_starts_and_its_notification_is_refused_for_its_signature(
    harness: HandlerHarness, tmp_path: Path
) -> None:
    text = README.read_text("utf-8").partition("<!-- payments -->")[2].partition("<!-- /payments -->")[0]
    facts = {name: MODELS[f"{name}.v1"].model_validate_json(body) for name, body in FACT.findall(text)}
    assert list(facts) == ["payment.result", "refund.result"]
    merchant, start, callback = JSON.findall(text)
    (tmp_path / "alipay.json").write_text(merchant)
    (tmp_path / "app.pem").write_text(private_pem("app"))
    (tmp_path / "alipay.pem").write_text(public_pem("alipay"))
    providers.configure({"alipay": make("alipay", f"file:{tmp_path / 'alipay.json'}")})
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2), user_id="ada")
    await harness.handle(PaymentStart.model_validate_json(start).model_copy(update={"order_id": order_id}))
    assert [event["kind"] for event in harness.events_of("payment.started")] == ["redirect"]
    await harness.handle(PaymentCallback.model_validate_json(callback))
    assert [event["code"] for event in harness.events_of("payment.callback_rejected")] == ["PAY_SIGNATURE_INVALID"]
