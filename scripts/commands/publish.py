"""`oms publish` checks one command or fact against its schema and sends it as an upstream system would."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer

from messages.base import Message, MessageKind
from messages.registry import MODELS
from scripts.commands import command_app
from scripts.commands.body_faults import faults
from scripts.commands.body_files import read_body
from scripts.commands.code_meanings import CODES
from scripts.commands.message_sending import Answer, request, send
from scripts.commands.message_types import unknown, versions
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app()
MessageId = Annotated[str | None, typer.Option(help="A message of the same id is handled once. Default: a fresh id.")]
CorrelationId = Annotated[
    str | None, typer.Option(help="The id that the messages of one conversation share. Default: the message id.")
]
CellName = Annotated[
    str | None, typer.Option(help="The cell of a shop with cells, for what names no user and no order.")
]
LOOKED_INTO = ("amounts", "details")
FROM_UPSTREAM = (MessageKind.COMMAND, MessageKind.FACT)


@app.command()
def publish(
    type: Annotated[
        str,
        typer.Argument(metavar="TYPE", help="Such as order.create.v1, or order.create for the newest."),
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file with the body in JSON; - reads stdin.")],
    *,
    message_id: MessageId = None,
    correlation_id: CorrelationId = None,
    reply_to: Annotated[str | None, typer.Option(help="Your queue, which receives the outcome.")] = None,
    cell: CellName = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the outcome of a command, or the reply.")] = False,
    wait_seconds: Annotated[float, typer.Option(help="How long --wait waits.")] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the body and publish nothing.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check a message, publish it, wait until the broker confirms; with --wait, also for what comes back.

    The check is that of its schema: it names every fault by its JSON path, with what is allowed there. The outcome of a
    command comes later: with --wait here, else as an event and to --reply-to. A refusal has a code, which is shown with
    its meaning; then the exit code is 6, and 5 if nothing comes back in time. A query can be sent with --wait only.
    Each message names the roles that may send it. The command connects as the user of OMS_<ROLE>_AMQP_URL of such a
    role, such as OMS_OPERATOR_AMQP_URL; without one, as the user of OMS_AMQP_URL.

    \b
    Examples:
      oms publish order.create order.json --dry-run
      oms publish order.create order.json --wait
      oms publish order.get query.json --wait -o json | jq .body
      oms publish stock.receive - < delivery.json
      OMS_OPERATOR_AMQP_URL=amqp://oms-operator:secret@broker/ oms publish refund.request refund.json
      oms publish order.cancel cancel.json --reply-to client.storefront.me
    """
    model = _model(type, wait=wait, dry_run=dry_run)
    body = read_body(file, "oms publish TYPE FILE, or - as FILE for stdin")
    _refuse_faults(model, faults(model, body), output)
    if wait and reply_to is not None:
        why = "--wait reads the answer from a queue of its own"
        raise CommandError(Code.FAILED, "--wait and --reply-to exclude each other", why=why, hint="leave one out")
    about = {"message_id": message_id, "correlation_id": correlation_id, "cell": cell}
    if dry_run:
        _show([], f"{model.TYPE} is valid; dry run: nothing was published", output)
    elif wait:
        _show_answer(*request(model, body, wait_seconds, **about), output)
    else:
        _show([send(model, body, reply_to=reply_to, **about)], "the broker confirmed the message", output)


def _show(sent: Sequence[Mapping[str, str | None]], words: str, output: Format) -> None:
    """Show what was sent: in JSON one object, or an empty list if nothing was."""
    write_json(next(iter(sent), [])) if output is Format.JSON else write_table(sent)
    say(words)


def _refuse_faults(model: type[Message], found: Sequence[Mapping[str, str]], output: Format) -> None:
    if not found:
        return
    write_json(found) if output is Format.JSON else write_table(found)
    why = "; ".join(f"{fault['path']}: {fault['message']}" for fault in found[:3])
    hint = "correct the body at these paths"
    raise CommandError(Code.FAILED, f"the body is not a valid {model.TYPE}; nothing was published", why=why, hint=hint)


def _show_answer(sent: Mapping[str, str | None], answer: Answer, output: Format) -> None:
    """Show what came back. Raises CommandError for a refusal, with the meaning of its code."""
    code = answer.body.get("code")
    about = {"outcome": answer.type} | ({"code": code, "meaning": CODES.get(code, "")} if code else {})
    if output is Format.JSON:
        write_json({**sent, **about, "body": answer.body})
    else:
        fields = about | {name: value for name, value in _fields(answer.body) if name not in about}
        write_table([{"field": name, "value": value} for name, value in fields.items()])
    if code:
        why = f"{CODES.get(code, 'a code of a newer version')} ({answer.body.get('message', '')})"
        raise CommandError(Code.REFUSED, f"{sent['type']} was refused with {code}", why=why, hint=f"oms codes {code}")
    say(f"{sent['type']} ended with {answer.type}")


def _fields(body: Mapping[str, Any]) -> Iterator[tuple[str, str | int]]:
    """Yield what a person looks for in an answer: its plain fields, its amounts, and the details of a refusal."""
    for name, value in body.items():
        if isinstance(value, str | int):
            yield name, value
        elif name in LOOKED_INTO and isinstance(value, Mapping):
            for inner, part in value.items():
                yield f"{name}.{inner}", part if isinstance(part, str | int) else orjson.dumps(part).decode()


def _model(name: str, *, wait: bool, dry_run: bool) -> type[Message]:
    """Find a model by its type, with or without version. Raises CommandError if upstream cannot send such messages."""
    found = versions(name)
    sendable = [model.TYPE for model in MODELS.values() if model.KIND in (*FROM_UPSTREAM, MessageKind.QUERY)]
    if not found:
        raise unknown(name, "oms publish TYPE FILE", Code.FAILED, sendable)
    model = found[-1]
    if model.KIND is MessageKind.FACT and wait:
        why = "a fact has no outcome: watch the events that follow from it"
        raise CommandError(Code.FAILED, f"nothing comes back for {model.TYPE}", why=why, hint="leave --wait out")
    if model.KIND not in (*FROM_UPSTREAM, *((MessageKind.QUERY,) if wait or dry_run else ())):
        is_query = model.KIND is MessageKind.QUERY
        why = "its answer goes to a reply_to" if is_query else f"only this system sends {model.KIND.value} messages"
        hint = "--wait shows the answer" if is_query else "oms contracts list --kind command"
        raise CommandError(Code.REFUSED, f"{model.TYPE} cannot be published by hand", why=why, hint=hint)
    return model
