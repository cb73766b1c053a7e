"""The wire format that clients rely on: examples that must stay readable, and an approved list of every field.

OMS_UPDATE_GOLDEN=1 rewrites the approved list. A change that breaks it needs a new version of the message, whose
readers are shipped before its writers.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from messages.base import MessageKind, Part
from messages.registry import MODELS
from messages.topology import TAKEN, TO_CARRIERS, TO_MEDIA
from tests.golden.examples import EXAMPLES, MINIMAL, example, minimal, raw
from tests.golden.shape import breaks, shape

APPROVED = Path(__file__).parent / "types.approved.json"
NOW = {type_: shape(model) for type_, model in sorted(MODELS.items())}
ADVICE = "make it a new version of the message; OMS_UPDATE_GOLDEN=1 approves it where no reader relies on it yet"


def approved() -> dict[str, Any]:
    """The list as it was last approved."""
    if os.environ.get("OMS_UPDATE_GOLDEN") == "1":
        APPROVED.write_bytes(orjson.dumps(NOW, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return dict(orjson.loads(APPROVED.read_bytes()))


def test_every_message_has_an_example_and_every_example_a_message() -> None:
    assert set(EXAMPLES) == set(MODELS)


def test_an_example_reads_and_is_written_as_it_was() -> None:
    for type_, model in MODELS.items():
        message = model.model_validate_json(raw(type_))
        assert orjson.loads(message.model_dump_json()) == example(type_), type_
        assert model.model_validate_json(message.model_dump_json()) == message, type_


SENSELESS_WITHOUT = {
    "after_sale.apply.v1": {"reason_code"},
    "after_sale.get.v1": {"case"},
    "after_sale.list.v1": {"user_id"},
    "order.amount.adjust.v1": {"discount"},
    "order.create.v1": {"items", "address"},
    "order.list.v1": {"user_id"},
    "order.preview.v1": {"items"},
    "plan.forecast.v1": {"series"},
    "plan.price.v1": {"points"},
    "promotion.upsert.v1": {"steps"},
    "refund.request.v1": {"reason"},
    "settings.set.v1": {"payment_window_seconds"},
}
"""Fields of minimal examples that the schema does not require and that we refuse or do nothing without."""


def test_a_minimal_example_reads_and_has_no_field_that_can_be_left_out() -> None:
    for type_ in MINIMAL:
        body = minimal(type_)
        MODELS[type_].model_validate_json(orjson.dumps(body))
        required = {name for name, field in MODELS[type_].model_fields.items() if field.is_required()}
        assert set(body) == required | SENSELESS_WITHOUT.get(type_, set()), type_
        assert len(body) < len(example(type_)), type_


def unset(part: BaseModel, path: str = "") -> Iterator[str]:
    """The fields that an example leaves to their defaults."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name not in part.model_fields_set or value is None or value in ((), {}):
            yield f"{path}{name}"
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Part):
                yield from unset(inner, f"{path}{name}.")


def test_an_example_shows_every_field() -> None:
    hidden = {type_: list(unset(model.model_validate_json(raw(type_)))) for type_, model in MODELS.items()}
    assert {type_: fields for type_, fields in hidden.items() if fields} == {}


def why_refused(type_: str, body: dict[str, Any]) -> str:
    """What the error says; empty if the message is read."""
    try:
        MODELS[type_].model_validate_json(orjson.dumps(body))
    except ValidationError as error:
        return str(error)
    return ""


def test_an_unknown_field_is_refused() -> None:
    answers = {type_: why_refused(type_, example(type_) | {"surprise": 1}) for type_ in MODELS}
    assert {type_: why for type_, why in answers.items() if "Extra inputs are not permitted" not in why} == {}


def test_a_required_field_cannot_be_left_out_and_an_optional_one_can() -> None:
    for type_, model in MODELS.items():
        for field, about in model.model_fields.items():
            why = why_refused(type_, {key: value for key, value in example(type_).items() if key != field})
            assert (f"{field}\n  Field required" in why) if about.is_required() else not why, f"{type_}: {field}: {why}"


def test_no_approved_shape_has_changed_incompatibly() -> None:
    assert breaks(approved(), NOW) == [], ADVICE


def test_the_approved_list_is_current() -> None:
    assert approved() == NOW, "OMS_UPDATE_GOLDEN=1 pytest tests/golden approves what was added"


def test_every_type_has_a_version_and_only_the_types_our_queues_take_come_to_us() -> None:
    assert all(type_.rsplit(".v", 1)[1].isdigit() for type_ in MODELS)
    taken = {model.TYPE for models in (*TAKEN.values(), TO_CARRIERS, TO_MEDIA) for model in models}
    assert {
        type_
        for type_, model in MODELS.items()
        if model.KIND not in (MessageKind.EVENT, MessageKind.REPLY, MessageKind.INSTRUCTION)
    } == taken


def test_no_event_and_no_stock_message_can_carry_personal_data() -> None:
    personal = {"receiver", "phone", "address", "detail", "street", "postcode", "remark"}
    carrying = {
        type_
        for type_, known in NOW.items()
        for name in known["fields"]
        if {part.strip("[]") for part in name.split(".")} & personal
    }
    assert carrying == {
        "order.create.v1",
        "order.change_address.v1",
        "order.draft.save.v1",
        "order.import.v1",
        "order.change_remark.v1",
        "contact.set.v1",
        *MASKED,
        *INSTRUCTIONS,
    }


MASKED = {
    "order.previewed.v1",
    "order.described.v1",
    "contact.listed.v1",
    "order_draft.shown.v1",
    "order_draft.listed.v1",
}
"""Messages that show their buyer's addresses, masked."""

INSTRUCTIONS = {"fulfilment.requested.v1", "fulfilment.send_back.v1"}
"""Messages that only their warehouse reads, in a queue of its own, and that are stored encrypted until then."""


def test_personal_data_in_clear_is_in_instructions_and_nowhere_else_that_we_send() -> None:
    assert {MODELS[type_].KIND for type_ in INSTRUCTIONS} == {MessageKind.INSTRUCTION}


@pytest.mark.parametrize("type_", sorted(MASKED))
def test_masked_fields_are_in_replies_and_nowhere_else(type_: str) -> None:
    assert MODELS[type_].KIND is MessageKind.REPLY


FIELDS = {"a": "string", "b": "? integer", "c": "? object", "c.d": "string"}
CHANGES: list[tuple[str, dict[str, str], bool]] = [
    ("nothing", FIELDS, False),
    ("a new optional field", FIELDS | {"e": "? string"}, False),
    ("a new optional object", FIELDS | {"e": "? object", "e.f": "string"}, False),
    ("a new optional list", FIELDS | {"e": "? array", "e[]": "object", "e[].f": "string"}, False),
    ("a new required field", FIELDS | {"e": "string"}, True),
    ("a new required field inside", FIELDS | {"c.e": "string"}, True),
    ("a field less", {name: text for name, text in FIELDS.items() if name != "b"}, True),
    ("another type", FIELDS | {"a": "integer"}, True),
    ("required now", FIELDS | {"b": "integer"}, True),
]


@pytest.mark.parametrize(("fields", "broken"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_which_changes_of_a_message_are_incompatible(fields: dict[str, str], broken: bool) -> None:
    old = {"x.v1": {"kind": "command", "packable": False, "fields": FIELDS}}
    new = {"x.v1": {"kind": "command", "packable": False, "fields": fields}}
    assert bool(breaks(old, new)) is broken
    assert breaks(old, {}) == ["x.v1 is gone"]


def test_an_event_may_get_new_fields() -> None:
    old = {"x.v1": {"kind": "event", "packable": False, "fields": FIELDS}}
    assert breaks(old, {"x.v1": old["x.v1"] | {"fields": FIELDS | {"e": "string"}}}) == []


def test_the_verdicts_and_statuses_of_the_wire_are_those_the_requirements_name() -> None:
    def allowed(type_: str, field: str) -> set[str]:
        return set(get_args(MODELS[type_].model_fields[field].annotation))

    assert allowed("payment.result.v1", "kind") == {"captured", "failed"}
    assert allowed("payment.captured.v1", "verdict") == {"kept", "late", "duplicate", "mismatch", "waiting"}
    assert allowed("refund.result.v1", "status") == {"succeeded", "failed"}
    assert allowed("shipment.update.v1", "status") == {
        "outbound",
        "picked_up",
        "in_transit",
        "out_for_delivery",
        "delivered",
        "delayed",
        "refused",
        "undeliverable",
        "lost",
        "returning",
        "returned",
        "loss_confirmed",
    }
