"""Hypothesis on a machine that does other work, too: how long an example takes says nothing there.

In CI examples are always the same ones. `FUZZ_EXAMPLES=100000 pytest tests/unit/fuzz` looks for longer.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "bellwire",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")),
)
settings.load_profile("bellwire")
