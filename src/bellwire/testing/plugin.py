"""The pytest plugin: the fixture `bellwire`, and the server's own lines in the report of a test that failed with it.

One server a session (with pytest-xdist, one a worker), started when the first test asks for it. Between two tests it is
brought back to its seed, in the background, while pytest goes on to the next. Everything is imported when it is needed:
this module is loaded in every pytest run.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.testing.between_tests import SharedServer
    from bellwire.testing.stage import Bellwire

_LOG_MARK = pytest.StashKey[tuple["SharedServer", int]]()


@pytest.fixture(scope="session")
def bellwire_seed() -> Path | None:
    """Override this one to have the server loaded with a seed file; return its path."""
    return None


@pytest.fixture(scope="session")
def bellwire_server(tmp_path_factory: pytest.TempPathFactory, bellwire_seed: Path | None) -> Iterator[SharedServer]:
    """The server of the session; tests take `bellwire` instead."""
    from bellwire.testing.between_tests import SharedServer  # noqa: PLC0415 - see the module's docstring

    server = SharedServer(tmp_path_factory.mktemp("bellwire"), seed=bellwire_seed)
    yield server
    server.stop()


@pytest.fixture
def bellwire(bellwire_server: SharedServer, request: pytest.FixtureRequest) -> Iterator[Bellwire]:
    """A Bellwire server of its own for a test: `publish`, `webhook`, `env` for SDKs, `clock`, `faults`."""
    from bellwire.testing.stage import Bellwire  # noqa: PLC0415 - as above

    server = bellwire_server.fresh()
    request.node.stash[_LOG_MARK] = (bellwire_server, server.mark())
    stage = Bellwire(server)
    yield stage
    stage.close()
    bellwire_server.used()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and (marked := item.stash.get(_LOG_MARK, None)) is not None:
        server, mark = marked
        if written := server.output_since(mark):
            report.sections.append(("Bellwire server", written))
    return report
