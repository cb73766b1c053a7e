"""Packed goods may wait a little for those of other orders to the same address, and leave in one parcel with them."""

import asyncio
from collections import Counter
from typing import Any

from scripts.demo.warehouse_job import WarehouseJob

WAIT_SECONDS = 3.0


class SharedParcels:
    """Knows which orders of one warehouse go to the same address."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._waiting: dict[str, list[WarehouseJob]] = {}

    def begin(self, job: WarehouseJob) -> None:
        """Note that the warehouse works for this address."""
        self._open[_place(job.address)] += 1

    def end(self, job: WarehouseJob) -> None:
        """Note that it does not any more."""
        place = _place(job.address)
        self._open[place] -= 1
        if not self._open[place]:
            del self._open[place]

    def companions(self, job: WarehouseJob) -> list[WarehouseJob]:
        """Return the packed orders that wait for this one, which takes them along."""
        waiting = self._waiting.pop(_place(job.address), [])
        for one in waiting:
            if not one.may_leave:
                one.stay()
        return [one for one in waiting if one.may_leave]

    def has_others(self, job: WarehouseJob) -> bool:
        """Tell whether there are other orders to this address that have not left."""
        return self._open[_place(job.address)] > 1

    async def wait(self, job: WarehouseJob) -> bool:
        """Wait for another order to take this one along. Returns False if it has to leave alone."""
        place = _place(job.address)
        taken = job.taken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place, []).append(job)
        await asyncio.wait({taken}, timeout=WAIT_SECONDS)
        if job in (left := self._waiting.get(place, [])):
            left.remove(job)
            return False
        found: bool = await taken
        return found


def _place(address: dict[str, Any]) -> str:
    return f"{address.get('receiver')}, {address.get('detail')}"
