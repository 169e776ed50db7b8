"""Hypothesis on a machine that does other work, too: how long an example takes says nothing there."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("bellwire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bellwire")
