"""Hypothesis on busy machines: no deadline per example; what failed is printed as something to run again."""

from hypothesis import HealthCheck, settings

settings.register_profile("domain", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("domain")
