"""Times that people type, such as 30m, 2h or 3d."""

import re

from scripts.commands.problems import Code, CommandError

UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_in(text: str, *, hint: str) -> int:
    """Return the seconds of a time such as 30m, 2h or 3d. Raises CommandError with the hint if it is none."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise CommandError(Code.FAILED, f"{text} is no time", why="a time is such as 30m, 2h or 3d", hint=hint)
    return int(match[1]) * UNITS_SECONDS[match[2]]
