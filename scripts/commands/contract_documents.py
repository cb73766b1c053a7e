"""The contract for other teams as documents: AsyncAPI, a JSON Schema with an example for each type, and the codes.

It has what others send to us and what we send to others, and no message between our own queues.
"""

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from messages.base import Command, Message, MessageKind
from messages.registry import FROM_OUTSIDE, MODELS
from messages.roles import ANYONE, Role
from messages.topology import Names, warehouse_queue
from scripts.commands.answers import ANSWERS
from scripts.commands.code_meanings import numbered_codes
from scripts.commands.problems import Code, CommandError

ASYNCAPI = "asyncapi.json"
CODES = "codes.json"
SCHEMAS = "schemas"
FORM_VERSION = "1.0.0"
"""The version of the form of these documents; each message has a version of its own in its type."""
BINDING_VERSION = "0.3.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED = [model for type_, model in sorted(MODELS.items()) if model.KIND is not MessageKind.INTERNAL]
"""The messages of the contract, by type."""
EXCHANGES = {MessageKind.COMMAND: "commands", MessageKind.QUERY: "queries", MessageKind.EVENT: "events"}
ABOUT = (
    "Orders of an online shop in messages. What an operation with the action `receive` receives, you send; `x-senders`"
    " of its message names the roles that may. Exchanges and queues have the prefix `oms`, unless the shop sets another"
    " one. A message that you send has the AMQP properties `message_id` (yours), `type`, `user_id` (your broker user);"
    " a query also `reply_to`, a command for its outcome. Leave out a field that you do not set: null is"
    " taken only where the schema says so. Integers need 64 bits. What you read comes at least once, in order for each"
    " order, and gains fields. index.html is the same for people, and codes.json has the codes."
)
USERS = "`oms-<role>` publishes for your role, `oms-<role>-events` subscribes with queues `client.<role>.*`."
_REQUIREMENT_IDS = re.compile(r" ?\((?:(?:S[0-4]|C|INV|R)-\d\d|to|,| )+\)")
_PERSISTENT = 2


def documents(examples: Mapping[str, Any], minimal_examples: Mapping[str, Any]) -> dict[str, Any]:
    """Return every document of the contract, by its path in the contract's folder.

    Both kinds of examples have a body by type: one with every field, and for some types one with the fewest.
    """
    shown = {
        type_: {"examples": [example, *([minimal_examples[type_]] if type_ in minimal_examples else [])]}
        for type_, example in examples.items()
    }
    schemas = {schema_path(model.TYPE): schema_of(model) | shown.get(model.TYPE, {}) for model in PUBLISHED}
    return {ASYNCAPI: _asyncapi(), CODES: _codes(), **schemas}


def schema_path(type_: str) -> str:
    """Return the path of a type's schema in the contract's folder."""
    return f"{SCHEMAS}/{type_}.json"


class _ContractSchema(GenerateJsonSchema):
    """Pydantic's JSON Schema without the titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@cache
def schema_of(model: type[Message]) -> dict[str, Any]:
    """Return the JSON Schema of a message.

    A message that others send is described as we read it, with every limit. One that we send is described as we write
    it, and is open: a version of it gains fields, so a reader must take fields that it does not know.
    """
    is_read = model.KIND in FROM_OUTSIDE
    mode: JsonSchemaMode = "validation" if is_read else "serialization"
    schema = model.model_json_schema(mode=mode, schema_generator=_ContractSchema)
    tidy: dict[str, Any] = _tidy(schema, is_open=not is_read)
    return {"$schema": DIALECT, "$id": f"{model.TYPE}.json"} | tidy


def _tidy(schema: Any, *, is_open: bool) -> Any:
    """The schema without requirement ids in its descriptions and, if it is open, without closed objects."""
    if isinstance(schema, list):
        return [_tidy(one, is_open=is_open) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(value, is_open=is_open) for name, value in schema.items()}
    if is_open and tidy.get("additionalProperties") is False:
        del tidy["additionalProperties"]
    if isinstance(tidy.get("description"), str):
        tidy["description"] = _REQUIREMENT_IDS.sub("", tidy["description"])
    return tidy


def _codes() -> dict[str, Any]:
    return {str(row["code"]): {name: row[name] for name in ("number", "level", "meaning")} for row in numbered_codes()}


def _asyncapi() -> dict[str, Any]:
    channels: dict[str, Any] = {}
    for model in PUBLISHED:
        channel = channels.setdefault(_channel_name(model), _channel(model))
        channel["messages"][model.TYPE] = {"$ref": f"#/components/messages/{model.TYPE}"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "oms",
            "version": FORM_VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{host}:5672",
                "protocol": "amqp",
                "protocolVersion": "0-9-1",
                "description": "The shop's RabbitMQ.",
                "security": [{"type": "userPassword", "description": USERS}],
                "variables": {"host": {"default": "localhost"}},
            }
        },
        "channels": channels,
        "operations": {_operation_name(model): _operation(model) for model in PUBLISHED},
        "components": {
            "messages": {model.TYPE: _message(model) for model in PUBLISHED},
            "channelBindings": _channel_bindings(),
            "messageTraits": {"received": {"headers": _HEADERS}},
            "operationTraits": {
                "received": {"bindings": {"amqp": {"ack": True} | _DELIVERY}},
                "sent": {"bindings": {"amqp": _DELIVERY}},
            },
        },
    }


_DELIVERY = {"deliveryMode": _PERSISTENT, "bindingVersion": BINDING_VERSION}
_HEADERS = {
    "type": "object",
    "description": "For a client that cannot set the properties message_id, type and reply_to of AMQP.",
    "properties": {
        "message-id": {"type": "string", "description": "Yours, and the same when you send the same message again."},
        "type": {"type": "string", "description": "The type with its version."},
        "reply-to": {"type": "string", "description": "Your queue for the outcome or the reply."},
        "traceparent": {"type": "string", "description": "The trace that the message belongs to (W3C). It travels on."},
        "tracestate": {"type": "string", "description": "It travels on, too, if it has at most 512 characters."},
    },
}


def _channel_name(model: type[Message]) -> str:
    """Replies share a channel, and so do the instructions to warehouses."""
    shared = {MessageKind.REPLY: "replies", MessageKind.INSTRUCTION: "warehouse"}
    return shared.get(model.KIND, model.routing_key())


def _channel(model: type[Message]) -> dict[str, Any]:
    if model.KIND is MessageKind.REPLY:
        return {"address": None, "description": "The queue that a query names in reply_to.", "messages": {}}
    bindings = {"$ref": f"#/components/channelBindings/{_binding_name(model)}"}
    if model.KIND is MessageKind.INSTRUCTION:
        address = Names().queue(warehouse_queue("{warehouse}"))
        parameters = {"warehouse": {"description": "The id of the warehouse, which alone reads this queue."}}
        return {"address": address, "parameters": parameters, "bindings": bindings, "messages": {}}
    return {"address": model.routing_key(), "bindings": bindings, "messages": {}}


def _binding_name(model: type[Message]) -> str:
    if model.KIND is MessageKind.INSTRUCTION:
        return "warehouse"
    return EXCHANGES.get(model.KIND, EXCHANGES[MessageKind.COMMAND])


def _channel_bindings() -> dict[str, Any]:
    """One binding for each exchange, and one for the queues of warehouses."""
    exchanges = {
        name: {
            "is": "routingKey",
            "exchange": {"name": Names().exchange_of(kind), "type": "topic", "durable": True, "autoDelete": False},
            "bindingVersion": BINDING_VERSION,
        }
        for kind, name in EXCHANGES.items()
    }
    queue = {"durable": True, "exclusive": False, "autoDelete": False}
    warehouse = {"is": "queue", "queue": queue, "bindingVersion": BINDING_VERSION}
    return {name: {"amqp": binding} for name, binding in (exchanges | {"warehouse": warehouse}).items()}


def _operation_name(model: type[Message]) -> str:
    return f"{'receive' if model.KIND in FROM_OUTSIDE else 'send'}.{model.TYPE}"


def _operation(model: type[Message]) -> dict[str, Any]:
    """One operation of oms: it receives what others send, and sends the rest."""
    channel = f"#/channels/{_channel_name(model)}"
    is_read = model.KIND in FROM_OUTSIDE
    operation: dict[str, Any] = {
        "action": "receive" if is_read else "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{model.TYPE}"}],
        "traits": [{"$ref": f"#/components/operationTraits/{'received' if is_read else 'sent'}"}],
    }
    if model.KIND in (MessageKind.COMMAND, MessageKind.QUERY):
        operation["reply"] = {"address": {"location": "$message.header#/reply-to"}}
    if model.KIND is MessageKind.QUERY:
        operation["reply"]["channel"] = {"$ref": "#/channels/replies"}
    return operation


def _message(model: type[Message]) -> dict[str, Any]:
    is_read = model.KIND in FROM_OUTSIDE
    return {
        "name": model.TYPE,
        "summary": _first_sentence(model.__doc__ or ""),
        "payload": {"$ref": f"./{schema_path(model.TYPE)}"},
        "bindings": {
            "amqp": {"messageType": model.TYPE, "contentEncoding": "utf-8", "bindingVersion": BINDING_VERSION}
        },
        "x-kind": model.KIND.value,
        "x-senders": _senders(model) if is_read else ["oms"],
        **_answers(model),
    } | ({"traits": [{"$ref": "#/components/messageTraits/received"}]} if is_read else {})


def _first_sentence(docstring: str) -> str:
    """What a message is for."""
    text = _REQUIREMENT_IDS.sub("", " ".join(docstring.split("\n\n", maxsplit=1)[0].split()))
    return re.split(r"(?<=[.?!]) (?=[A-Z`])", text)[0]


def _answers(model: type[Message]) -> dict[str, Any]:
    """What ends a command or a query, the codes that may refuse it, and the fields by which a repeat is known."""
    found: dict[str, Any] = {}
    if model.KIND in (MessageKind.COMMAND, MessageKind.QUERY):
        if (answers := ANSWERS.get(model.TYPE)) is None:
            hint = "add it to scripts/commands/command_answers.py, or a query to answers.py beside it"
            raise CommandError(Code.FAILED, f"nothing says what ends {model.TYPE}", hint=hint)
        found = {"x-answers": list(answers.types), "x-codes": list(answers.codes)}
    if issubclass(model, Command):
        named = (name for _, name, _, _ in Formatter().parse(model.SCOPE) if name not in (None, "command"))
        found["x-key"] = [*map(str, named), model.KEY]
    return found


def _senders(model: type[Message]) -> list[str]:
    return ["anyone"] if model.SENDERS == ANYONE else [role.value for role in Role if role in model.SENDERS]
