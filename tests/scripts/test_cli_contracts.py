"""`oms contracts`: the committed contract is current, changes that break others are found, bodies are checked."""

import re
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from messages.base import MessageKind
from messages.registry import FROM_OUTSIDE, MODELS
from scripts.commands import contract_fields
from scripts.commands.answers import ANSWERS
from scripts.commands.code_meanings import CODES as CODE_MEANINGS
from scripts.commands.contract_breaks import breaks, schema_breaks
from scripts.commands.contract_clients import PYTHON, TYPESCRIPT, class_name, client_files
from scripts.commands.contract_documents import ASYNCAPI, CODES, PUBLISHED, schema_of, schema_path
from scripts.commands.contract_files import contract_at, contract_now, examples, minimal_examples, text
from scripts.commands.contract_page import PAGE
from scripts.commands.contracts import FOLDER
from scripts.commands.field_meanings import MEANINGS
from tests.golden.examples import EXAMPLES, MINIMAL, example, minimal, raw
from tests.scripts.oms_command import Oms

Document = dict[str, Any]
CREATE, CREATED, ANSWER = "order.create.v1", "order.created.v1", "order.listed.v1"


@pytest.fixture(scope="module")
def contract() -> Document:
    """The contract of this checkout, read once."""
    return contract_at(str(FOLDER), FOLDER)


def test_the_committed_contract_is_that_of_the_messages_and_their_examples(oms: Oms) -> None:
    result = oms("contracts", "export", "--check")
    assert result.code == 0, f"oms contracts export writes it again\n{result.out}"


def test_each_message_that_crosses_our_border_has_a_schema_an_example_and_its_senders(contract: Document) -> None:
    border = {type_: model for type_, model in MODELS.items() if model.KIND is not MessageKind.INTERNAL}
    messages = contract[ASYNCAPI]["components"]["messages"]
    assert messages.keys() == border.keys()
    assert set(contract) == {ASYNCAPI, CODES, *map(schema_path, border)}
    for type_, model in border.items():
        schema = contract[schema_path(type_)]
        assert schema["examples"] == [example(type_), *([minimal(type_)] if type_ in MINIMAL else [])], type_
        closed = '"additionalProperties": false' in text(schema).decode()
        assert closed is (model.KIND in FROM_OUTSIDE), f"{type_}: what we send gains fields, what we read does not"
        assert messages[type_]["x-senders"] == ["oms"] or model.KIND in FROM_OUTSIDE
    assert messages["order.cancel.v1"]["x-senders"] == ["storefront", "operator"]
    assert messages["payment.callback.v1"]["x-senders"] == ["anyone"]


def test_the_page_has_each_message_each_code_and_no_link_that_leads_nowhere(oms: Oms, tmp_path: Path) -> None:
    file = tmp_path / "contract.html"
    assert oms("contracts", "page", "--out", str(file)).code == 0
    html = file.read_text("utf-8")
    assert html == (FOLDER / PAGE).read_text("utf-8") == oms("contracts", "page").out
    ids = re.findall(r' id="([^"]+)"', html)
    border = {type_ for type_, model in MODELS.items() if model.KIND is not MessageKind.INTERNAL}
    assert {*border, *map(str, CODE_MEANINGS)} <= set(ids)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|url\(', html) == [], "it needs no other file and no network"
    create = html.partition(f'id="{CREATE}"')[2].partition("</details>")[0]
    for part in (CREATED, "storefront", "ORDER_PRICE_MISMATCH", "items[].sku_id", "ISO 4217", "default buy_now"):
        assert part in create, part


def test_the_clients_have_a_type_of_its_own_for_each_message_and_each_part(contract: Document) -> None:
    files = client_files(contract)
    names = {PYTHON: re.findall(r"^class (\w+)", files[PYTHON], re.M)}
    names[TYPESCRIPT] = re.findall(r"^export interface (\w+)", files[TYPESCRIPT], re.M)
    types = {class_name(type_) for type_ in contract[ASYNCAPI]["components"]["messages"]}
    for language, found in names.items():
        assert types <= set(found), language
        assert len(found) == len(set(found)), language
    create = files[PYTHON].partition("class OrderCreate(TypedDict)")[2].partition("\nclass ")[0]
    assert "    seller_id: NotRequired[str | None]\n" in create
    assert "    items: NotRequired[list[OrderCreateCreateLine]]\n" in create
    assert '  "order.create": { type: "order.created.v1"; body: OrderCreated };' in files[TYPESCRIPT]
    ends = [type_ for answers in ANSWERS.values() for type_ in answers.types]
    refusals = {"order.rejected.v1", "shipment.booking_failed.v1"}
    assert {type_ for type_ in ends if "code" in MODELS[type_].model_fields} == refusals, (
        "clients raise what has a code"
    )
    assert class_name("order.create.v2") == "OrderCreateV2"


def test_the_fields_of_a_message_are_rows_with_unit_limits_default_and_meaning() -> None:
    schemas = [schema_of(model) for model in PUBLISHED]
    rows = [row for schema in schemas for row in contract_fields.rows(schema)]
    names = {".".join(row.path.split(".")[-2:]) for row in rows} | {row.path.split(".")[-1] for row in rows}
    assert MEANINGS.keys() <= names, "a meaning of no field"
    found = {row.path: row for row in contract_fields.rows(schema_of(MODELS[CREATE]))}
    assert (found["items[].qty"].type, found["items[].qty"].depth) == ("integer (units)", 1)
    assert (found["source"].default, found["request_id"].required) == ("buy_now", True)
    assert found["seller_id"].type == "text, 1 to 64 characters or null"
    assert contract_fields.described({"type": "integer", "maximum": 9}, {}, "wait_seconds") == (
        "integer (seconds), at most 9"
    )


def references(document: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [one for value in document.values() for one in references(value)]
    return [one for value in document for one in references(value)] if isinstance(document, list) else []


def test_every_reference_of_the_contract_leads_somewhere(contract: Document) -> None:
    for path, document in contract.items():
        for reference in set(references(document)):
            file, _, inner = reference.partition("#/")
            target = contract[file.removeprefix("./")] if file else document
            for name in inner.split("/") if inner else ():
                target = target[name]
            assert target, f"{path}: {reference}"


def test_an_image_takes_the_examples_from_the_contract_that_it_carries(tmp_path: Path) -> None:
    carried = tmp_path / "messages/contracts"
    shutil.copytree(FOLDER, carried)
    assert examples(carried) == {type_: example(type_) for type_ in EXAMPLES if (carried / schema_path(type_)).exists()}
    assert minimal_examples(carried) == {type_: minimal(type_) for type_ in MINIMAL}


def test_a_newcomer_begins_with_the_fewest_fields_and_may_see_every_field(oms: Oms) -> None:
    short, full = oms("contracts", "example", "order.create"), oms("contracts", "example", CREATE, "--full")
    assert (short.json, full.json) == (minimal(CREATE), example(CREATE))
    assert oms("contracts", "example", "order.keep").json == example("order.keep.v1")
    near = "near it are order.create, order.created, order.get; oms contracts list has all"
    for type_, words in (
        ("order.creat", near),
        ("nonsense", "why:  oms contracts list has all"),
        ("stock.reserve", "stays between"),
    ):
        found = oms("contracts", "example", type_)
        assert (found.code, words in found.err) == (2, True), found.err
    page = (FOLDER / PAGE).read_text("utf-8").partition(f'id="{CREATE}"')[2].partition("</details>")[0]
    assert page.index("with the fewest fields of") < page.index("with every field of")


def test_a_newcomer_sees_what_each_message_is_for_and_who_sends_it(oms: Oms) -> None:
    found = {row["type"]: row for row in oms("contracts", "list", "-o", "json").json}
    assert set(found) == {type_ for type_, model in MODELS.items() if model.KIND is not MessageKind.INTERNAL}
    facts = oms("contracts", "list", "--kind", "fact").out
    assert ("fulfilment.pack.v1" in facts, "The goods are packed." in facts, CREATE in facts) == (True, True, False)
    assert found["payment.result.v1"]["from"] == "payments"
    assert oms("contracts", "list", "--kind", "internal").code == 1


def test_an_export_repairs_a_folder_and_deletes_what_is_of_no_message(oms: Oms, tmp_path: Path) -> None:
    folder = tmp_path / "contract"
    shutil.copytree(FOLDER, folder)
    asyncapi = orjson.loads((folder / ASYNCAPI).read_bytes())
    asyncapi["components"]["messages"]["order.lost.v1"] = {}
    (folder / ASYNCAPI).write_bytes(orjson.dumps(asyncapi))
    (folder / CODES).unlink()
    for name in ("order.lost.v1", "not.ours.v1"):
        (folder / schema_path(name)).write_bytes(b"{}")
    found = oms("contracts", "export", str(folder), "--check", "-o", "json")
    rows = {row["file"]: row["is"] for row in found.json}
    lost = schema_path("order.lost.v1")
    assert (found.code, rows) == (3, {ASYNCAPI: "different", CODES: "missing", lost: "of no message"})
    assert oms("contracts", "export", str(folder)).code == 0
    assert oms("contracts", "export", str(folder), "--check").code == 0
    assert [(folder / schema_path(name)).exists() for name in ("order.lost.v1", "not.ours.v1")] == [False, True]
    in_the_way = oms("contracts", "export", str(folder / CODES))
    assert (in_the_way.code, "cannot be written" in in_the_way.err) == (1, True)


TEXT, WORDS = {"type": "string", "maxLength": 9}, {"type": "string", "enum": ["a", "b"]}
PLAIN: Document = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id"],
    "properties": {
        "id": TEXT,
        "word": {"default": "a", "enum": ["a", "b"], "type": "string"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "note": {"anyOf": [dict(TEXT), {"type": "null"}]},
    },
    "$defs": {"Line": {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer"}}}},
}
SCHEMAS_CHANGED: dict[str, tuple[str, Any, list[str], list[str]]] = {
    "nothing": ("", None, [], []),
    "a new optional field": ("properties.new", TEXT, [], []),
    "a field less": ("properties.note", None, ["$.note"], ["$.note"]),
    "required now": ("required", ["id", "word"], ["$.word"], []),
    "no longer required": ("required", [], [], ["$.id"]),
    "a word less": ("properties.word.enum", ["a"], ["$.word"], []),
    "a word more": ("properties.word.enum", ["a", "b", "c"], [], ["$.word"]),
    "a text that was a list of words": ("properties.word.enum", None, [], ["$.word"]),
    "words that were a text": ("properties.id.enum", ["a"], ["$.id"], []),
    "another default": ("properties.word.default", "b", ["$.word"], []),
    "another type": ("properties.id.type", "integer", ["$.id"], ["$.id"]),
    "any number": ("$defs.Line.properties.qty.type", "number", [], ["$.lines[].qty"]),
    "anything": ("properties.id", {}, [], ["$.id"]),
    "no longer null": ("properties.note", TEXT, ["$.note"], []),
    "null as well": ("properties.id", {"anyOf": [TEXT, {"type": "null"}]}, [], ["$.id"]),
    "a longer text": ("properties.id.maxLength", 10, [], ["$.id"]),
    "a shorter text": ("properties.id.maxLength", 8, ["$.id"], []),
    "a text without a limit": ("properties.id.maxLength", None, [], ["$.id"]),
    "a limit for a number": ("$defs.Line.properties.qty.minimum", 1, ["$.lines[].qty"], []),
    "a pattern": ("properties.id.pattern", "^a", ["$.id"], []),
    "a field of a part less": ("$defs.Line.properties.qty", None, ["$.lines[].qty"], ["$.lines[].qty"]),
}
"""A change of a schema -> its place, its value, and the paths that break senders of it and readers of it."""


def changed(document: Any, place: str, value: Any) -> Any:
    """A copy of a document with another value at a place, or without it."""
    copy = deepcopy(document)
    *path, last = place.split(".")
    inner = copy
    for name in path:
        inner = inner[name]
    inner.pop(last, None)
    if value is not None:
        inner[last] = value
    return copy


def test_which_changes_of_a_schema_break_its_senders_or_its_readers() -> None:
    found = {}
    for what, (place, value, *_) in SCHEMAS_CHANGED.items():
        new = changed(PLAIN, place, value)
        found[what] = [[path for path, _ in schema_breaks(PLAIN, new, we_send=sent)] for sent in (False, True)]
    assert found == {what: [senders, readers] for what, (_, _, senders, readers) in SCHEMAS_CHANGED.items()}


def mapping(value: Document, **more: Any) -> Document:
    """A schema of an object whose names are data."""
    return {"type": "object", "additionalProperties": value} | more


def test_alternatives_and_names_that_are_data_are_compared_with_what_fits_them_best() -> None:
    parts = [{"type": "object", "properties": {"kind": {"const": kind, "type": "string"}}} for kind in ("a", "b")]
    both, one = {"oneOf": parts}, {"oneOf": parts[:1]}
    assert schema_breaks(one, both, we_send=False) == []
    assert schema_breaks(both, one, we_send=False) == [("$.kind", "it is no longer taken as b")]
    assert schema_breaks(mapping(TEXT), mapping(TEXT | {"maxLength": 8}), we_send=False) == [
        ("$.*", "maxLength was 9, is 8")
    ]
    names = mapping(TEXT, propertyNames={"pattern": "^a"})
    assert [path for path, _ in schema_breaks(mapping(TEXT), names, we_send=False)] == ["names of $"]
    closed = {"type": "object", "additionalProperties": False}
    assert [path for path, _ in schema_breaks(mapping(TEXT), closed, we_send=False)] == ["$"]
    patterns = [{"type": "object", "patternProperties": {pattern: TEXT}} for pattern in ("^a", "^b")]
    assert [path for path, _ in schema_breaks(*patterns, we_send=True)] == ["$"]
    pairs = [{"type": "array", "prefixItems": [{"type": type_}]} for type_ in ("string", "integer")]
    assert [path for path, _ in schema_breaks(*pairs, we_send=False)] == ["$[0]"]


def lose_type(type_: str) -> Callable[[Document], Any]:
    return lambda new: new[ASYNCAPI]["components"]["messages"].pop(type_)


def lose_field(type_: str, field: str) -> Callable[[Document], Any]:
    return lambda new: new[schema_path(type_)]["properties"].pop(field)


def set_about(type_: str, name: str, value: Any) -> Callable[[Document], Any]:
    return lambda new: new[ASYNCAPI]["components"]["messages"][type_].update({name: value})


CONTRACTS_CHANGED: list[tuple[Callable[[Document], Any], tuple[str, str] | None]] = [
    (lambda new: None, None),
    (lambda new: new[CODES].update({"NEW": {"number": 1, "level": "alert", "meaning": "-"}}), None),
    (lose_type(CREATE), (CREATE, "storefront, operator")),
    (lose_field(CREATE, "channel"), (CREATE, "storefront, operator")),
    (lose_field(CREATED, "order_no"), (CREATED, "every subscriber of order.created.v1")),
    (lose_type(ANSWER), (ANSWER, "everyone who sends queries")),
    (lose_type("fulfilment.withdrawn.v1"), ("fulfilment.withdrawn.v1", "every warehouse")),
    (set_about(CREATE, "x-senders", ["operator"]), (CREATE, "storefront")),
    (set_about(CREATE, "x-senders", ["anyone"]), None),
    (set_about("payment.callback.v1", "x-senders", ["payments"]), ("payment.callback.v1", "anyone")),
    (set_about(CREATE, "x-kind", "query"), (CREATE, "storefront, operator")),
    (lambda new: new[CODES].pop("ORDER_HELD"), ("ORDER_HELD", "everyone who reads codes")),
    (lambda new: new[CODES]["ORDER_HELD"].update(number=1), ("ORDER_HELD", "everyone who reads codes")),
]


def test_a_break_says_which_type_or_code_and_whom_it_affects(contract: Document) -> None:
    assert breaks(contract, contract_now(FOLDER)) == []
    for change, expected in CONTRACTS_CHANGED:
        new = orjson.loads(orjson.dumps(contract))
        change(new)
        found = [(one.type, one.affects) for one in breaks(contract, new)]
        assert found == ([] if expected is None else [expected])


def test_a_change_since_a_folder_or_a_commit_that_breaks_others_ends_with_3(oms: Oms, tmp_path: Path) -> None:
    folder = tmp_path / "contract"
    shutil.copytree(FOLDER, folder)
    assert oms("contracts", "check", "--against", str(folder)).code == 0
    schema = orjson.loads((folder / schema_path(CREATED)).read_bytes())
    schema["properties"]["gone"] = {"type": "string"}
    (folder / schema_path(CREATED)).write_bytes(orjson.dumps(schema))
    found = oms("contracts", "check", "--against", str(folder), "-o", "json")
    row = {"type": CREATED, "path": "$.gone", "change": "the field is gone"}
    assert (found.code, found.json) == (3, [row | {"affects": f"every subscriber of {CREATED}"}])


def test_what_has_no_contract_and_what_is_no_commit_is_an_error(
    oms: Oms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER, tmp_path / "whole")
    (tmp_path / "whole" / schema_path(CREATE)).unlink()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CODES).write_bytes(b"{")
    (tmp_path / "broken" / ASYNCAPI).write_bytes(b"{}")
    for place, code in ((tmp_path, 2), (tmp_path / "whole", 1), (tmp_path / "broken", 1), ("no-such", 2), ("-o", 2)):
        assert oms("contracts", "check", f"--against={place}").code == code, place
    unknown = oms("contracts", "check", "--against", "v9.9.9").err
    assert "there is no commit or folder v9.9.9" in unknown
    assert "next: oms contracts check --against HEAD; others: git branch --all" in unknown
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as in a container that runs as another user
    foreign = oms("contracts", "check", "--against", "HEAD")
    assert (foreign.code, "dubious ownership" in foreign.err, "no commit" in foreign.err) == (1, True, False)


def test_the_contract_of_a_commit_is_that_of_its_files(tmp_path: Path, contract: Document) -> None:
    folder = tmp_path / "messages/contracts"
    shutil.copytree(FOLDER, folder)
    for line in ("init -q", "add .", "-c user.name=a -c user.email=a@shop.example commit -q -m first"):
        subprocess.run(["git", "-C", str(tmp_path), *line.split()], check=True, capture_output=True)
    shutil.rmtree(folder)
    assert contract_at("HEAD", folder) == contract


def test_a_body_is_checked_by_the_type_of_its_file_and_every_fault_is_named(oms: Oms, tmp_path: Path) -> None:
    file = tmp_path / f"{CREATE}.json"
    file.write_bytes(raw(CREATE))
    assert oms("contracts", "validate", str(file)).code == 0
    body = example(CREATE) | {"surprise": "ada@shop.example", "currency": 7}
    del body["user_id"]
    file.write_bytes(orjson.dumps(body))
    found = oms("contracts", "validate", str(file), "-o", "json")
    assert (found.code, {fault["path"] for fault in found.json}) == (3, {"$.surprise", "$.currency", "$.user_id"})
    assert "ada@" not in found.out + found.err
    event = tmp_path / "body.json"
    event.write_bytes(raw(CREATED))
    assert oms("contracts", "validate", str(event), "--type", CREATED).code == 0
    assert oms("contracts", "validate", str(event), "--type", CREATE).code == 3
    assert oms("contracts", "validate", str(event), "--type", "order.created").code == 0
    for arguments in ((str(event),), (str(event), "--type", "order.created.v9"), ("no.json",)):
        unknown = oms("contracts", "validate", *arguments)
        assert (unknown.code, unknown.err.count("\n  next: oms contracts validate FILE --type")) == (2, 1)
    assert "there is order.create.v1" in oms("contracts", "validate", str(event), "--type", "order.create.v9").err
    missing = oms("contracts", "validate", str(tmp_path / "no.json"), "--type", CREATE)
    assert (missing.code, "no.json cannot be read" in missing.err) == (1, True)
