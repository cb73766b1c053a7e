"""Writes tests/bench/README.md from the figures of a sitting. It measures nothing."""

import statistics
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.bench.aims import OURS, aims, total
from tests.bench.cost import StepCost
from tests.bench.figures import IDLE, Figures, keeps_up, shares
from tests.bench.latency import RateLatency
from tests.bench.life import STEPS
from tests.bench.page_text import DOUBTS, HEAD, HOW, RUNNING
from tests.bench.queries import QueryRun, medians
from tests.bench.usage import PARTS
from tests.bench.whole_life import WHOLE

LABELS = {
    "deployed": "ours, 2 workers",
    "one-worker": "ours, 1 worker",
    "single": "ours, one process",
    "bare-packed": "bare loop, packed",
    "bare-unpacked": "bare loop, a message per order",
    "faststream": "FastStream",
    "celery": "Celery",
    "dramatiq": "Dramatiq",
}
PEERS = ("faststream", "celery", "dramatiq")
NOTHING = "-"
STAGES_SHOWN = 0.01
"""A stage that takes less than this part of a step's time has no row of its own."""
SATURATED = "saturated"
Rows = Sequence[Sequence[str]]


def label(contender: str) -> str:
    """The name of a contender in tables and plots."""
    return LABELS.get(contender, contender)


def render(results: Mapping[str, Any]) -> str:
    """The whole page. `before` in the results are those of an older commit."""
    figures, earlier = Figures(results), Figures(results["before"]) if "before" in results else None
    parts = [
        HEAD,
        _sitting(results["about"]),
        "## The aims\n\nJudged by the medians of this sitting.\n",
        _table(("aim", "measured", ""), [(one.wanted, one.measured, one.verdict) for one in aims(figures, earlier)]),
        _beside(figures),
        _held(figures, results.get("remarks", "")),
        _latency(figures, earlier),
        _workers(figures),
        _rates(figures, earlier),
        _lives(figures, earlier),
        _cost(figures, earlier),
        queries_section(results.get("queries")),
        _growth(results),
        HOW,
        _tuning(figures),
        DOUBTS,
        _failures(results),
        RUNNING,
    ]
    text = "\n".join(part.strip("\n") + "\n" for part in parts if part.strip())
    return "\n".join(_filled(line) for line in text.split("\n"))


def _filled(line: str) -> str:
    """A paragraph in lines of at most 120 characters. Tables, lists and examples stay as they are."""
    return textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False) if line[:1].isalpha() else line


def _table(head: Sequence[str], rows: Rows, right: bool = False) -> str:
    """A table in Markdown; `right` aligns all columns but the first to the right."""
    line = "|" + "|".join(["---"] + ["---:" if right else "---"] * (len(head) - 1)) + "|"
    return "\n".join([_row(head), line, *(_row(row) for row in rows)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sitting(about: Mapping[str, Any]) -> str:
    plan = about["plan"]
    rounds = "1 round" if plan["rounds"] == 1 else f"{plan['rounds']} rounds"
    text = (
        f"Measured on {about['date']} at commit {about['commit']}: {about['cores']} cores ({about['processor']}),"
        f" {about['memory_gib']} GB of memory, {about['system']}, Python {about['python']}; {rounds}, of which"
        f" each table shows the medians, in {about.get('minutes', 0):.0f} minutes. The load of the machine"
        f" was {about['load_before']} before. {about.get('note', '')}"
    )
    return text.strip()


def _held(figures: Figures, remarks: str) -> str:
    """What takes the time and the CPU of an order; `remarks` are the author's, about the aims that are missed."""
    text = []
    for size in figures.batches():
        if one := figures.cost("create", size):
            micros = shares(one)
            whole = sum(micros.values())
            groups = ", ".join(f"{name} {100 * part / whole:.0f} %" for name, part in micros.items())
            text.append(f"Creation takes {whole:,.0f} µs per order in batches of {size}: {groups}.\n")
    rows = []
    for rate in figures.steady_rates():
        for name in (OURS, "faststream"):
            if (it := figures.latency(name, rate)) and keeps_up(it):
                parts = [f"{it.cpu_ms[part]:.1f}" for part in PARTS]
                rows.append([_rate(rate, figures), label(name), *parts, f"{total(it):.1f}"])
    if rows:
        text.append(_table(("orders/s", "CPU ms per order", *PARTS, "all"), rows, right=True))
    if not text and not remarks:
        return ""
    return "\n".join(["## Where the time goes\n", *([remarks.strip() + "\n"] if remarks else []), *text])


def _beside(figures: Figures) -> str:
    """How our CPU and latencies compare with each peer's, as ratios."""
    peers = [name for name in PEERS if any(figures.latency(name, rate) for rate in figures.steady_rates())]
    rows = []
    for rate in [IDLE, *figures.steady_rates()]:
        ours = figures.latency(OURS, rate)
        if ours and peers:
            rows.append([_rate(rate, figures), *(_ratios(ours, figures.latency(name, rate)) for name in peers)])
    peaks = [_quotient(figures.peak(OURS), figures.peak(name)) for name in peers]
    if peers and figures.peak(OURS):
        rows.append(["peak: orders/s, ours over theirs", *peaks])
    if not rows:
        return ""
    text = (
        "## Beside the others\n\nOur CPU per order / p50 / p99, each divided by that of the other in the same sitting:"
        f" below 1 is better. A peer that could not keep up is {SATURATED}, and is not measured at higher rates.\n\n"
    )
    return text + _table(("orders/s", *map(label, peers)), rows, right=True)


def _ratios(ours: RateLatency, peer: RateLatency | None) -> str:
    if peer is None or not keeps_up(peer):
        return SATURATED
    pairs = [(total(ours), total(peer)), (ours.p50_ms, peer.p50_ms), (ours.p99_ms, peer.p99_ms)]
    return " / ".join(_quotient(one, other) for one, other in pairs)


def _quotient(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one and other else NOTHING


def _rate(rate: float, figures: Figures) -> str:
    if rate == IDLE:
        return "one by one"
    return f"{rate:.0f} (half of the peak)" if rate == figures.half else f"{rate:.0f}"


def _latency(figures: Figures, before: Figures | None) -> str:
    names = figures.contenders()
    if not names:
        return ""
    rates = [IDLE, *figures.steady_rates()]
    if figures.latency("bare-packed", IDLE):
        names.append("bare-packed")
    columns: list[tuple[str, Figures, str]] = [(label(name), figures, name) for name in names]
    if before and before.latency(OURS, IDLE):
        columns.insert(0, ("ours before", before, OURS))
    head = ("orders/s", *(title for title, _, _ in columns))

    def table(cell: Callable[[RateLatency], str]) -> str:
        rows = [
            [_rate(rate, figures), *(_cell(of.latency(name, rate), cell) for _, of, name in columns)] for rate in rates
        ]
        return _table(head, rows, right=True)

    raw = figures.latency(OURS, IDLE)
    trip = f" A raw round trip (publish, commit, publish) took {raw.raw_ms:.1f} ms." if raw and raw.raw_ms else ""
    return "\n".join(
        [
            "## Latency and CPU at steady rates\n",
            "![p50 and p99 by rate](plots/latency.svg)\n",
            f"Milliseconds from the due time of `order.create` until `order.created` is received, p50 / p99.{trip}\n",
            table(lambda one: f"{one.p50_ms:.1f} / {one.p99_ms:.1f}"),
            "![CPU per order by rate](plots/cpu.svg)\n",
            f"CPU milliseconds per order, of {', '.join(PARTS)} together. The clients' CPU is not in it.\n",
            table(lambda one: f"{total(one):.1f}"),
            "How idle the machine was, in percent, with the clients on it:\n",
            table(lambda one: f"{one.idle_percent:.0f}"),
        ]
    )


def _cell(one: RateLatency | None, show: Callable[[RateLatency], str]) -> str:
    if one is None:
        return NOTHING
    return show(one) if keeps_up(one) else SATURATED


def _workers(figures: Figures) -> str:
    rows = []
    for rate in [IDLE, *figures.steady_rates()]:
        one, two = figures.latency("one-worker", rate), figures.latency(OURS, rate)
        if one and two:
            waits = [_cell(run, lambda it: f"{it.p50_ms:.1f} / {it.p99_ms:.1f}") for run in (one, two)]
            cpu = [f"{total(run):.1f}" for run in (one, two)]
            rows.append([_rate(rate, figures), *waits, *cpu, _quotient(total(two), total(one))])
    if (one_peak := figures.peak("one-worker")) and (peak := figures.peak(OURS)):
        cpu = [f"{sum(figures.peak_cpu(name).values()):.1f}" for name in ("one-worker", OURS)]
        rows.append(["peak", f"{one_peak:.0f} orders/s", f"{peak:.0f} orders/s", *cpu, ""])
    if not rows:
        return ""
    head = ("orders/s", "1: p50 / p99, ms", "2: p50 / p99, ms", "1: CPU, ms", "2: CPU, ms", "CPU of 2 over 1")
    text = "## One worker process and two\n\nBoth beside two relays. Two on one queue divide what waits in it.\n\n"
    return text + _table(head, rows, right=True)


def _rates(figures: Figures, before: Figures | None) -> str:
    names = figures.raced()
    if not names:
        return ""
    reference, peer = figures.peak("bare-packed"), figures.peak("faststream")
    earlier = before if before and any(before.peak(name) for name in names) else None
    rows = []
    for name in names:
        runs, rate = figures.peaks(name), figures.peak(name)
        row = [label(name), f"{rate:.0f}", " ".join(f"{run:.0f}" for run in runs)]
        row += [_quotient(rate, reference), _quotient(rate, peer)]
        row += [" + ".join(f"{ms:.2f}" for ms in figures.peak_cpu(name).values())]
        then = earlier.peak(name) if earlier else None
        rows.append([*row, f"{then:.0f}" if then else NOTHING] if earlier else row)
    head = ["contender", "orders/s", "rounds", "of bare, packed", "of FastStream", f"CPU ms: {' + '.join(PARTS)}"]
    text = (
        "## Rates at full load\n\n![orders per second](plots/rates.svg)\n\nAll orders wait in the queue before the"
        " contender starts. From the first batch until each order awaits payment and is announced.\n\n"
    )
    return text + _table([*head, *(["before"] if earlier else [])], rows, right=True)


def _lives(figures: Figures, before: Figures | None) -> str:
    rows = []
    sources = [("", figures), *([(" before", before)] if before else [])]
    for word, source in sources:
        for name in dict.fromkeys(run.contender for run in source.life_runs):
            life = source.life(name)
            assert life is not None
            speeds = [f"{life.rates[step]:.0f}" for step in (WHOLE, *STEPS)]
            rows.append([label(name) + word, *speeds, f"{sum(life.cpu_ms.values()):.1f}"])
    if not rows:
        return ""
    text = (
        "## Whole lives\n\nOrders per second of complete lives, and through each step: all orders take a step, a"
        " thousand at a time, before any takes the next. CPU is that of a whole life.\n\n"
    )
    return text + _table(("contender", WHOLE, *STEPS, "CPU, ms"), rows, right=True)


def _cost(figures: Figures, before: Figures | None) -> str:
    sizes = figures.batches()
    if not sizes:
        return ""
    text = [
        "## What a step costs\n",
        "![microseconds per order and stage](plots/stages.svg)\n",
        "One batch of each step: its statements are its round trips to PostgreSQL. Microseconds are as their caller"
        " waits; python in between is measured too.\n",
    ]
    earlier = before if before and before.batches() else None
    for size in sizes:
        found = [one for step in STEPS if (one := figures.cost(step, size))]
        rows = [[one.step, *_counts([one]), *_before([one], earlier)] for one in found]
        rows.append([WHOLE, *_counts(found), *_before(found, earlier)])
        head = ["step", "wait, ms", "transactions", "statements", "of the relay", "outbox rows", "broker messages"]
        extra = ["statements before", "µs before"] if earlier else []
        title = "One order at a time" if size == 1 else f"{size} orders at a time"
        text += [f"{title}:\n", _table([*head, "µs per order", *extra], rows, right=True)]
    text += [_stages(figures, sizes)]
    return "\n".join(text)


def _counts(found: Sequence[StepCost]) -> list[str]:
    names = ("wait_ms", "transactions", "statements", "relay_statements", "outbox_rows", "broker_messages")
    return [*(f"{sum(getattr(one, name) for one in found):.1f}" for name in names), f"{_micros(found):,.0f}"]


def _micros(found: Sequence[StepCost]) -> float:
    return sum(sum(one.stages.values()) / one.batch for one in found)


def _before(found: Sequence[StepCost], before: Figures | None) -> list[str]:
    if before is None:
        return []
    then = [one for it in found if (one := before.cost(it.step, it.batch))]
    if len(then) < len(found):
        return [NOTHING, NOTHING]
    return [f"{sum(one.statements for one in then):.1f}", f"{_micros(then):,.0f}"]


def _stages(figures: Figures, sizes: Sequence[int]) -> str:
    """Where the time of creation goes, stage by stage, in batches of each size."""
    found = [one for size in sizes if (one := figures.cost("create", size))]
    names = list(dict.fromkeys(name for one in found for name in one.stages))
    rows = []
    for name in names:
        if not any(one.stages.get(name, 0) > STAGES_SHOWN * sum(one.stages.values()) for one in found):
            continue
        cells = []
        for one in found:
            inside = one.inside.get(name.removeprefix("relay: "))
            waited = one.stages.get(name)
            cells += [f"{waited / one.batch:,.0f}" if waited is not None else NOTHING]
            cells += [f"{inside / one.batch:,.0f}" if inside is not None else NOTHING]
        rows.append([f"`{name}`" if "." in name and " " not in name else name, *cells])
    head = ["stage of create"]
    for one in found:
        head += [f"batch of {one.batch}: µs per order", "of these inside PostgreSQL"]
    least = f"Stages that take less than {100 * STAGES_SHOWN:.0f} % have no row.\n\n"
    return least + _table(head, rows, right=True)


def queries_section(found: Mapping[str, Any] | None) -> str:
    """Queries alone and beside new orders, if they were measured."""
    if not found:
        return ""
    plan = found["plan"]
    middle = medians([QueryRun(**run) for run in found["runs"]])
    rate, rows = plan["writes_per_second"], []
    for kind in dict.fromkeys(kind for kind, _ in middle):
        alone, beside = middle[kind, False], middle[kind, True]
        both = [(one.questions_per_second, one.p50_ms, one.p99_ms) for one in (alone, beside)]
        shown = [cell for per_second, p50, p99 in both for cell in (f"{per_second:.0f}", f"{p50:.1f} / {p99:.1f}")]
        orders = f"{beside.order_p50_ms:.1f} / {beside.order_p99_ms:.1f}"
        ratios = [_quotient(after, before) for before, after in zip(*both, strict=True)]
        rows.append([f"`{kind}`", *shown, *ratios, orders])
    head = ["query", "queries/s", "p50 / p99, ms", f"beside {rate:.0f} orders/s", "p50 / p99, ms"]
    text = (
        f"## Queries beside new orders\n\nMeasured apart, on {found['date']} at commit {found['commit']}, when the"
        f" load of the machine was {found['load_before']} before: {plan['clients']} clients put one query after the"
        f" other to two workers, as buyers, through the broker, about any of a thousand orders and the newer ones, for"
        f" {plan['seconds']:.0f} s each; medians of {plan['rounds']} rounds. Beside it {rate:.0f} whole orders per"
        " second are created by the same workers, as they come due. Ratios are those beside new orders to those alone:"
        " of queries/s more is better, of p50 and p99 less. The clients put as many queries as they get answers, so"
        " workers are never idle, and the new orders wait for them, too. Answers come from memory where workers have"
        " them.\n\n"
    )
    if note := found.get("note"):
        text = f"{text.rstrip()} {note}\n\n"
    return text + _table([*head, "ratio of queries/s", "of p50", "of p99", "new orders: p50 / p99, ms"], rows, True)


def _growth(results: Mapping[str, Any]) -> str:
    """What `growth` and `memory` found, if their files are among the results."""
    text = []
    if grown := results.get("growth"):
        text += [f"## Beside {grown['orders']:,} orders\n"]
        if "rates" in grown:
            text += [
                "New orders in turn in an empty database and beside the history. A ratio of 1 is as good as in the"
                " empty one, and more is better.\n",
                _grown_rates(grown["rates"]),
            ]
        if backlog := grown.get("with_backlog"):
            text += [_backlog(backlog)]
        text += ["Bytes per order of each table with its TOAST and indexes:\n", _bytes(grown["bytes_per_order"])]
    if samples := results.get("memory"):
        text += ["## Memory\n", _memory(samples)]
    return "\n".join(text)


def _grown_rates(found: Mapping[str, Any]) -> str:
    runs, ratios = found["orders_per_second"], found["ratios"]
    rows = [
        ["orders/s", *(f"{statistics.median(values):.0f}" for values in runs.values()), f"{ratios['rate']:.2f}"],
        *(
            [title, *(f"{ms:.1f}" for ms in found[f"{name}_ms"].values()), f"{ratios[name]:.2f}"]
            for name, title in (("idle_p50", "one by one: p50, ms"), ("steady_p50", "at a steady rate: p50, ms"))
        ),
    ]
    return _table(("", *runs, "ratio"), rows, right=True)


def _backlog(found: Mapping[str, Any]) -> str:
    before, after = found["read_ms"]
    return (
        f"With {found['rows']:,} rows in the outbox a relay's read takes {after:.1f} ms ({before:.1f} before), and"
        f" relays drain {found['drained_per_second']:,.0f} rows/s while workers create"
        f" {found['created_per_second']:.0f} orders/s.\n"
    )


def _bytes(found: Sequence[Mapping[str, Any]]) -> str:
    whole = [one for one in found if not one["index"]]
    rows = [[f"`{one['table']}`", f"{one['rows']:,}", f"{one['per_order']:,.0f}"] for one in whole]
    rows.append(["all", "", f"{sum(one['per_order'] for one in whole):,.0f}"])
    return _table(("table", "rows", "bytes per order"), rows, right=True)


def _memory(samples: Sequence[Mapping[str, Any]]) -> str:
    places = {"the start": 0, "a tenth": len(samples) // 10, "the middle": len(samples) // 2, "the end": -1}
    rows = [
        [place, f"{one['messages']:,}", f"{one['worker_mib']:.0f}", f"{one['relay_mib']:.0f}"]
        for place, one in ((name, samples[at]) for name, at in places.items())
    ]
    return _table(("at", "messages", "worker, MiB", "relay, MiB"), rows, right=True)


def _tuning(figures: Figures) -> str:
    settings = {run["contender"]: run["about"] for run in figures.rate_runs}
    return _table(("contender", "what runs"), [(label(name), about) for name, about in settings.items()])


def _failures(results: Mapping[str, Any]) -> str:
    return "\n".join(f"- {text}" for text in dict.fromkeys(results.get("failed", [])))
