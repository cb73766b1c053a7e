"""The contract as one page of HTML for people, which needs no network: made from the same documents as the files."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from messages.base import MessageKind
from scripts.commands.contract_documents import ASYNCAPI, CODES, schema_path
from scripts.commands.contract_fields import FieldRow, rows

Document = Mapping[str, Any]
PAGE = "index.html"
TEMPLATE = "contract_page.html.j2"
GROUPS: dict[MessageKind, tuple[str, str]] = {
    MessageKind.COMMAND: ("Commands", "You ask for something. Each has exactly one outcome, which also comes to you."),
    MessageKind.FACT: ("Facts", "You report what happened outside. There is no outcome; a repeat changes nothing."),
    MessageKind.QUERY: ("Queries", "You ask, and one reply comes to you alone. Nothing is changed."),
    MessageKind.EVENT: ("Events", "What happened here, for every subscriber, at least once, in order for each order."),
    MessageKind.REPLY: ("Replies", "Answers to queries, at the queue that the query names."),
    MessageKind.INSTRUCTION: ("Instructions", "What one warehouse shall do, in a queue that it alone reads."),
}
"""Kind -> its heading and what it is."""
TOPICS_OF_TWO_WORDS = frozenset({"after_sale", "dead_letter", "send_back"})
TOPICS_AS_ONE = {"orders": "order", "warehouses": "warehouse"}


@dataclass(frozen=True)
class ShownMessage:
    """One message as the page shows it. `answers` are the types that end it, `answer_of` those that it ends.
    `key` names the fields by which a repeat is known. `examples` are bodies, by what they are called."""

    type: str
    topic: str
    kind: str
    summary: str
    about: Sequence[str]
    senders: Sequence[str]
    exchange: str
    routing_key: str
    fields: Sequence[FieldRow]
    examples: Mapping[str, str]
    answers: Sequence[str]
    answer_of: Sequence[str]
    codes: Sequence[str]
    key: Sequence[str]


def page(documents: Document) -> str:
    """Return the page of a contract. `documents` are those of the contract's folder, by path."""
    messages = [_shown(type_, documents) for type_ in sorted(documents[ASYNCAPI]["components"]["messages"])]
    groups = [
        (kind.value, *words, _by_topic([one for one in messages if one.kind == kind.value]))
        for kind, words in GROUPS.items()
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = prose
    users = _users(documents[CODES], messages)
    return environment.get_template(TEMPLATE).render(groups=groups, codes=documents[CODES], users=users)


def prose(text: str) -> str:
    """Escape a sentence, and show what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _by_topic(messages: Iterable[ShownMessage]) -> dict[str, list[ShownMessage]]:
    topics: dict[str, list[ShownMessage]] = {}
    for one in messages:
        topics.setdefault(one.topic, []).append(one)
    return topics


def _topic(type_: str) -> str:
    """`order` for `order.create`, `order_draft.saved` and `orders.changed`."""
    name = type_.partition(".")[0]
    return name if name in TOPICS_OF_TWO_WORDS else TOPICS_AS_ONE.get(first := name.partition("_")[0], first)


def _shown(type_: str, documents: Document) -> ShownMessage:
    asyncapi, schema = documents[ASYNCAPI], documents[schema_path(type_)]
    message = asyncapi["components"]["messages"][type_]
    paragraphs = [" ".join(part.split()) for part in schema.get("description", "").split("\n\n") if part]
    every = asyncapi["components"]["messages"].items()
    routing_key = type_.rsplit(".", 1)[0]
    return ShownMessage(
        type=type_,
        topic=_topic(type_),
        kind=message["x-kind"],
        summary=message["summary"],
        about=paragraphs,
        senders=message["x-senders"],
        exchange=_exchange(type_, asyncapi),
        routing_key=routing_key,
        fields=rows(schema),
        examples=_examples(schema.get("examples") or [{}]),
        answers=message.get("x-answers", ()),
        answer_of=[other for other, about in every if type_ in about.get("x-answers", ())],
        codes=message.get("x-codes", ()),
        key=message.get("x-key", ()),
    )


def _examples(bodies: Sequence[Any]) -> dict[str, str]:
    """The bodies as texts, that with the fewest fields first, since a newcomer begins with it."""
    titles = ("An example with the fewest fields", "An example with every field") if len(bodies) > 1 else ("",)
    texts = [json.dumps(body, indent=2, ensure_ascii=False) for body in reversed(bodies)]
    return dict(zip(titles, texts, strict=True))


def _exchange(type_: str, asyncapi: Document) -> str:
    """The exchange that carries a message; empty where it goes straight to a queue."""
    for channel in asyncapi["channels"].values():
        if type_ in channel["messages"]:
            name = channel.get("bindings", {}).get("$ref", "").rpartition("/")[2]
            binding = asyncapi["components"]["channelBindings"].get(name, {}).get("amqp", {})
            return str(binding.get("exchange", {}).get("name", ""))
    return ""


def _users(codes: Document, messages: Sequence[ShownMessage]) -> dict[str, list[str]]:
    """Code -> the types of the messages that it may refuse."""
    return {code: [one.type for one in messages if code in one.codes] for code in codes}
