"""Values of this process's metrics, for tests that wait until one changes."""

from prometheus_client import REGISTRY


def metric_value(name: str, **labels: str) -> float:
    """A sample with exactly these labels; 0 if there is none yet.

    Only its own metric is collected: REGISTRY.get_sample_value collects all of them, which takes milliseconds, and a
    test that waits looks many times.
    """
    for metric in REGISTRY.restricted_registry([name]).collect():
        for sample in metric.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0
