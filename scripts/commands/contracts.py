"""`oms contracts` writes the contract for other teams, finds changes that break them, and checks bodies against it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import messages
from messages.base import Message, MessageKind
from scripts.commands import command_app
from scripts.commands.body_faults import faults
from scripts.commands.body_files import read_body
from scripts.commands.contract_breaks import breaks
from scripts.commands.contract_clients import client_files
from scripts.commands.contract_documents import ASYNCAPI
from scripts.commands.contract_files import contract_at, contract_now, differences, examples, minimal_examples, write
from scripts.commands.contract_page import PAGE
from scripts.commands.contract_page import page as page_of
from scripts.commands.message_types import unknown, versions
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app("Write the contract for other teams, find changes that break them, check bodies against it.")
FOLDER = Path(messages.__file__).parent / "contracts"
"""Where the contract is, in a checkout and in an image."""
CLIENTS = FOLDER.parent / "clients"
"""Where the clients for other teams are, in a checkout."""
OUTSIDE = tuple(kind.value for kind in MessageKind if kind is not MessageKind.INTERNAL)
"""The kinds of messages that others send or read."""


@app.command()
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write it.", show_default="messages/contracts")
    ] = FOLDER,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 3 if files differ.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Write the contract: index.html for people, asyncapi.json, codes.json, and schemas/TYPE.json with examples.

    A file of a type that is gone is deleted from the folder if its asyncapi.json names it. In a checkout it also writes
    the types of the clients in messages/clients.

    \b
    Examples:
      oms contracts export
      oms contracts export --check
      oms contracts export /tmp/contract
    """
    contract = contract_now(FOLDER)
    made = {folder: contract | {PAGE: page_of(contract)}}
    if folder == FOLDER and CLIENTS.is_dir():
        made[CLIENTS] = client_files(contract)
    found = {place: differences(place, wanted) for place, wanted in made.items()}
    changes = [row for rows in found.values() for row in rows]
    write_json(changes) if output is Format.JSON else write_table(changes)
    if not check:
        for place, rows in found.items():
            write(place, made[place], rows)
        say(f"{counted(len(changes), 'file')} of {sum(map(len, made.values()))} changed in {folder}")
    elif changes:
        what = f"{counted(len(changes), 'file')} of the contract in {folder} differ from the messages"
        raise CommandError(Code.DIFFERENT, what, hint="oms contracts export, then read the difference")


@app.command()
def page(
    *,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write. Default: stdout.")] = None,
) -> None:
    """Write the contract as one page of HTML for people, which needs no network: search, examples, what comes back.

    messages/contracts/index.html is this page; oms contracts export keeps it current.

    \b
    Examples:
      oms contracts page --out contract.html
      oms contracts page | ssh docs.example tee /var/www/oms/index.html > /dev/null
    """
    made = page_of(contract_now(FOLDER))
    if out is None:
        sys.stdout.write(made)
        return
    write(out.parent, {out.name: made}, [{"file": out.name}])
    say(f"the page is {out}")


@app.command("list")
def list_types(
    *,
    kind: Annotated[
        list[str] | None, typer.Option(help=f"Only these, of {', '.join(OUTSIDE)}. Can be repeated.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """List the types of all messages that others send and read: what each is for, and which roles send it.

    \b
    Examples:
      oms contracts list
      oms contracts list --kind command --kind fact
      oms contracts list -o json | jq -r '.[] | select(.from | contains("carrier")).type'
    """
    if wrong := sorted(set(kind or ()) - set(OUTSIDE)):
        hint = f"oms contracts list --kind {OUTSIDE[0]}"
        raise CommandError(Code.FAILED, f"no kind {wrong[0]}", why=f"the kinds are {', '.join(OUTSIDE)}", hint=hint)
    shown = [
        {"type": type_, "kind": message["x-kind"], "from": ", ".join(message["x-senders"]), "what": message["summary"]}
        for type_, message in contract_now(FOLDER)[ASYNCAPI]["components"]["messages"].items()
        if message["x-kind"] in (kind or OUTSIDE)
    ]
    write_json(shown) if output is Format.JSON else write_table(shown)


@app.command()
def example(
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as order.create.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Show every field.")] = False,
) -> None:
    """Write an example of a message's body as JSON, with the fewest fields that do something, to begin with.

    \b
    Examples:
      oms contracts example order.create > order.json
      oms contracts example order.create --full
    """
    model = _model(type, "oms contracts example")
    if model.KIND is MessageKind.INTERNAL:
        why = "it stays between queues of oms"
        raise CommandError(
            Code.NOTHING, f"{model.TYPE} has no example", why=why, hint="oms contracts example order.create"
        )
    shown = examples(FOLDER) | ({} if full else minimal_examples(FOLDER))
    write_json(shown[model.TYPE])


@app.command()
def check(
    *,
    against: Annotated[str, typer.Option(metavar="REF|DIR", help="A commit, tag or branch, or a folder.")],
    output: Output = Format.TABLE,
) -> None:
    """Find the changes since an earlier contract that break others; exit with 3 if there are any.

    What others send must still be taken: no type, field, word of an enumeration, role or code goes, no field becomes
    required and no limit narrower. What we send may gain fields, and neither lose them nor hold what it never held.

    \b
    Examples:
      oms contracts check --against HEAD
      oms contracts check --against origin/HEAD -o json | jq -r '.[].affects'
      oms contracts check --against /tmp/contract
    """
    found = [vars(one) for one in breaks(contract_at(against, FOLDER), contract_now(FOLDER))]
    write_json(found) if output is Format.JSON else write_table(found)
    if found:
        hint = "keep the version as it was, and make a new version of the message"
        raise CommandError(Code.DIFFERENT, f"{counted(len(found), 'change')} would break others", hint=hint)
    say(f"nothing breaks those who rely on the contract of {against}")


@app.command()
def validate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file with the body in JSON; - reads stdin.")],
    *,
    type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Such as order.create. Default: the name of the file.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Check the body of a message of any kind, and name all its faults; exit with 3 if there are any.

    Each has its JSON path and what is allowed there. It needs no server, and shows no value of the body, as that may be
    personal.

    \b
    Examples:
      oms contracts validate order.create.v1.json
      oms contracts validate body.json --type order.create
      jq .body letter.json | oms contracts validate - --type payment.result.v1 -o json
    """
    model = _model(type or Path(file).name.removesuffix(".json"), "oms contracts validate FILE --type")
    body = read_body(file, "oms contracts validate FILE, or - as FILE for stdin")
    found = faults(model, body)
    write_json(found) if output is Format.JSON else write_table(found)
    if found:
        raise CommandError(Code.DIFFERENT, f"the body is not a valid {model.TYPE}", hint="correct these paths")
    say(f"the body is a valid {model.TYPE}")


def _model(name: str, typed: str) -> type[Message]:
    """Return the model of a type, of its newest version if the name has none. Raises CommandError."""
    if found := versions(name):
        return found[-1]
    raise unknown(name, f"{typed} TYPE", Code.NOTHING)
