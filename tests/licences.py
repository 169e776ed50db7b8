"""The licences of what Bellwire runs on, as each package says: `python -m tests.licences > docs/licences.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"

_CLASSIFIER = "License :: OSI Approved :: "
_LONGEST_NAME = 60
_INTRODUCTION = """\
# Licences

What `requirements/run.txt` installs, and the licence that each package states. Packages for other systems than Linux
are left out. Bellwire itself is Apache-2.0.

| package | licence |
| --- | --- |
"""


def pinned(name: str) -> dict[str, str]:
    """The packages of a requirements file with their versions."""
    lines = (REQUIREMENTS / name).read_text().splitlines()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", "\n".join(lines), re.MULTILINE))


def licences() -> Iterator[tuple[str, str]]:
    """Every package that is pinned for running and is for this system, and its licence."""
    for package in pinned("run.txt"):
        try:
            stated = metadata(package).json
        except PackageNotFoundError:  # for another system or version of Python
            continue
        yield package, _licence(stated)


def _licence(stated: Mapping[str, Any]) -> str:
    """An expression, if there is one; or else its classifiers, or what is written if it is no whole text."""
    if "license_expression" in stated:
        return str(stated["license_expression"])
    classifiers = [line for line in stated.get("classifier", ()) if line.startswith(_CLASSIFIER)]
    if classifiers:
        return ", ".join(line.removeprefix(_CLASSIFIER) for line in classifiers)
    written = str(stated.get("license", "")).strip()
    return written if 0 < len(written) <= _LONGEST_NAME and "\n" not in written else "not stated"


def page() -> str:
    return _INTRODUCTION + "".join(f"| {package} | {licence} |\n" for package, licence in licences())


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
