"""Hypothesis on machines that are busy with other things: no deadline per example, the example that failed is printed."""

from hypothesis import HealthCheck, settings

settings.register_profile("domain", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("domain")
