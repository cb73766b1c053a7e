"""What the README says about prices, said to the handlers word for word."""

import re
from pathlib import Path

from messages.registry import MODELS
from tests.handlers.floor import Floor, create, receive, sku

README = Path(__file__).parents[2] / "README.md"
COMMAND = re.compile(r"^([a-z_]+(?:\.[a-z_]+)+) +(\{.*?\})$", re.MULTILINE | re.DOTALL)


async def test_the_commands_of_the_readme_are_taken_and_make_the_price(floor: Floor) -> None:
    text = README.read_text("utf-8").partition("<!-- prices -->")[2].partition("<!-- /prices -->")[0]
    said = {name: MODELS[f"{name}.v1"].model_validate_json(body) for name, body in COMMAND.findall(text)}
    assert list(said) == [
        "promotion.upsert", "coupon_template.upsert", "coupon.issue", "points.grant", "settings.set"
    ]  # fmt: skip
    tea = sku("tea", price=500, currency="USD").model_copy(update={"category_id": "tea"})
    await floor.say(tea)
    await floor.say(receive("tea", 10))
    for body in said.values():
        await floor.say(body, trusted=True)
    bought = create(
        ("tea", 5), user_id="ada", currency="USD", coupon_id="welcome-ada", use_points=250,
        expected_pay_amount=5 * 500 - 300 - 200 - 200,
    )  # fmt: skip
    await floor.say(bought)
    [created] = floor.heard("order.created")
    amounts = created["amounts"]
    assert [amounts[part] for part in ("promotion", "coupon", "points", "payable")] == [300, 200, 200, 1800]
