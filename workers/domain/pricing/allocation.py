"""Shares an amount out in whole minor units, to the last one (R-03)."""

from collections.abc import Sequence


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Share `amount` out by weight, by the method of the largest remainder.

    The parts add up to `amount`, and each is within one unit of its exact share. Of equal remainders the earlier line
    gets the unit. If all weights are zero the shares are equal.
    """
    assert amount >= 0, f"cannot share out {amount}"
    assert weights, "there are no lines to share it among"
    total = sum(weights)
    if total == 0:
        weights, total = [1] * len(weights), len(weights)
    parts = [amount * weight // total for weight in weights]
    missing = amount - sum(parts)
    if missing:
        remainders = [-(amount * weight % total) for weight in weights]
        for i in sorted(range(len(parts)), key=remainders.__getitem__)[:missing]:  # stable: ties keep their order
            parts[i] += 1
    return parts


def allocate_within(amount: int, weights: Sequence[int], caps: Sequence[int]) -> list[int]:
    """As `allocate`, with no part above its cap: the other lines take the excess of a full line by their weights."""
    assert amount <= sum(caps), f"{amount} is more than all caps together"
    parts, free = [0] * len(weights), list(range(len(weights)))
    while True:
        tried = dict(zip(free, allocate(amount, [weights[i] for i in free]), strict=True))
        full = {i for i in free if tried[i] > caps[i]}
        if not full:
            return [tried.get(i, part) for i, part in enumerate(parts)]
        for i in full:
            parts[i] = caps[i]
            amount -= caps[i]
        free = [i for i in free if i not in full]
