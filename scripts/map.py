"""The parts of the READMEs that are made from the code.

python -m scripts.map               prints the map: which queue and which handler takes each message
python -m scripts.map --settings    prints the table of settings
python -m scripts.map --write       puts every such part into its README, between its markers
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.readmes.code_tables import code_table, reason_table
from scripts.readmes.event_table import event_table, instruction_table, reply_table
from scripts.readmes.limits_table import limits_table
from scripts.readmes.markdown import inserted
from scripts.readmes.message_map import message_map
from scripts.readmes.settings_table import settings_table
from scripts.readmes.state_diagram import state_diagram

ROOT = Path(__file__).parents[1]

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"states": state_diagram},
    "messages/README.md": {
        "map": message_map,
        "events": event_table,
        "replies": reply_table,
        "instructions": instruction_table,
        "codes": code_table,
    },
    "scripts/README.md": {"settings": settings_table, "reasons": reason_table, "limits": limits_table},
}
"""README -> its parts: marker -> what makes the text between the marker and its end."""


def write() -> None:
    """Bring every part up to date."""
    for name, parts in PARTS.items():
        path = ROOT / name
        path.write_text(inserted(path.read_text("utf-8"), {marker: make() for marker, make in parts.items()}), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print or write."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.map", description="The parts of the READMEs made from code."
    )
    parser.add_argument("--settings", action="store_true", help="print the table of settings instead of the map")
    parser.add_argument("--write", action="store_true", help="put every part into its README")
    options = parser.parse_args(arguments)
    if options.write:
        write()
    else:
        print(settings_table() if options.settings else message_map())
    return 0


if __name__ == "__main__":
    sys.exit(main())
