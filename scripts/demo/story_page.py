"""Pages of 80 columns and 24 lines, written line by line at the reader's pace."""

import asyncio
import os
import sys
import termios
import textwrap
import tty
from collections.abc import Iterator
from contextlib import contextmanager

COLUMNS, LINES = 80, 24
LABEL = 10
FOOTER = "space: wait / go on   enter: next   q: end"
BOLD, DIM, PLAIN, CLEAR, ERASE = "\033[1m", "\033[2m", "\033[0m", "\033[H\033[2J", "\r\033[K"


class Pages:
    """Writes on standard output. On a terminal keys set the pace; elsewhere everything is written as it comes."""

    def __init__(self, pace_seconds: float) -> None:
        self.ended = asyncio.Event()
        self._pace_seconds = pace_seconds
        self._terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._going, self._next = asyncio.Event(), asyncio.Event()
        self._going.set()
        self._lines, self._title = 0, ""

    @contextmanager
    def keys(self) -> Iterator[None]:
        """Read single keys while the block runs, and leave the terminal as it was."""
        if not self._terminal:
            yield
            return
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
        loop = asyncio.get_running_loop()
        tty.setcbreak(number)
        loop.add_reader(number, lambda: self._key(os.read(number, 1)))
        try:
            yield
        finally:
            loop.remove_reader(number)
            termios.tcsetattr(number, termios.TCSADRAIN, before)

    def _key(self, key: bytes) -> None:
        match key:
            case b" " if self._going.is_set():
                self._going.clear()
            case b" " | b"\n" | b"\r":
                self._going.set()
                self._next.set()
            case b"q":
                self.end()

    def end(self) -> None:
        """End the story after the line that is being written."""
        self.ended.set()
        self._going.set()
        self._next.set()

    def page(self, title: str) -> None:
        """Begin a page."""
        self._title, self._lines = title, 2
        rule = "─" * (COLUMNS - 1)
        print(f"{CLEAR if self._terminal else ''}{self._bold(title[: COLUMNS - 1])}\n{rule}", flush=True)

    async def line(self, label: str, text: str, lines_max: int = 4) -> None:
        """Write one paragraph with its label, then give the reader time. What does not fit is cut off with dots."""
        wrapped = textwrap.wrap(text, COLUMNS - LABEL - 2, break_on_hyphens=False) or [""]
        if len(wrapped) > lines_max:
            wrapped = [*wrapped[: lines_max - 1], f"{wrapped[lines_max - 1][: COLUMNS - LABEL - 5]}..."]
        if self._terminal and self._lines + len(wrapped) > LINES - 2:
            self.page(f"{self._title} (it goes on)")
        for number, part in enumerate(wrapped):
            print(f"{self._bold(f'{label:{LABEL}}') if not number else ' ' * LABEL} {part}")
        self._lines += len(wrapped)
        await self.wait()

    async def wait(self) -> None:
        """Wait for the pace, or for a key; longer while the reader has stopped."""
        sys.stdout.flush()
        if self.ended.is_set() or not self._terminal:
            await asyncio.sleep(0 if self.ended.is_set() else self._pace_seconds)
            return
        print(f"{DIM}{FOOTER}{PLAIN}", end="", flush=True)
        self._next.clear()
        try:
            async with asyncio.timeout(self._pace_seconds):
                await self._next.wait()
        except TimeoutError:
            await self._going.wait()
        print(ERASE, end="", flush=True)

    def _bold(self, text: str) -> str:
        return f"{BOLD}{text}{PLAIN}" if self._terminal else text
