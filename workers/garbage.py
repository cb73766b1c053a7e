"""Python's search for reference cycles, set for a process that makes and drops thousands of rows a second."""

import gc

YOUNG_OBJECTS = 20_000  # a batch or two: at Python's 700 a batch is searched dozens of times while it is alive


def settle_memory() -> None:
    """Call once everything is imported: what exists now lives as long as the process, and is never searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 20)
