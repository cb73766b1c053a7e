"""Reads what a person typed into a form."""

from aiohttp import web

from scripts.commands.problems import Code, CommandError

ACTOR_MAX = 64


async def typed(request: web.Request) -> dict[str, str]:
    """Return the fields of a form that are texts, without the spaces around them, and without what has no shape."""
    texts = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return {name: "".join(filter(str.isprintable, value)).strip() for name, value in texts.items()}


async def reason_and_actor(request: web.Request, why: str) -> tuple[str, str]:
    """Return why a person does this, and who it is. Raises CommandError if one of them is missing."""
    form = await typed(request)
    for name in ("reason", "actor"):
        if not form.get(name):
            raise CommandError(Code.FAILED, f"the {name} is missing", why=why, hint="go back, and say it")
    return form["reason"], form["actor"][:ACTOR_MAX]
