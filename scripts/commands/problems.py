"""The errors of commands: each says what happened, why, and what to type next, in place of a traceback."""

from enum import IntEnum


class Code(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1  # wrong use or wrong settings: the command did not do its work
    NOTHING = 2  # there is no such thing
    DIFFERENT = 3  # a check did its work and found something wrong: a violated invariant, a statement that differs
    PARTLY = 4  # some of many did not work
    UNREACHABLE = 5  # the broker or the database does not answer
    REFUSED = 6  # it could do harm, or a server does not permit it


class CommandError(Exception):
    """Ends a command. `what` says what happened and `why` its cause; `hint` is what to type next."""

    def __init__(self, code: Code, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code, self.why, self.hint = code, why, hint
        self.lines = [line for line in (f"oms: {what}", why and f"  why:  {why}", hint and f"  next: {hint}") if line]

    @property
    def text(self) -> str:
        """The lines of the error, for stderr."""
        return "\n".join(self.lines)
