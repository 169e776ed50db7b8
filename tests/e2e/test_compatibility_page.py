"""docs/compatibility.md against the code: which operations there are, beyond the published API and short of it."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

from bellwire.api.unsupported import UNSUPPORTED
from bellwire.families import REGISTRY
from tests.e2e.in_process import running_server

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text()
OPERATION = re.compile(r"^\|[^|]*\| `(?P<path>…?/?[^`]*)` \| (?P<methods>[A-Z ]+) \|", re.MULTILINE)
METHODS = {"get", "post", "put", "patch", "delete"}

Operation = tuple[str, str]


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def operations(heading: str) -> list[Operation]:
    """Method and path of each operation in a section's table."""
    rows = OPERATION.finditer(section(heading))
    named = [(row["path"].replace("…", "/restapi/v1.0/account/{accountId}"), row["methods"]) for row in rows]
    return [(method, path) for path, methods in named for method in methods.split()]


async def test_the_operations_are_those_of_the_server(tmp_path: Path) -> None:
    async with running_server(tmp_path) as running:
        described = (await running.http.get("/bellwire/v1/openapi.json")).json()["paths"]
    served = {(method.upper(), path) for path, found in described.items() for method in found if method in METHODS}
    own = {path for _, path in served if path.startswith("/bellwire/")}
    compatible = operations("Compatible")

    assert len(compatible) == len(set(compatible))
    assert set(compatible) == {(m, path) for m, path in served if path not in own | {"/", "/metrics"}}
    beyond = set(re.findall(r"`(/bellwire/v1/[^`]+)`", section("Beyond")))
    assert {path for path in own if not any(path == b or path.startswith(f"{b}/") for b in beyond)} == set()
    assert {b for b in beyond if not any(path == b or path.startswith(f"{b}/") for path in own)} == set()


def test_the_missing_operations_are_those_that_answer_501() -> None:
    missing = operations("Missing")

    assert len(missing) == len(set(missing))
    assert set(missing) == {(method, path) for path, methods in UNSUPPORTED.items() for method in methods.split()}


def test_the_clients_are_those_that_are_driven() -> None:
    packages = json.loads((ROOT / "tests" / "e2e" / "javascript" / "package.json").read_text())["dependencies"]
    rows = section("Clients that work, unmodified")

    assert f"`ringcentral` {version('ringcentral')}" in rows
    for name, pinned in packages.items():
        assert f"`{name}` {pinned}" in rows
    assert f"[{len(REGISTRY.families)} families]" in section("Compatible")
