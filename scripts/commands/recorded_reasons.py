"""Why a person does something, as it is recorded: it is not blank, and not so long that nobody reads it in a list."""

from scripts.commands.problems import Code, CommandError

REASON_MAX_CHARACTERS = 500
FOR_THE_NEXT = "it is recorded for the next person"


def reason_to_record(text: str, hint: str, *, why: str = FOR_THE_NEXT, what: str = "reason") -> str:
    """Return what is recorded. Raises CommandError if it is blank or too long; then `why` says why it is needed."""
    if not text.strip():
        raise CommandError(Code.FAILED, f"a {what} is needed", why=why, hint=hint)
    return short_enough(text, hint, what=what)


def short_enough(text: str, hint: str, *, what: str = "reason") -> str:
    """Return what is recorded, which may be blank. Raises CommandError if it has more than REASON_MAX_CHARACTERS."""
    given = text.strip()
    if len(given) > REASON_MAX_CHARACTERS:
        message = f"a {what} has at most {REASON_MAX_CHARACTERS} characters, and this one has {len(given):,}"
        raise CommandError(Code.FAILED, message, why="it is read in lists; a ticket can say the rest", hint=hint)
    return given
