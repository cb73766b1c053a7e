"""Draws the plots of tests/bench/README.md as small SVG files. Needs matplotlib (dependency group `bench`).

The same figures give the same bytes: there is no date, and identifiers are hashed with a fixed salt.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.aims import OURS
from tests.bench.cost import StepCost
from tests.bench.figures import IDLE, Figures, keeps_up, shares
from tests.bench.life import STEPS
from tests.bench.page import label
from tests.bench.usage import PARTS

COLORS = {
    "deployed": "#0b5394",
    "one-worker": "#6fa8dc",
    "single": "#3d85c6",
    "bare-packed": "#777777",
    "bare-unpacked": "#aaaaaa",
    "faststream": "#cc4125",
    "celery": "#6aa84f",
    "dramatiq": "#8e5cb5",
}
PART_COLORS = dict(zip(PARTS, ("#0b5394", "#6fa8dc", "#e69138", "#cc4125"), strict=True))
GROUPS = {
    "decode": "#f1c232",
    "statements": "#e69138",
    "commit": "#b45f06",
    "python": "#0b5394",
    "acknowledge": "#aaaaaa",
    "relay: statements": "#6fa8dc",
    "relay: publish": "#cc4125",
}
"""The stages of a batch in groups."""
BAR = 0.8


def available() -> bool:
    """Whether matplotlib can be imported."""
    return find_spec("matplotlib") is not None


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw all plots that the results have figures for."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "tests.bench",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "figure.facecolor": "white",
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    figures, drawn = Figures(results), []
    plots = {"latency": _latency, "cpu": _cpu, "stages": _stages, "rates": _rates}
    for name, plot in plots.items():
        if (figure := plot(figures)) is not None:
            drawn.append(folder / f"{name}.svg")
            figure.savefig(drawn[-1], metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return drawn


def _subplots(rows: int, columns: int, width: float, height: float, **options: Any) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def _latency(figures: Figures) -> Any:
    """p50 and p99 by rate, with logarithmic axes."""
    if not figures.contenders():
        return None
    figure, axes = _subplots(1, 2, 9, 3.6, sharey=True)
    rates = figures.steady_rates()
    for axis, name in zip(axes, ("p50_ms", "p99_ms"), strict=True):
        for contender in figures.contenders():
            runs = [one for rate in rates if (one := figures.latency(contender, rate)) and keeps_up(one)]
            style = {"marker": "o", "markersize": 4, "linewidth": 2 if contender == OURS else 1.2}
            waits = [getattr(one, name) for one in runs]
            axis.plot([one.rate for one in runs], waits, label=label(contender), color=COLORS.get(contender), **style)
        if idle := figures.latency(OURS, IDLE):
            axis.axhline(idle.raw_ms, color="#999999", linestyle=":", linewidth=1)
            axis.text(rates[0], idle.raw_ms * 1.05, "a raw round trip", color="#777777", fontsize=8)
        axis.set(xscale="log", yscale="log", xlabel="orders/s", title=f"{name[:3]}, ms")
        axis.set_xticks(rates, [f"{rate:.0f}" for rate in rates], rotation=45)
        axis.minorticks_off()
        axis.set_yticks([1, 3, 10, 30, 100, 300, 1000, 3000], ["1", "3", "10", "30", "100", "300", "1,000", "3,000"])
        axis.grid(axis="y", color="#eeeeee")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _cpu(figures: Figures) -> Any:
    """CPU per order by rate, one bar for each contender, stacked by part."""
    names, rates = figures.contenders(), figures.steady_rates()
    if not names:
        return None
    figure, axis = _subplots(1, 1, 9, 3.6)
    width = BAR / len(names)
    for place, rate in enumerate(rates):
        for number, contender in enumerate(names):
            one, base = figures.latency(contender, rate), 0.0
            if one is None or not keeps_up(one):
                continue
            at = place + (number - (len(names) - 1) / 2) * width
            for part in PARTS:
                axis.bar(at, one.cpu_ms[part], 0.9 * width, base, color=PART_COLORS[part])
                base += one.cpu_ms[part]
            up = {"textcoords": "offset points", "rotation": 90, "ha": "center", "va": "bottom", "fontsize": 7}
            axis.annotate(label(contender), (at, base), (0, 3), **up)
    axis.set_xticks(range(len(rates)), [f"{rate:.0f}" for rate in rates])
    axis.set(xlabel="orders/s", ylabel="CPU ms per order", xlim=(-0.6, len(rates) - 0.4))
    axis.margins(y=0.3)
    _legend(axis, PART_COLORS)
    return figure


def _legend(axis: Any, colors: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=name) for name, color in colors.items()]
    axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)


def _stages(figures: Figures) -> Any:
    """Microseconds per order of each step, stacked by group of stages, for each size of batch."""
    sizes = figures.batches()
    if not sizes:
        return None
    figure, axes = _subplots(len(sizes), 1, 9, 1 + 1.7 * len(sizes), squeeze=False)
    for axis, size in zip(axes[:, 0], sizes, strict=True):
        for place, step in enumerate(STEPS):
            if one := figures.cost(step, size):
                _stack(axis, place, one)
        axis.set_yticks(range(len(STEPS)), STEPS)
        axis.invert_yaxis()
        axis.margins(x=0.35)
        axis.set_title("µs per order, one at a time" if size == 1 else f"µs per order, {size} at a time", loc="left")
    _legend(axes[0, 0], GROUPS)
    return figure


def _stack(axis: Any, place: int, one: StepCost) -> None:
    base = 0.0
    micros_of = shares(one)
    for name, color in GROUPS.items():
        micros = micros_of.get(name, 0.0)
        axis.barh(place, micros, BAR, base, color=color)
        base += micros
    counts = f"{base:,.0f} µs; {one.statements:.0f} + {one.relay_statements:.0f} statements"
    axis.annotate(counts, (base, place), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _rates(figures: Figures) -> Any:
    """Orders per second at full load: the median as a bar, each round as a dot."""
    names: Sequence[str] = sorted(figures.raced(), key=lambda name: -(figures.peak(name) or 0))
    if not names:
        return None
    figure, axis = _subplots(1, 1, 9, 0.8 + 0.32 * len(names))
    for place, name in enumerate(names):
        rate, runs = figures.peak(name) or 0.0, figures.peaks(name)
        axis.barh(place, rate, BAR, color=COLORS.get(name))
        axis.plot(runs, [place] * len(runs), "o", color="black", markersize=3)
        axis.annotate(f"{rate:.0f}", (max(rate, *runs), place), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(names)), [label(name) for name in names])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel="orders/s, from order.create to awaiting payment and announced")
    return figure
