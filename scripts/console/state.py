"""What the handlers of one console share."""

from dataclasses import dataclass

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


STATE = web.AppKey("state", ConsoleState)
