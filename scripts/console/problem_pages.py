"""Turns what goes wrong into a page that says what happened, why, and what to type."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from scripts.commands.explanations import explain
from scripts.commands.problems import Code, CommandError
from scripts.console.rendering import page
from scripts.console.replay_senders import problem_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STATUS = {Code.NOTHING: 404, Code.REFUSED: 403, Code.UNREACHABLE: 503, Code.DIFFERENT: 409, Code.PARTLY: 409}
"""Exit code of a command -> the HTTP status of the page that says the same; others are 400."""


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a page in place of an exception."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        why = f"the console has no {request.path}"
        return problem_page(
            request, CommandError(Code.NOTHING, "there is no such page", why=why, hint="go to Overview")
        )
    except web.HTTPException as error:
        if error.status < 400:
            raise
        hint = "go back, and use the forms of the page"
        return problem_page(request, CommandError(Code.FAILED, error.reason, hint=hint), error.status)
    except Exception as error:
        return problem_page(request, problem_of(error), None if explain(error) else 500)


def problem_page(request: web.Request, problem: CommandError, status: int | None = None) -> web.Response:
    """Return the page of a problem."""
    return page(request, "problem.html", status=status or STATUS.get(problem.code, 400), problem=problem)
