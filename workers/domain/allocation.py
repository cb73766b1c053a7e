"""Sharing an amount out in whole minor units, to the last one (requirements 9.3)."""

from collections.abc import Sequence


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder: parts add up to `amount`, each within one unit of its exact share; ties go to earlier lines.

    Where all weights are zero the shares are equal.
    """
    assert amount >= 0, f"cannot share out {amount}"
    assert weights, "nobody to share with"
    shares = list(weights) if sum(weights) > 0 else [1] * len(weights)
    total = sum(shares)
    parts = [amount * share // total for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (-(amount * shares[i] % total), i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts
