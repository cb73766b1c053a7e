"""What the handlers of one console share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from jinja2 import Environment

from scripts.console.guard import Guard
from scripts.console.overview_watch import OverviewWatch
from scripts.console.replay_senders import ReplaySenders


@dataclass(frozen=True)
class ConsoleState:
    """Who may come in, what is going on, and how pages look."""

    guard: Guard
    senders: ReplaySenders
    overview: OverviewWatch
    templates: Environment
    finished_replays: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """The lines of the list of replays that change no more, so that each refresh counts only the letters of others."""
    trying: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a letter is tried, because a trial configures the process."""


STATE = web.AppKey("state", ConsoleState)
