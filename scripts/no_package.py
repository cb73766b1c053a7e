"""The build backend of pyproject.toml: it builds nothing and says how oms is run instead.

A wheel would put `db`, `messages`, `outbox`, `workers` and `scripts` beside every other package of an environment.
"""

import sys
from typing import NoReturn

SENTENCE = (
    "oms is not built as a package: run it from a checkout (scripts/up, scripts/test) or from its image "
    "(docker compose up --build)"
)


def refuse(*_arguments: object, **_options: object) -> NoReturn:
    """Stands for every hook of a build backend (PEP 517). Ends the build with one sentence."""
    sys.exit(SENTENCE)


get_requires_for_build_wheel = get_requires_for_build_sdist = get_requires_for_build_editable = refuse
build_wheel = build_sdist = build_editable = refuse
