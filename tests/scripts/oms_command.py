"""The type of the fixture `oms`, which runs the command line in this process, and of what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


Oms = Callable[..., CommandResult]
