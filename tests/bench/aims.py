"""The aims of the fixed cost of a batch and of growth: what is wanted, what was measured, and whether it is met."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.bench.figures import IDLE, Figures, keeps_up
from tests.bench.latency import RateLatency
from tests.bench.life import STEPS
from tests.bench.whole_life import WHOLE

OURS = "deployed"
FLAT = 1.05
"""What grows less than this from the middle of a run to its end is flat."""


@dataclass(frozen=True)
class Aim:
    """`met` is None where the sitting did not measure it."""

    wanted: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """The last cell of its row."""
        return "not measured" if self.met is None else "met" if self.met else "**not met**"


def aims(figures: Figures, before: Figures | None) -> list[Aim]:
    """All aims, judged by the medians of the sitting."""
    rows: list[Aim] = []
    for judge in (
        _cpu,
        _idle,
        _fifty,
        _hundred,
        _half,
        _one_process,
        _deployed,
        _peers,
        _life,
        _statements,
        _growth,
        _memory,
    ):
        rows += judge(figures)
    return rows if before is None else [*rows[:2], _third(figures, before), *rows[2:]]


def _missing(wanted: str) -> list[Aim]:
    return [Aim(wanted, "", None)]


def _at(figures: Figures, rate: float | None, wanted: Sequence[str]) -> RateLatency | list[Aim]:
    """What was measured of ours at a rate; else these aims, as missed if we fell behind at it or at a lower one."""
    found = figures.latency(OURS, rate) if rate is not None else None
    if found and keeps_up(found):
        return found
    tried = figures.latency(OURS, IDLE) and rate in {figures.half, *figures.results["about"]["plan"]["at"]}
    return [Aim(one, "we fell behind", False) if tried else Aim(one, "", None) for one in wanted]


def total(one: RateLatency) -> float:
    """CPU milliseconds per order of all parts."""
    return sum(one.cpu_ms.values())


def _both(figures: Figures, rate: float) -> tuple[RateLatency, RateLatency] | None:
    ours, peer = figures.latency(OURS, rate), figures.latency("faststream", rate)
    return (ours, peer) if ours and peer else None


def _cpu(figures: Figures) -> list[Aim]:
    wanted = "10 orders/s: CPU per order at most half of FastStream's"
    if not (both := _both(figures, 10)):
        return _missing(wanted)
    ours, peer = map(total, both)
    return [Aim(wanted, f"{ours / peer:.2f} of it ({ours:.1f} and {peer:.1f} ms)", ours <= peer / 2)]


def _idle(figures: Figures) -> list[Aim]:
    wanted = "one by one: p50 at most 3 raw round trips (publish, commit, publish)"
    if not (idle := figures.latency(OURS, IDLE)) or not idle.raw_ms:
        return _missing(wanted)
    trips = idle.p50_ms / idle.raw_ms
    return [Aim(wanted, f"{trips:.1f} ({idle.p50_ms:.1f} ms; a round trip takes {idle.raw_ms:.1f} ms)", trips <= 3)]


def _third(figures: Figures, before: Figures) -> Aim:
    wanted = "one by one: p50 under a third of that before"
    now, then = figures.latency(OURS, IDLE), before.latency(OURS, IDLE)
    if not now or not then:
        return Aim(wanted, "", None)
    ratio = now.p50_ms / then.p50_ms
    return Aim(wanted, f"{ratio:.2f} ({now.p50_ms:.1f} and {then.p50_ms:.1f} ms)", ratio < 1 / 3)


def _fifty(figures: Figures) -> list[Aim]:
    wanted = "50 orders/s: p50 and p99 below FastStream's"
    if not (both := _both(figures, 50)):
        return _missing(wanted)
    ours, peer = both
    shown = f"{ours.p50_ms:.1f} and {ours.p99_ms:.1f} ms; FastStream {peer.p50_ms:.1f} and {peer.p99_ms:.1f} ms"
    return [Aim(wanted, shown, ours.p50_ms < peer.p50_ms and ours.p99_ms < peer.p99_ms)]


def _hundred(figures: Figures) -> list[Aim]:
    slow, busy = "100 orders/s: p50 at most twice that of one by one", "100 orders/s: the machine at least 40 % idle"
    ours, idle = _at(figures, 100, (slow, busy)), figures.latency(OURS, IDLE)
    if isinstance(ours, list) or not idle:
        return ours if isinstance(ours, list) else [*_missing(slow), *_missing(busy)]
    ratio = ours.p50_ms / idle.p50_ms
    return [
        Aim(slow, f"{ratio:.1f} times ({ours.p50_ms:.1f} and {idle.p50_ms:.1f} ms)", ratio <= 2),
        Aim(busy, f"{ours.idle_percent:.0f} %, with the clients on it", ours.idle_percent >= 40),
    ]


def _half(figures: Figures) -> list[Aim]:
    wanted = "half of the peak: p99 at most 5 times the p50 of one by one"
    ours, idle = _at(figures, figures.half, (wanted,)), figures.latency(OURS, IDLE)
    if isinstance(ours, list) or not idle:
        return ours if isinstance(ours, list) else _missing(wanted)
    ratio = ours.p99_ms / idle.p50_ms
    return [Aim(wanted, f"{ratio:.1f} times ({ours.p99_ms:.1f} ms at {ours.rate:.0f} orders/s)", ratio <= 5)]


def _peak(figures: Figures, wanted: str, ours: str, other: str, least: float) -> list[Aim]:
    mine, theirs = figures.peak(ours), figures.peak(other)
    if not mine or not theirs:
        return _missing(wanted)
    ratio = mine / theirs
    return [Aim(wanted, f"{ratio:.2f} ({mine:.0f} and {theirs:.0f} orders/s)", ratio >= least)]


def _one_process(figures: Figures) -> list[Aim]:
    wanted = "peak, one process: at least the rate of the three-hop packed bare loop"
    return _peak(figures, wanted, "single", "bare-packed", 1)


def _deployed(figures: Figures) -> list[Aim]:
    return _peak(figures, "peak, as deployed: at least that rate too", OURS, "bare-packed", 1)


def _peers(figures: Figures) -> list[Aim]:
    return _peak(figures, "peak: 10 times FastStream", OURS, "faststream", 10)


def _life(figures: Figures) -> list[Aim]:
    wanted = "whole life (create, pay, book, ship, deliver, complete) measured"
    if not (life := figures.life(OURS)):
        return _missing(wanted)
    return [Aim(wanted, f"{life.rates[WHOLE]:.0f} whole lives/s", True)]


def _statements(figures: Figures) -> list[Aim]:
    wanted = "the statements of a batch do not grow with the number of its messages"
    found = []
    for small, large in pairwise(figures.batches()):
        pairs = [(figures.cost(step, small), figures.cost(step, large)) for step in STEPS]
        each = [
            (one.statements / one.transactions, many.statements / many.transactions)
            for one, many in pairs
            if one and many
        ]
        sums = f"{sum(one for one, _ in each):.1f} for batches of {small}, {sum(n for _, n in each):.1f} for {large}"
        found.append(Aim(wanted, f"{sums}, over all steps", all(many <= one + 1 for one, many in each)))
    return found or _missing(wanted)


def _growth(figures: Figures) -> list[Aim]:
    wanted = "beside years of orders: rates and latencies within 0.8 of those in an empty database"
    grown = figures.results.get("growth", {})
    if "rates" not in grown:
        return _missing(wanted)
    ratios = grown["rates"]["ratios"]
    shown = ", ".join(f"{name.replace('_', ' ')} {ratio:.2f}" for name, ratio in ratios.items())
    return [Aim(wanted, f"{shown} beside {grown['orders']:,} orders", all(ratio >= 0.8 for ratio in ratios.values()))]


def _memory(figures: Figures) -> list[Aim]:
    samples = figures.results.get("memory")
    wanted = "memory of worker and relay flat over one million messages"
    if not samples:
        return _missing(wanted)
    half, end = samples[len(samples) // 2], samples[-1]
    grown = [end[name] / half[name] for name in ("worker_mib", "relay_mib")]
    shown = (
        f"{end['worker_mib']:.0f} and {end['relay_mib']:.0f} MiB, {' and '.join(f'{one:.2f}' for one in grown)} times"
    )
    return [Aim(wanted, f"{shown} those in the middle, after {end['messages']:,}", max(grown) <= FLAT)]
