"""Places where a test makes the process die at once, as if killed."""

import os

DIES_AT = os.environ.get("OMS_CRASHPOINT", "")


def crashpoint(name: str) -> None:
    """Nothing, unless the environment says OMS_CRASHPOINT=`name`."""
    if name == DIES_AT:
        os._exit(137)
