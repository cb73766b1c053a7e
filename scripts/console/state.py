"""What the handlers of one console share."""

from dataclasses import dataclass

from aiohttp import web
from jinja2 import Environment

from scripts.console.guard import Guard
from scripts.console.queue_depths import QueueWatch
from scripts.console.replay_senders import ReplaySenders
from scripts.console.stuck_watch import StuckWatch


@dataclass(frozen=True)
class ConsoleState:
    """Who may come in, what is going on, and how pages look."""

    guard: Guard
    senders: ReplaySenders
    depths: QueueWatch
    stuck: StuckWatch
    templates: Environment


STATE = web.AppKey("state", ConsoleState)
