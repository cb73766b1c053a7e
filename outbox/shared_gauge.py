"""Gauges about the database: each process that measures them exports the same values, and no other process exports any.

A plain gauge is 0 in every process that loads its module. So a metric would be 0 exactly when all processes that
measure it are dead. Several processes may measure one gauge, so alerts use max() and not sum().
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

FRESH_SECONDS = 60.0  # then a value is exported no more: all are measured each 10 seconds or more often
NOTE = "every process that measures it exports the same: use max"


class SharedGauge(Collector):
    """A gauge with at most one label. It is exported from its first measurement until that is too old."""

    def __init__(self, name: str, text: str, label: str = "", *, now: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._text = f"{text}; {NOTE}"
        self._labels = [label] if label else []
        self._now = now
        self._values: Mapping[str, float] = {}
        self._measured_at = -FRESH_SECONDS
        REGISTRY.register(self)

    def set(self, value: float) -> None:
        """Record a measurement of a gauge without a label."""
        self.set_each({"": value})

    def set_each(self, values: Mapping[str, float]) -> None:
        """Record one measurement of all values of the label. Values of the last one that are missing now are gone."""
        self._values, self._measured_at = dict(values), self._now()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the metric with its values, or nothing if they are too old or were never measured."""
        if not self._values or self._now() - self._measured_at >= FRESH_SECONDS:
            return
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for label, value in self._values.items():
            family.add_metric([label] if self._labels else [], value)
        yield family

    def describe(self) -> Iterable[Any]:
        """Name the metric, so that no other can take its name."""
        yield GaugeMetricFamily(self._name, self._text, labels=self._labels)
