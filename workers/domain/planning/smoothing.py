"""Simple exponential smoothing (S2-15): F(t+1) = alpha x D(t) + (1 - alpha) x F(t), with exact fractions.

Alpha = p/q, so F(t) is a whole number over b x q^t, where b is the denominator of F(1). Sums are made over that
denominator, and nothing is rounded before it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from workers.domain.codes import Code
from workers.domain.refusal import Refusal

POINTS_MIN = 2
ALPHA_DIGITS_MAX = 4  # F(366) has 366 times the digits of alpha
STEPS = 20
"""An alpha that nobody names is one of 0.05, 0.10 ... 0.95: with so few points a finer one means nothing."""


@dataclass(frozen=True)
class Smoothing:
    """The forecasts for each demand, made before it was known, and the `following` one, which holds from then on.

    The errors are those of the forecasts that could miss: not of the first if it was set to the first demand.
    """

    alpha: Fraction
    forecasts: tuple[Fraction, ...]
    following: Fraction
    mean_absolute_error: Fraction
    mean_square_error: Fraction


def smooth(demands: Sequence[int], alpha: Fraction | None, first: Fraction | None) -> Smoothing | Refusal:
    """Smooth a series of demands, the oldest first.

    Without a `first` forecast it is the first demand. Without an alpha it is the one of STEPS whose forecasts missed
    least (by the sum of squares), the smallest if several did.
    """
    if refusal := wrong_alpha(alpha):
        return refusal
    if any(demand < 0 for demand in demands):
        return Refusal(Code.PLAN_DEMAND_INVALID, "a demand is not below zero", {"field": "series"})
    if first is not None and first < 0:
        return Refusal(Code.PLAN_DEMAND_INVALID, "a forecast is not below zero", {"field": "first_forecast"})
    if len(demands) < POINTS_MIN:
        why = f"a forecast needs {POINTS_MIN} periods with their demand, the first of them with a sale"
        return Refusal(Code.PLAN_POINTS_TOO_FEW, why, {"field": "series", "points": len(demands)})
    begins = Fraction(demands[0]) if first is None else first
    steps = [(alpha.numerator, alpha.denominator)] if alpha else [(step, STEPS) for step in range(1, STEPS)]
    best = min((_Run(demands, begins, *step) for step in steps), key=lambda run: run.square_errors)
    return best.smoothing(len(demands) - (first is None))


def wrong_alpha(alpha: Fraction | None) -> Refusal | None:
    """Refuse an alpha that smooths nothing, or that makes the fractions too long. None is chosen by `smooth`."""
    if alpha is None:
        return None
    if not 0 < alpha < 1:
        return Refusal(Code.PLAN_ALPHA_INVALID, "alpha lies between 0 and 1, and is neither", {"field": "alpha"})
    if 10**ALPHA_DIGITS_MAX % alpha.denominator:
        why = f"alpha has at most {ALPHA_DIGITS_MAX} digits after the point"
        return Refusal(Code.PLAN_ALPHA_INVALID, why, {"field": "alpha"})
    return None


class _Run:
    """One pass over the demands with alpha = p/q. Runs with the same q have the same denominators."""

    def __init__(self, demands: Sequence[int], first: Fraction, p: int, q: int) -> None:
        level, below = first.numerator, first.denominator
        levels, square_errors, errors = [], 0, 0
        for demand in demands:
            levels.append((level, below))
            missed = demand * below - level
            square_errors = square_errors * q * q + missed * missed
            errors = errors * q + abs(missed)
            level, below = p * demand * below + (q - p) * level, below * q
        self.alpha, self._levels, self._following = Fraction(p, q), levels, (level, below)
        self.square_errors, self._errors, self._below = square_errors, errors, below // q

    def smoothing(self, missed: int) -> Smoothing:
        """Return what the pass found, with the means over so many forecasts."""
        return Smoothing(
            self.alpha,
            tuple(Fraction(*level) for level in self._levels),
            Fraction(*self._following),
            Fraction(self._errors, self._below * missed),
            Fraction(self.square_errors, self._below**2 * missed),
        )
