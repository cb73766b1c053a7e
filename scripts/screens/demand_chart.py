"""Draws demand and forecasts as SVG: a bar for what was sold in each period, a line for the forecasts."""

from collections.abc import Iterator, Sequence
from html import escape

from messages.planning import DemandPoint, ForecastPoint, ForecastShown

WIDTH, HEIGHT = 960, 420  # pixels
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 56, 56
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
TICKS = 5
DAYS_SHOWN = 8  # so many dates fit under the axis
SOLD, FORECAST, INK, GRID = "#9ecae1", "#d94801", "#333333", "#e0e0e0"
LEGEND = LEFT + PLOT_WIDTH - 250


def demand_chart(found: ForecastShown) -> str:
    """Return the picture. Forecasts of periods to come have a dashed line."""
    sold = [point.units for point in found.history]
    both: list[DemandPoint | ForecastPoint] = [*found.history, *found.forecast]
    forecasts = [float(point.forecast) for point in both]
    days = [str(point.starts_on or "") for point in both]
    top = _round_top(max(1.0, *sold, *forecasts))
    name = escape(f"{found.sku_id or 'series'}: sold by {found.period}, and forecast with alpha {found.alpha}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' font-family="sans-serif" font-size="12" fill="{INK}" role="img">',
        f"<title>{name}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{name}</text>',
        *_axis(top),
        *_bars(sold, len(days), top),
        *_dates(days),
        *_lines(forecasts, len(sold), top),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _round_top(most: float) -> float:
    """Return the end of the axis: TICKS times 1, 2 or 5 times a power of ten, not below the most."""
    step = 1.0
    for factor in (2.0, 2.5, 2.0) * 20:
        if step * TICKS >= most:
            break
        step *= factor
    return step * TICKS


def _y(value: float, top: float) -> float:
    return TOP + PLOT_HEIGHT * (1 - value / top)


def _x(place: int, count: int) -> float:
    return LEFT + PLOT_WIDTH * (place + 0.5) / count


def _axis(top: float) -> Iterator[str]:
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        y = _y(value, top)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + PLOT_WIDTH}" y2="{y:.1f}" stroke="{GRID}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>'
    yield f'<text x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end">units</text>'


def _bars(sold: Sequence[int], count: int, top: float) -> Iterator[str]:
    wide = PLOT_WIDTH / count * 0.7
    for place, units in enumerate(sold):
        y = _y(units, top)
        yield (
            f'<rect x="{_x(place, count) - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}"'
            f' height="{TOP + PLOT_HEIGHT - y:.1f}" fill="{SOLD}"/>'
        )


def _dates(days: Sequence[str]) -> Iterator[str]:
    every = -(-len(days) // DAYS_SHOWN)
    for place in range(0, len(days), every):
        x = _x(place, len(days))
        yield f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 20}" text-anchor="middle">{days[place]}</text>'


def _lines(forecasts: Sequence[float], known: int, top: float) -> Iterator[str]:
    points = [f"{_x(place, len(forecasts)):.1f},{_y(value, top):.1f}" for place, value in enumerate(forecasts)]
    style = f'fill="none" stroke="{FORECAST}" stroke-width="2"'
    yield f'<polyline points="{" ".join(points[:known])}" {style}/>'
    yield f'<polyline points="{" ".join(points[known - 1 :])}" {style} stroke-dasharray="6 4"/>'
    for point in points[known:]:
        x, y = point.split(",")
        yield f'<circle cx="{x}" cy="{y}" r="3" fill="{FORECAST}"/>'


def _legend() -> Iterator[str]:
    y = HEIGHT - 10
    yield f'<rect x="{LEGEND}" y="{y - 10}" width="14" height="10" fill="{SOLD}"/>'
    yield f'<text x="{LEGEND + 20}" y="{y}">sold</text>'
    yield f'<path d="M{LEGEND + 70} {y - 4}h24" stroke="{FORECAST}" stroke-width="2"/>'
    yield f'<text x="{LEGEND + 100}" y="{y}">forecast (dashed: to come)</text>'
