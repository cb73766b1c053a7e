"""The page of all figures on the command line: `page`."""

import logging
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from tests.bench import contenders as all_contenders
from tests.bench import drawing, figures, page
from tests.bench.sitting import Plan, Sitting

console = Console(width=130)
HERE = Path(__file__).parent
PARTS = "cost,rates,life,latency"


def add(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("page")(page_)


def page_(  # noqa: PLR0917 (Typer passes them by name)
    source: Annotated[
        list[Path] | None, typer.Option("--from", help="Measure nothing; take the results of these files.", exists=True)
    ] = None,
    before: Annotated[
        list[Path] | None, typer.Option(help="Results of an older commit, shown beside the new ones.", exists=True)
    ] = None,
    output: Annotated[Path, typer.Option("-o", help="The JSON file that the results are written to.")] = (
        HERE / "results.json"
    ),
    to: Annotated[Path, typer.Option(help="The folder of README.md and plots/.", file_okay=False)] = HERE,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender runs, in turn.")] = 3,
    minutes: Annotated[float, typer.Option(min=1, help="Measurements that would end later are left out.")] = 31,
    at: Annotated[str, typer.Option(help="Orders per second; half of the peak is added.")] = "10,20,50,100,250",
    seconds: Annotated[float, typer.Option(help="How long latency is measured at each rate.")] = 7,
    orders: Annotated[int, typer.Option(min=20, help="Orders at full load; a slow contender gets a part.")] = 5000,
    lives: Annotated[int, typer.Option(min=1, help="Orders that go through their whole life.")] = 1500,
    singles: Annotated[int, typer.Option(min=1, help="Batches of one order in `cost`.")] = 100,
    batches: Annotated[int, typer.Option(min=0, help="Batches of `--size` orders in `cost`.")] = 5,
    size: Annotated[int, typer.Option(min=2, help="Orders in a large batch.")] = 200,
    parts: Annotated[str, typer.Option(help="What to measure.")] = PARTS,
    only: Annotated[str, typer.Option(help="Comma-separated names of contenders; all by default.")] = "",
    note: Annotated[str, typer.Option(help="What a reader must know of this sitting.")] = "",
    remarks: Annotated[
        Path | None, typer.Option(help="Markdown for the page: what holds missed aims back.", exists=True)
    ] = None,
    draw: Annotated[bool, typer.Option(help="Draw the plots; needs matplotlib.")] = True,
) -> None:
    """Measure all that tests/bench/README.md shows, beside the other frameworks, and write that page and its plots."""
    if draw and not drawing.available():
        raise typer.BadParameter("matplotlib is missing: pip install matplotlib, or --no-draw", param_hint="--draw")
    if source:
        results = figures.read(source)
    else:
        rates = tuple(float(rate) for rate in at.split(",") if rate)
        plan = Plan(rounds, minutes, rates, seconds, orders, lives, singles, batches, size, _words(parts))
        results = _measure(plan, _words(only), output)
    if note:
        results["about"]["note"] = note
    if remarks:
        results["remarks"] = remarks.read_text("utf-8")
    if before:
        results["before"] = figures.read(before)
    figures.write(output, results)
    (to / "README.md").write_text(page.render(results), encoding="utf-8")
    drawn = drawing.draw(results, to / "plots") if draw else []
    console.print("wrote " + ", ".join(str(path) for path in (output, to / "README.md", *drawn)))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _measure(plan: Plan, only: list[str], output: Path) -> dict[str, object]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if absent := all_contenders.missing():
        console.print(f"not installed, left out: {', '.join(absent)}")
    known = all_contenders.contenders(2, 2)
    if unknown := set(only) - set(known):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(known)}", param_hint="--only")
    chosen = {name: one for name, one in known.items() if not only or name in only}

    def show(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    sitting = Sitting(plan, chosen, show, lambda results: figures.write(output, results))
    sitting.run()
    return sitting.results
