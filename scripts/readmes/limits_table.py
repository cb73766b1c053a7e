"""How long each thing may be awaited before it counts as stuck, and why."""

from scripts.readmes.markdown import table
from scripts.screens.timeline import duration
from workers.views.awaits import MOVED_BY
from workers.views.wait_limits import LIMITS


def limits_table() -> str:
    """One row per kind of wait."""
    rows = [
        (
            f"`{what}`",
            duration(limit.seconds) + (" after its timer" if limit.from_timer else ""),
            limit.why,
            ", ".join(f"`{message}`" for message in MOVED_BY[what]),
            f"`{limit.code}`",
        )
        for what, limit in LIMITS.items()
    ]
    return table(("waits for", "too long after", "because", "moved by", "alert"), rows)
