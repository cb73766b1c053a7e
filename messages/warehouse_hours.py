"""warehouse_hours.*: when a warehouse works, by which the promises of new orders count their time (S0-44)."""

from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator

from messages.base import Command, Day, Event, Name
from messages.catalogue import CUTOFF_PATTERN, Revision
from messages.roles import Role

HOLIDAYS_MAX = 200
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class WarehouseHoursSet(Command):
    """Say when a warehouse works: in its time zone, on these days of the week, but not on holidays.

    An order that is paid at `ship_cutoff` (HH:MM) or later counts as paid on its next working day. Both count in place
    of `ship_cutoff` and the time zone of the shop. Without a working day, hours that were set before end. Orders that
    are placed before it keep their promises.
    """

    TYPE: ClassVar[str] = "warehouse_hours.set.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "warehouse_hours.set:{warehouse}"
    KEY: ClassVar[str] = "revision"
    warehouse: Name
    revision: Revision
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    ship_cutoff: Annotated[str, StringConstraints(pattern=CUTOFF_PATTERN)] = ""
    working_days: Annotated[tuple[Weekday, ...], Field(max_length=7)]
    holidays: Annotated[tuple[Day, ...], Field(max_length=HOLIDAYS_MAX)] = ()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no IANA time zone, such as Asia/Shanghai or UTC") from None
        return value

    def hours(self) -> dict[str, Any]:
        """The hours that the command sets; none without a working day."""
        return self.model_dump(mode="json", exclude={"warehouse", "revision"}) if self.working_days else {}


class WarehouseHoursChanged(Event):
    """New orders from the warehouse are promised by the hours of this revision."""

    TYPE: ClassVar[str] = "warehouse_hours.changed.v1"
    warehouse: str
    revision: int


class WarehouseHoursUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "warehouse_hours.unchanged.v1"
    warehouse: str
    revision: int
    current_revision: int
