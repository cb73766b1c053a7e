"""The settings of what people are alerted of: what waits too long, and dead letters."""

from typing import Annotated

from pydantic import Field, field_validator

from workers.domain.standing_alerts import Watch
from workers.retention_settings import RetentionSettings
from workers.views.wait_limits import LIMITS

LimitSeconds = Annotated[int, Field(ge=1, le=10 * 365 * 86_400)]


class WatchSettings(RetentionSettings):
    """Read from OMS_* variables."""

    stuck_after_seconds: dict[str, LimitSeconds] = Field(
        default={},
        description="What waits longer is stuck, by what is awaited, as JSON; what is left out is as the table of "
        'limits says: {"acceptance": 14400, "delivery": 864000}',
    )
    dead_letters_old_seconds: int = Field(
        default=86_400,
        ge=60,
        le=365 * 86_400,
        description="An alert is raised of a dead letter about which nobody has decided for this time; a day",
    )
    standing_alert_pause_seconds: int = Field(
        default=600,
        ge=0,
        le=86_400,
        description="Between two alerts of new stuck things of one kind, or of new dead letters, at least this time "
        "passes; the next one counts what came meanwhile. 10 minutes",
    )
    standing_alert_again_seconds: int = Field(
        default=86_400,
        ge=60,
        le=365 * 86_400,
        description="An alert of things that are still stuck, or dead letters that are still old, is raised again "
        "after this time; a day",
    )

    @field_validator("stuck_after_seconds")
    @classmethod
    def _known_waits(cls, value: dict[str, int]) -> dict[str, int]:
        if unlisted := sorted(value.keys() - LIMITS.keys()):
            raise ValueError(f"nothing waits for {unlisted[0]}; what is awaited is {', '.join(LIMITS)}")
        return value

    @property
    def watch(self) -> Watch:
        """What counts as stuck or old, and how often people are alerted of it."""
        return Watch(**{name: getattr(self, name) for name in Watch.__dataclass_fields__})
