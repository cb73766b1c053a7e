"""The faults of a body, each with what is allowed at its place."""

import re

from messages.base import Message
from messages.strict_json import read
from scripts.commands.contract_documents import schema_of
from scripts.commands.contract_fields import allowed_at

FAULTS_MAX = 1_000  # all that a person corrects; a body of a megabyte can have a hundred thousand
ELSEWHERE = re.compile(r"^(json_|repeated_name)")


def faults(model: type[Message], body: bytes) -> list[dict[str, str]]:
    """Return the faults of a body by JSON path; none if it is valid. No value is repeated, as it may be personal."""
    schema = schema_of(model)
    return [
        {**vars(fault), "allowed": "" if ELSEWHERE.match(fault.error) else allowed_at(schema, fault.path)}
        for fault in read(model, body, faults_max=FAULTS_MAX).faults
    ]
