"""What a command says when it cannot do its work: what happened, why, what to type next; never a traceback."""

from enum import IntEnum


class Code(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1  # wrong use or wrong settings; `audit`: an invariant is violated
    NOTHING = 2  # nothing matched
    UNREACHABLE = 5  # the broker or the database does not answer
    REFUSED = 6  # it would have made things worse


class CommandError(Exception):
    """Ends a command. `what` happened and why, in one sentence each; `hint` is what to type next."""

    def __init__(self, code: Code, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.lines = [line for line in (f"oms: {what}", why and f"  why:  {why}", hint and f"  next: {hint}") if line]

    @property
    def text(self) -> str:
        """All of it, for stderr."""
        return "\n".join(self.lines)
