"""A refusal that the business expects is a value with its own code (R-12), never an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.domain.codes import Code


@dataclass(frozen=True)
class Refusal:
    """The reason why a command was refused. `details` are for a program and never hold personal data."""

    code: Code
    message: str
    details: Mapping[str, object] = field(default_factory=dict)
