"""Shows where a process spends its time: py-spy samples it from outside, and the stacks are summed by function."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.bench.stage import Stage

PROGRAM = Path(sys.executable).parent / "py-spy"
RATE_HZ = 150  # each sample stops the process for a moment; without stopping, long native calls are seen too often


class Profiler:
    """Samples each process of a contender for some seconds."""

    def __init__(self, seconds: float, folder: Path | None = None, top: int = 30) -> None:
        """Keep the stacks in `folder` if one is given, one per line, in the format of flame graph tools."""
        self._seconds = seconds
        self._top = top
        self._spies: list[tuple[str, Path, subprocess.Popen[bytes]]] = []
        self._own_folder = tempfile.TemporaryDirectory(prefix="oms-bench-")
        self._folder = folder or Path(self._own_folder.name)
        self.reports: list[str] = []

    def attach(self, stage: Stage) -> None:
        """Begin to sample every process."""
        for process in stage.processes():
            path = self._folder / f"{process.pid}.stacks"
            command = [str(PROGRAM), "record", "-p", str(process.pid), "-f", "raw", "-o", str(path)]
            command += ["-d", str(int(self._seconds)), "-r", str(RATE_HZ)]
            spy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._spies.append((" ".join(process.cmdline()[1:5]), path, spy))

    def detach(self) -> None:
        """Wait until the sampling ends, and add a report for each process."""
        for name, path, spy in self._spies:
            spy.wait()
            if path.exists():
                self.reports.append(f"{name}\n{_summed(path.read_text().splitlines(), self._top)}")
        self._spies.clear()
        self._own_folder.cleanup()


def _summed(stacks: Sequence[str], top: int) -> str:
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    samples = sum(own.values()) or 1
    lines = [f"  {samples} samples; own time, then time with callees"]
    for title, counter in (("own", own), ("with callees", total)):
        lines.append(f"  -- {title}")
        lines += [f"  {100 * n / samples:5.1f} %  {frame}" for frame, n in counter.most_common(top)]
    return "\n".join(lines)


def _short(frame: str) -> str:
    """`name (path/file.py:12)` without the line."""
    return frame.rpartition(":")[0] + ")" if ":" in frame else frame
