"""How long a test session waits for its server: the pytest plugin's `EmbeddedServer`, from nothing until it answers.

Each start is a process of its own over an empty directory, without the console's pages. The fastest says what the
program needs, the median what one waits on this machine. The limit is in issue 7: under two seconds; it is no row of
the budget table, and `tests/integration/testing/test_embedded.py` holds it.

    python -m bench.plugin_start [--starts 7]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from bellwire.testing.embedded import EmbeddedServer
from bench.results import comparison


def started() -> float:
    """Seconds until it answers."""
    with tempfile.TemporaryDirectory(prefix="bellwire-bench-") as directory:
        server = EmbeddedServer(Path(directory))
        server.stop()
        return server.start_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=7)
    starts = parser.parse_args().starts
    seconds = [started() for _ in range(starts)]
    print("ready after " + ", ".join(f"{one:.2f}" for one in seconds) + " s")
    comparison(f"start of the pytest plugin's server, fastest of {starts}", round(min(seconds) * 1000), "ms")
    comparison(f"start of the pytest plugin's server, median of {starts}", round(median(seconds) * 1000), "ms")


if __name__ == "__main__":
    main()
