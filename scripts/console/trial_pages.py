"""Tries a dead letter: what its handler would do and send now. Everything is rolled back."""

from typing import Any

from aiohttp import web

from scripts.commands.letter_trials import WELL, sent_by
from scripts.commands.letter_views import read_letter
from scripts.commands.trial_runs import run_trial
from scripts.console.rendering import page
from scripts.console.state import STATE


async def attempt(request: web.Request) -> web.Response:
    """Handle the letter as its worker would, roll everything back, and show what became of it."""
    id = int(request.match_info["id"])
    letter = await read_letter(id, reveal=False, reason="", note="")
    async with request.app[STATE].trying:
        trial = await run_trial(id, None)
    return page(request, "trial.html", letter=letter, trial=trial, well=trial.result in WELL, sends=sent_by(trial))


ROUTES: Any = (web.post(r"/letters/{id:\d{1,18}}/try", attempt),)
