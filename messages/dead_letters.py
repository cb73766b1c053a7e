"""What people of the shop decide about dead letters, for those who audit it."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from messages.base import AnyInt, Event

DeadLetterAction: TypeAlias = Literal[
    "replay", "pause", "resume", "cancel", "discard", "restore", "edit", "import", "reveal"
]
IDS_MAX = 100  # an event stays small, and the table of decisions has the others


class DeadLetterDecided(Event):
    """A person decided about dead letters, or saw them in clear. The reason is in the database alone.

    `letters` says how many they are, and `ids` has the first hundred of them. `actor` is the user of the database, and
    `terminal_user` whom the person's terminal names. A replay has a `run_id`; its letters follow one after the other.
    """

    TYPE: ClassVar[str] = "dead_letter.decided.v1"
    action: DeadLetterAction
    letters: AnyInt
    ids: Annotated[tuple[str, ...], Field(max_length=IDS_MAX)]
    run_id: str | None = None
    actor: str
    terminal_user: str
