"""Reads what a person typed into a form."""

from aiohttp import web

from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record

ACTOR_MAX_CHARACTERS = 64


async def typed(request: web.Request) -> dict[str, str]:
    """Return the fields of a form that are texts, without the spaces around them, and without what has no shape."""
    texts = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return {name: "".join(filter(str.isprintable, value)).strip() for name, value in texts.items()}


async def reason_and_actor(request: web.Request, why: str) -> tuple[str, str]:
    """Return why a person does this, and who it is. Raises CommandError if one is missing, or the reason too long."""
    form = await typed(request)
    reason = reason_to_record(form.get("reason", ""), "go back, and say it", why=why)
    if not form.get("actor"):
        raise CommandError(Code.FAILED, "your name is needed", why=why, hint="go back, and say it")
    return reason, form["actor"][:ACTOR_MAX_CHARACTERS]
