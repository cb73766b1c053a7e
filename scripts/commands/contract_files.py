"""The files of a contract: in a folder, or in a commit of the checkout."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from scripts.commands.contract_documents import ASYNCAPI, CODES, SCHEMAS, documents, schema_path
from scripts.commands.problems import Code, CommandError

IN_CHECKOUT = "messages/contracts"
UNKNOWN_TO_GIT = b"Needed a single revision"


def contract_now(folder: Path) -> dict[str, Any]:
    """Return the documents of this version's contract, by path."""
    return documents(examples(folder), minimal_examples(folder))


def examples(folder: Path) -> dict[str, Any]:
    """Return an example of each type, with every field.

    It comes from the tests of a checkout, else from the contract that the image carries.
    """
    return _examples(folder, "wire", 0)


def minimal_examples(folder: Path) -> dict[str, Any]:
    """Return an example with the fewest fields that do something, of the types that have many more."""
    return _examples(folder, "minimal", 1)


def _examples(folder: Path, name: str, place: int) -> dict[str, Any]:
    """The examples of a folder of the tests, which a schema of the contract has at this place of its examples."""
    golden = folder.parents[1] / "tests/golden" / name
    if golden.is_dir():
        return {path.name.removesuffix(".json"): _json(path.read_bytes(), str(path)) for path in golden.glob("*.json")}
    schemas = {path.name.removesuffix(".json"): path for path in (folder / SCHEMAS).glob("*.json")}
    shown = {type_: _json(path.read_bytes(), str(path)).get("examples", ()) for type_, path in schemas.items()}
    return {type_: those[place] for type_, those in shown.items() if len(those) > place}


def text(document: Any) -> bytes:
    """Write a document as a file: JSON with one blank for each level and names in order; what is text as it is."""
    if isinstance(document, str):
        return document.encode()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def differences(folder: Path, wanted: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the files that are missing in a folder, that differ, and those of types that are gone."""
    rows = []
    for path, document in sorted(wanted.items()):
        file = folder / path
        if not file.is_file():
            rows.append({"file": path, "is": "missing"})
        elif _read(file.read_bytes(), document) != document:
            rows.append({"file": path, "is": "different"})
    return [*rows, *({"file": path, "is": "of no message"} for path in _left_over(folder, wanted))]


def _left_over(folder: Path, wanted: Mapping[str, Any]) -> list[str]:
    """The schemas in a folder that its own asyncapi.json names and that are of no message now."""
    file = folder / ASYNCAPI
    if not file.is_file():
        return []
    named = (_parsed(file.read_bytes()) or {}).get("components", {}).get("messages", {})
    paths = sorted(schema_path(type_) for type_ in named)
    return [path for path in paths if path not in wanted and (folder / path).is_file()]


def write(folder: Path, wanted: Mapping[str, Any], changes: list[dict[str, str]]) -> None:
    """Bring the files that differ up to date. asyncapi.json is the last, since it names the files to delete.

    Raises CommandError if the folder cannot be written.
    """
    try:
        for path in sorted((row["file"] for row in changes), key=lambda path: path == ASYNCAPI):
            file = folder / path
            if path in wanted:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text(wanted[path]))
            else:
                file.unlink()
    except OSError as error:
        why = f"{type(error).__name__}: {error.strerror}"
        raise CommandError(
            Code.FAILED, f"{folder} cannot be written", why=why, hint="oms contracts export DIR, which you may write"
        ) from error


def contract_at(place: str, folder: Path) -> dict[str, Any]:
    """Return the documents of a contract, by path: of a folder, else of a commit. Raises CommandError."""
    files = _of_folder(Path(place)) if Path(place).is_dir() else _of_commit(place, folder.parents[1])
    if not {ASYNCAPI, CODES} <= files.keys():
        hint = "oms contracts check --against REF, or a folder that oms contracts export wrote"
        raise CommandError(Code.NOTHING, f"{place} has no contract", hint=hint)
    contract = {path: _json(content, f"{path} of {place}") for path, content in files.items()}
    types = contract[ASYNCAPI].get("components", {}).get("messages", {})
    if missing := [schema_path(type_) for type_ in types if schema_path(type_) not in contract]:
        raise CommandError(Code.FAILED, f"the contract of {place} is not whole", why=f"it has no {missing[0]}")
    return contract


def _of_folder(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def _of_commit(ref: str, root: Path) -> dict[str, bytes]:
    commit = _git(root, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}", about=ref).decode().strip()
    listed = _git(root, "ls-tree", "-r", "--name-only", commit, "--", IN_CHECKOUT, about=ref)
    if not listed:
        return {}
    with tarfile.open(
        fileobj=io.BytesIO(_git(root, "archive", "--format=tar", commit, IN_CHECKOUT, about=ref))
    ) as archive:
        members = [member for member in archive if member.isfile() and member.name.endswith(".json")]
        files = [(member.name, archive.extractfile(member)) for member in members]
        return {name.removeprefix(f"{IN_CHECKOUT}/"): file.read() for name, file in files if file is not None}


def _git(root: Path, *arguments: str, about: str) -> bytes:
    """Run git in the checkout about what a person named. Raises CommandError with what to type."""
    try:
        ran = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False, env=os.environ | {"LC_ALL": "C"}
        )
    except FileNotFoundError as error:
        why = "git is not installed"
        raise CommandError(
            Code.FAILED, "commits cannot be read", why=why, hint="name a folder: --against DIR"
        ) from error
    if ran.returncode != 0:
        why = "git knows no commit, branch or tag of this name here"
        hint = "oms contracts check --against HEAD; others: git branch --all, git tag, git log --oneline"
        if not (root / ".git").exists():
            why, hint = "there are no commits without a checkout", "oms contracts check --against DIR, with an export"
        elif UNKNOWN_TO_GIT not in ran.stderr:
            words = " ".join(ran.stderr.decode("utf-8", "replace").split())
            raise CommandError(Code.FAILED, "commits cannot be read", why=words, hint="name a folder: --against DIR")
        raise CommandError(Code.NOTHING, f"there is no commit or folder {about}", why=why, hint=hint)
    return ran.stdout


def _read(content: bytes, document: Any) -> Any:
    return content.decode("utf-8", "replace") if isinstance(document, str) else _parsed(content)


def _parsed(content: bytes) -> Any:
    """The document, or None if it is not JSON: an export writes such a file again."""
    try:
        return orjson.loads(content)
    except ValueError:
        return None


def _json(content: bytes, name: str) -> Any:
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise CommandError(Code.FAILED, f"{name} is not JSON", hint="oms contracts export") from error
