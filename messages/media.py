"""The media by which buyers are notified, and those that the setting OMS_NOTIFICATIONS switches on."""

from enum import StrEnum
from typing import Any


class Medium(StrEnum):
    """What carries a notification to its buyer."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


OFF = "off"


def parse_media(value: Any) -> Any:
    """Read `off` or `email,sms,push`: the media, in the order of Medium. Raises ValueError, which quotes the word.

    Another kind of value is returned as it is.
    """
    if not isinstance(value, str):
        return value
    words = {word for word in (part.strip() for part in value.split(",")) if word} - {OFF}
    unknown = sorted(words - set(Medium))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no medium: write off, or some of {', '.join(Medium)}")
    return tuple(medium for medium in Medium if medium in words)
