"""The file that a long-running command writes for people to source in another terminal."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path


def write_second_terminal(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file that only its owner reads: it exports these variables and puts `oms` on the PATH."""
    path.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    path.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""]))
