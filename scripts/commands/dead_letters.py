"""`oms dead-letters`: the messages that could not be handled, from the first look to the last outcome of a replay."""

from collections.abc import Callable, Mapping
from typing import Any

from scripts.commands import (
    command_app,
    letter_decisions,
    letter_edits,
    letter_files,
    letter_lists,
    letter_trials,
    letter_views,
)

app = command_app("Look at messages that failed, replay, edit and discard them.")

COMMANDS: Mapping[str, Callable[..., Any]] = {
    "status": letter_lists.status,
    "groups": letter_lists.groups,
    "list": letter_lists.list_,
    "show": letter_views.show,
    "diff": letter_trials.diff,
    "try": letter_trials.try_,
    "replay": letter_decisions.replay,
    "edit": letter_edits.edit,
    "discard": letter_decisions.discard,
    "restore": letter_decisions.restore,
    "note": letter_lists.note,
    "history": letter_lists.history,
    "export": letter_files.export,
    "import": letter_files.import_,
}

for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
