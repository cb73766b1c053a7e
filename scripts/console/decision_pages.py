"""To discard dead letters, and to restore discarded ones: the plan, and the decision as `oms dead-letters` takes it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from scripts.commands.decisions import act_on
from scripts.commands.letter_decisions import STATE_OF, act_of, planner_of
from scripts.console import letter_forms
from scripts.console.forms import reason_and_actor, typed
from scripts.console.letter_plans import WHY_NEEDED, check, moment_of, plan_page, read_plan
from workers.store import dead_letters

BECOMES = {"discard": dead_letters.DISCARDED, "restore": dead_letters.OPEN}
WHY = {"discard": "why nobody needs the message", "restore": "why it is needed after all"}


async def plan(request: web.Request) -> web.Response:
    """Show which letters would be discarded or restored, and change nothing."""
    verb = request.match_info["verb"]
    found = await read_plan(letter_forms.query_string(request), planner_of(verb), state=STATE_OF[verb])
    return await plan_page(request, "decision.html", verb, found, becomes=BECOMES[verb], why=WHY[verb])


async def decide(request: web.Request) -> web.Response:
    """Discard or restore the letters exactly as it was shown, and lead on to them."""
    verb = request.match_info["verb"]
    reason, actor = await reason_and_actor(request, WHY_NEEDED)
    form = await typed(request)
    at, last = moment_of(form)
    found = await read_plan(form.get("plan", ""), planner_of(verb), state=STATE_OF[verb], at=at, last=last)
    check(verb, found, form)
    await act_on(found.left, act_of(verb, note=actor, reason=reason))
    raise web.HTTPSeeOther(_decided(found.query, [one.id for one in found.left], BECOMES[verb]))


def _decided(query: str, ids: Sequence[int], state: str) -> str:
    """Return the page that shows letters in their new state."""
    if len(ids) == 1:
        return f"/letters/{ids[0]}"
    given = letter_forms.fields_of(query)
    pairs = [(name, one) for name, values in given.items() if name not in (letter_forms.IDS, "state") for one in values]
    return f"/letters?{urlencode([*pairs, ('state', state)])}"


ROUTES = (
    web.get("/letters/{verb:discard|restore}", plan),
    web.post("/letters/{verb:discard|restore}", decide),
)
