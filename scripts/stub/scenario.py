"""What a stub shall do other than answer at once: refuse, keep silent, be slow, announce more. A scenario is TOML."""

import random
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from messages.base import MessageKind
from messages.registry import MODELS
from scripts.commands.answers import ANSWERS, ANY_COMMAND, ANY_QUERY
from scripts.commands.message_types import WHERE_TYPES, nearest_codes, nearest_types
from scripts.commands.problems import Code, CommandError

PAGE_OF_CODES = "messages/contracts/index.html"
ANNOUNCED = (MessageKind.EVENT, MessageKind.INSTRUCTION)
Share = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$")]
"""A part of all, written as a text in TOML and on the command line, such as "0.25"."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StubRefusal(_Table):
    """Commands or queries of a type that are refused with a code: a share of them, or only the first `times`."""

    type: str
    code: str
    share: Share = "1"
    times: int | None = Field(default=None, ge=1)

    @field_validator("type")
    @classmethod
    def _is_answered(cls, name: str) -> str:
        return typed(name, (MessageKind.COMMAND, MessageKind.QUERY))

    @model_validator(mode="after")
    def _can_refuse(self) -> "StubRefusal":
        codes = {*ANSWERS[self.type].codes, *(ANY_COMMAND if is_command(self.type) else ANY_QUERY)}
        if self.code not in codes:
            near = nearest_codes(self.code, codes) or f"it has {len(codes)} codes"
            raise ValueError(f"oms never refuses {self.type} with {self.code}; {near} ({PAGE_OF_CODES} has all)")
        return self


class StubEmission(_Table):
    """Another event that follows an event about the same order, `delay_ms` later."""

    after: str
    type: str
    delay_ms: int = Field(default=0, ge=0, le=600_000)

    @field_validator("after", "type")
    @classmethod
    def _is_announced(cls, name: str) -> str:
        return typed(name, ANNOUNCED)


class Scenario(_Table):
    """How a stub behaves. `refuse_share` holds for refusals that have no share of their own.

    `stock` has the units and `price` the minor units of SKUs; of a SKU without a row there is enough, at any price.
    """

    latency_ms: int = Field(default=0, ge=0, le=600_000)
    refuse_share: Share = "1"
    seed: int = 1
    silent: list[str] = []
    refuse: list[StubRefusal] = []
    emit: list[StubEmission] = []
    stock: dict[str, Annotated[int, Field(ge=0)]] = {}
    price: dict[str, Annotated[int, Field(ge=0)]] = {}

    @field_validator("silent")
    @classmethod
    def _are_taken(cls, names: list[str]) -> list[str]:
        return [typed(name, (MessageKind.COMMAND, MessageKind.QUERY, MessageKind.FACT)) for name in names]


class Dice:
    """Decides which messages are refused. The same seed decides the same."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._random = random.Random(scenario.seed)
        self._used: dict[int, int] = {}

    def refusal(self, type_: str) -> str | None:
        """Return the code with which this message is refused, or None."""
        for rule in self.scenario.refuse:
            share = float(rule.share if "share" in rule.model_fields_set else self.scenario.refuse_share)
            used = self._used.get(id(rule), 0)
            if rule.type == type_ and (rule.times is None or used < rule.times) and self._random.random() < share:
                self._used[id(rule)] = used + 1
                return rule.code
        return None


def is_command(type_: str) -> bool:
    """True for a command, false for all other kinds."""
    return MODELS[type_].KIND is MessageKind.COMMAND


def typed(name: str, kinds: tuple[MessageKind, ...]) -> str:
    """Return the type, also of a name without its version. Raises ValueError for a type of another kind."""
    found = [type_ for type_, model in MODELS.items() if name in (type_, model.routing_key())]
    if not found:
        near = nearest_types(name, (model.TYPE for model in MODELS.values() if model.KIND in kinds)) or WHERE_TYPES
        raise ValueError(f"there is no message {name}; {near}")
    if MODELS[found[-1]].KIND not in kinds:
        raise ValueError(f"{found[-1]} is of the kind {MODELS[found[-1]].KIND}; here it must be {' or '.join(kinds)}")
    return found[-1]


def scenario_of(file: Path | None, **more: Any) -> Scenario:
    """Read a scenario; `more` comes from the command line and is added. Raises CommandError that names the place."""
    given: dict[str, Any] = {}
    if file is not None:
        try:
            given = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(Code.FAILED, f"{file} cannot be read as TOML", why=str(error)) from error
    for name, value in more.items():
        if isinstance(value, list):
            given[name] = [*given.get(name, []), *value]
        elif isinstance(value, dict):
            given[name] = {**given.get(name, {}), **value}
        elif value is not None:
            given[name] = value
    try:
        return Scenario.model_validate(given)
    except ValidationError as error:
        found = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]
        faults = [f"{place}: {message.removeprefix('Value error, ')}" for place, message in found]
        hint = "oms stub --help shows a scenario"
        raise CommandError(Code.FAILED, "the scenario is not valid", why="; ".join(faults), hint=hint) from error
