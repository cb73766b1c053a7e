"""Configures Hypothesis for busy machines: no deadline per example, and a failure prints code that repeats it."""

from hypothesis import HealthCheck, settings

settings.register_profile("domain", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("domain")
