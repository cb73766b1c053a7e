"""A refusal the business expects: a value with a code of its own (R-12), never an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.domain.codes import Code


@dataclass(frozen=True)
class Refusal:
    """Why a command was refused. `details` are names and numbers for a program; they never hold personal data."""

    code: Code
    message: str
    details: Mapping[str, object] = field(default_factory=dict)
