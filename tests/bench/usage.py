"""CPU seconds of a contender's workers and relays, of PostgreSQL and of the broker, and how idle the machine was."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.stage import Stage

PARTS = ("workers", "relays", "PostgreSQL", "RabbitMQ")
_HZ = os.sysconf("SC_CLK_TCK")
_SERVERS = {"postgres": "PostgreSQL", "beam": "RabbitMQ"}


@dataclass(frozen=True)
class Usage:
    """Seconds so far: of each part, and of all cores of the machine together, idle and in total."""

    seconds: Mapping[str, float]
    idle: float
    total: float

    def since(self, before: "Usage", orders: int) -> tuple[dict[str, float], float]:
        """CPU milliseconds per order of each part since then, and how idle the machine was, in percent."""
        each = {part: 1000 * (self.seconds[part] - before.seconds[part]) / orders for part in PARTS}
        return each, 100 * (self.idle - before.idle) / max(0.01, self.total - before.total)


def used(stage: Stage) -> Usage:
    """The CPU time so far, from /proc. The servers are children of this process; ended children are included."""
    found = dict.fromkeys(PARTS, 0.0)
    own = {child.pid: "relays" if role == "relay" else "workers" for child, role in stage.roles()}
    for pid, part in own.items():
        found[part] += sum(_seconds(process) for process in _family(pid))
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            name = process.name()
        except psutil.NoSuchProcess:
            continue
        for word, part in _SERVERS.items():
            if name.startswith(word):
                found[part] += _seconds(process)
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return Usage(found, (ticks[3] + ticks[4]) / _HZ, sum(ticks) / _HZ)


def _family(pid: int) -> list[psutil.Process]:
    try:
        one = psutil.Process(pid)
        return [one, *one.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    ended = times.children_user + times.children_system if process.name().startswith("postgres") else 0.0
    return float(times.user + times.system + ended)
