"""A text about a message that holds none of its values."""

import orjson

from outbox.redacted_text import redacted


def test_a_redacted_text_holds_no_value_of_the_body_and_no_long_number() -> None:
    body = orjson.dumps({"name": "Wang Fang", "lines": [{"sku": "SKU-77", "qty": 4711}]})
    text = redacted("Wang Fang wants 4711 of SKU-77, call 13812345678", body)
    assert text == "… wants … of …, call …"
