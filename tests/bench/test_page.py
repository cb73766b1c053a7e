"""The page of the benchmarks says what the figures say; the landed one is that of the landed figures."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.bench import drawing, figures, page, sitting
from tests.bench.aims import Aim, aims
from tests.bench.contenders import contenders
from tests.bench.figures import Figures

HERE = Path(__file__).parent
Results = dict[str, Any]
PLAN = sitting.Plan(3, 30, (10, 50), 2, 100, 100, 1, 1, 2, ("cost", "rates", "life", "latency"))


@pytest.fixture
def recorded() -> Results:
    """The results of a short sitting; Dramatiq took no part, and Celery fell behind at the highest rate."""
    found: Results = orjson.loads((HERE / "recorded.json").read_bytes())
    return found


def aim(results: Results, words: str, before: Results | None = None) -> Aim:
    found = aims(Figures(results), Figures(before) if before else None)
    return next(one for one in found if words in one.wanted)


def section(results: Results, heading: str) -> str:
    return page.render(results).partition(f"## {heading}\n")[2].partition("\n## ")[0]


def every(results: Results, contender: str, rate: float, **change: float) -> Results:
    """The results with other figures of a contender at a rate."""
    for run in results["latency"]:
        if (run["contender"], run["rate"]) == (contender, rate):
            run.update(change)
    return results


def test_figures_are_medians_of_the_rounds(recorded: Results) -> None:
    run = next(one for one in recorded["rates"] if one["contender"] == "deployed")
    recorded["rates"] += [run | {"seconds": run["orders"] / rate} for rate in (10, 2000)]
    found = Figures(recorded)
    assert found.peak("deployed") == pytest.approx(run["orders"] / run["seconds"])
    assert found.peak("dramatiq") is None


FLIPS: dict[str, tuple[str, float, dict[str, float], dict[str, float]]] = {
    "at most half of FastStream's": ("faststream", 10, {"cpu_ms": 100}, {"cpu_ms": 1}),
    "3 raw round trips": ("deployed", 0, {"raw_ms": 4, "p50_ms": 12}, {"raw_ms": 4, "p50_ms": 12.1}),
    "below FastStream's": ("faststream", 50, {"p50_ms": 90, "p99_ms": 90}, {"p50_ms": 90, "p99_ms": 1}),
    "half of the peak": ("deployed", 383, {"p99_ms": 50}, {"p99_ms": 70}),
}
"""Words of an aim -> contender, rate, figures with which it is met and with which it is not."""


@pytest.mark.parametrize("words", FLIPS)
def test_an_aim_is_judged_by_the_figures(recorded: Results, words: str) -> None:
    contender, rate, good, bad = FLIPS[words]
    for change, met in ((good, True), (bad, False)):
        values: Results = dict(change)
        if "cpu_ms" in change:
            values["cpu_ms"] = {"workers": change["cpu_ms"], "relays": 0, "PostgreSQL": 0, "RabbitMQ": 0}
        assert aim(every(deepcopy(recorded), contender, rate, **values), words).met is met


def test_an_aim_without_figures_is_neither_met_nor_missed(recorded: Results) -> None:
    assert aim(recorded, "40 % idle").met is None
    assert aim(recorded, "40 % idle").verdict == "not measured"
    assert "| not measured |" in section(recorded, "The aims")


def test_an_aim_at_a_rate_at_which_we_fell_behind_is_missed(recorded: Results) -> None:
    every(recorded, "deployed", 383, answered=0.9)
    assert aim(recorded, "half of the peak").met is False
    recorded["latency"] = [run for run in recorded["latency"] if run["rate"] < 383]
    assert aim(recorded, "half of the peak").met is False
    recorded["latency"] = [run for run in recorded["latency"] if run["contender"] != "deployed"]
    assert aim(recorded, "half of the peak").met is None


@pytest.mark.parametrize(("more", "met"), [(0, True), (20, False)])
def test_statements_that_grow_with_the_batch_miss_the_aim(recorded: Results, more: int, met: bool) -> None:
    recorded["cost"][-1]["statements"] += more
    assert aim(recorded, "statements of a batch").met is met


def test_latencies_are_compared_with_those_before(recorded: Results) -> None:
    older = every(deepcopy(recorded), "deployed", 0, p50_ms=100)
    assert aim(recorded, "a third of that before", before=older).met is True
    shown = section(recorded | {"before": older}, "Latency and CPU at steady rates")
    assert "| orders/s | ours before | ours, 2 workers |" in shown
    assert "| one by one | 100.0 / " in shown
    assert "ours before" not in page.render(recorded)


def test_what_fell_behind_is_saturated_and_what_took_no_part_has_no_column(recorded: Results) -> None:
    shown = section(recorded, "Latency and CPU at steady rates")
    assert re.search(r"^\| 383 \(half of the peak\) \|.*\| saturated \|", shown, re.MULTILINE)
    assert "Dramatiq" not in shown
    every(recorded, "deployed", 383, answered=0.9)
    assert "| 383 (half of the peak) | saturated |" in section(recorded, "Latency and CPU at steady rates")


def test_the_page_says_where_the_time_goes(recorded: Results) -> None:
    shown = section(recorded | {"remarks": "The commit waits for the disk."}, "Where the time goes")
    assert shown.strip().startswith("The commit waits for the disk.")
    assert re.search(r"in batches of 1: commit 51 %, python 15 %, relay: ", shown)
    assert "| 10 | FastStream | 5.0 | 0.0 | 2.0 | 4.0 | 11.0 |" in shown


def test_a_measurement_that_failed_is_named(recorded: Results) -> None:
    assert "- latency of celery failed: 0 of 1 consumers" in page.render(recorded)


@pytest.mark.parametrize("part", ["rates", "life", "latency", "cost"])
def test_a_part_that_was_not_measured_is_left_out(recorded: Results, part: str) -> None:
    recorded[part] = []
    assert page.render(recorded).startswith("# How fast it is")


def test_files_of_several_commands_make_one_set_of_results(recorded: Results, tmp_path: Path) -> None:
    parts = {"rates": {"rates": recorded["rates"]}, "cost": recorded["cost"]}
    parts["latency"] = {"medians": [], "runs": recorded["latency"]}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(orjson.dumps(content))
    merged = figures.read(tmp_path / name for name in parts)
    assert {name: merged[name] for name in parts} == {name: recorded[name] for name in parts}


GROWTH: Results = {
    "orders": 2000,
    "bytes_per_order": [
        {"table": "orders", "index": "", "rows": 2000, "per_row": 600.0, "per_order": 600.0},
        {"table": "orders", "index": "orders_pkey", "rows": 2000, "per_row": 40.0, "per_order": 40.0},
    ],
    "rates": {
        "orders_per_second": {"empty": [500.0, 400.0, 600.0], "grown": [450.0, 440.0, 470.0]},
        "idle_p50_ms": {"empty": 10.0, "grown": 11.0},
        "steady_p50_ms": {"empty": 12.0, "grown": 16.0},
        "ratios": {"rate": 0.9, "idle_p50": 0.91, "steady_p50": 0.75},
    },
}


def test_growth_and_memory_join_the_page(recorded: Results, tmp_path: Path) -> None:
    samples = [{"seconds": n, "messages": n, "worker_mib": 80 + n, "relay_mib": 70} for n in range(20)]
    for name, content in (("sitting", recorded), ("growth", GROWTH), ("memory", {"memory": samples})):
        (tmp_path / name).write_bytes(orjson.dumps(content))
    merged = figures.read(tmp_path / name for name in ("sitting", "growth", "memory"))
    assert "| orders/s | 500 | 450 | 0.90 |" in section(merged, "Beside 2,000 orders")
    assert "| all |  | 600 |" in section(merged, "Beside 2,000 orders")
    assert "| the end | 19 | 99 | 70 |" in section(merged, "Memory")
    assert aim(merged, "years of orders").met is False
    assert aim(merged, "memory of worker").met is False
    samples[-1]["worker_mib"] = 90
    assert aim(merged | {"memory": samples}, "memory of worker").met is True


def test_the_landed_page_is_that_of_the_landed_results() -> None:
    landed = orjson.loads((HERE / "results.json").read_bytes())
    refresh = "python -m tests.bench page --from tests/bench/results.json"
    assert page.render(landed) == (HERE / "README.md").read_text("utf-8"), refresh


def test_the_landed_plots_are_small_and_have_no_date() -> None:
    linked = re.findall(r"\((plots/\w+\.svg)\)", (HERE / "README.md").read_text("utf-8"))
    assert len(linked) == len(set(linked)) == 4
    for name in linked:
        drawn = (HERE / name).read_bytes()
        assert len(drawn) < 60_000, name
        assert b"dc:date" not in drawn, name


def test_every_stage_is_in_a_group_of_the_plot(recorded: Results) -> None:
    groups = {figures.group(stage) for one in recorded["cost"] for stage in one["stages"]}
    assert groups == drawing.GROUPS.keys() - {"acknowledge"}  # which is not in the recorded results


def make(minutes: float, measure: Callable[[], None]) -> sitting.Sitting:
    """A sitting that has taken one measurement."""
    plan = sitting.Plan(1, minutes, (), 1, 1, 1, 1, 1, 2, ("rates",))
    made = sitting.Sitting(plan, {}, lambda _: None, lambda _: None)
    made.attempt(sitting.Step("rate of celery", 100, measure))
    return made


def test_a_measurement_that_would_end_too_late_is_left_out() -> None:
    done: list[int] = []
    assert "time of the sitting was over" in make(1, lambda: done.append(1)).results["failed"][0]
    assert done == []
    assert make(2, lambda: done.append(1)).results["failed"] == []
    assert done == [1]


def test_a_measurement_that_fails_does_not_end_the_sitting() -> None:
    def fail() -> None:
        raise RuntimeError("0 of 1 consumers; it printed:\na long trace\nImportError: kombu")

    assert make(2, fail).results["failed"] == [
        "rate of celery failed: 0 of 1 consumers; it printed: ImportError: kombu"
    ]


def test_each_second_round_goes_the_other_way_round() -> None:
    made = sitting.Sitting(PLAN, contenders(2, 2, peers_too=False), lambda _: None, lambda _: None)
    first, second, third = (
        [step.name for step in made.round(number) if step.name.startswith("rate")] for number in (0, 1, 2)
    )
    assert first == second[::-1] == third
    assert first[:2] == ["rate of deployed", "rate of one-worker"]


def runs_of(kind: str) -> list[Results]:
    """Three runs alone and three beside new orders, which halve the queries and double their latency."""
    alone = {"kind": kind, "writes_per_second": 0.0, "questions_per_second": 400.0, "p50_ms": 10.0, "p99_ms": 20.0}
    beside = {"writes_per_second": 50.0, "questions_per_second": 200.0, "p50_ms": 20.0, "p99_ms": 50.0}
    orders = {"orders": 300, "order_p50_ms": 15.0, "order_p99_ms": 30.0}
    found = [alone | more for more in ({}, beside | orders)] * 3
    return [*found, alone | {"p99_ms": 999.0}, alone | {"p99_ms": 1.0}]


def test_queries_beside_new_orders_join_the_page_as_ratios(recorded: Results, tmp_path: Path) -> None:
    plan = {"writes_per_second": 50.0, "seconds": 6.0, "rounds": 3, "clients": 8}
    found = recorded["about"] | {"plan": plan, "runs": [*runs_of("order.get"), *runs_of("order.list")]}
    for name, content in (("sitting", recorded), ("queries", {"queries": found})):
        (tmp_path / name).write_bytes(orjson.dumps(content))
    shown = section(figures.read(tmp_path / name for name in ("sitting", "queries")), "Queries beside new orders")
    row = "400 | 10.0 / 20.0 | 200 | 20.0 / 50.0 | 0.50 | 2.00 | 2.50 | 15.0 / 30.0 |"
    assert f"| `order.get` | {row}" in shown
    assert f"| `order.list` | {row}" in shown
    assert "8 clients" in shown
    assert "Queries beside" not in page.render(recorded)
