"""The files in deploy/, checked as far as can be without a container engine, systemd as process 1, or a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bellwire.compose_smpp import watch_smpp
from bellwire.configuration import load_settings
from bellwire.observe.metrics import Metrics
from bellwire.settings import ENVIRONMENT_PREFIX, Mode, declarations
from tests.e2e.in_process import Running, running_server

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HOST = {"BELLWIRE_PUBLIC_URL": "https://events.example.com"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions, with continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def copied() -> Iterator[str]:
    """What is copied out of the repository, not from another stage."""
    for verb, rest in instructions():
        if verb == "COPY" and not rest.startswith("--from"):
            yield from rest.split()[:-1]


async def test_what_the_container_copies_is_enough_to_build_the_package(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for path in copied():
        assert f"!{path}" in ignored, f"{path} would not reach the builder"
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-index"]
    command = [*pip, "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "installed"), str(source)]
    built = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, complaints = await built.communicate()

    assert built.returncode == 0, complaints.decode()
    assert (tmp_path / "installed" / "bellwire" / "py.typed").is_file()
    assert list((tmp_path / "installed" / "bellwire").glob("storage/records/migrations/versions/*.py"))


async def test_everything_that_the_container_installs_is_pinned_by_hash() -> None:
    installs = [rest for verb, rest in instructions() if verb == "RUN" and "pip install" in rest]
    lists = [re.findall(r"-r (\S+)", rest) for rest in installs]

    assert [found for found in lists if found] == [["requirements/build.txt"], ["requirements/run.txt"]]
    for install, found in zip(installs, lists, strict=True):
        assert "--require-hashes" in install if found else install.endswith("--no-deps --no-build-isolation .")
    for [name] in filter(None, lists):
        assert re.search(r"^\S+==\S+.*\\\n +--hash=sha256:", (ROOT / name).read_text(), re.MULTILINE)
    images = [rest.split()[0] for verb, rest in instructions() if verb == "FROM"]
    assert {image.partition(":")[0] for image in images} == {"python"}
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)


async def test_the_container_is_not_root_and_its_environment_is_accepted(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    for verb, rest in instructions():
        if verb == "ENV":
            environ |= dict(pair.split("=", 1) for pair in rest.split())
    user = [rest for verb, rest in instructions() if verb == "USER"][-1]
    data = Path(environ.pop("BELLWIRE_DATA_DIR"))
    [volume] = [rest for verb, rest in instructions() if verb == "VOLUME"]
    [port] = [rest for verb, rest in instructions() if verb == "EXPOSE"]
    last = dict(instructions())

    settings = load_settings(environ | HOST | {"BELLWIRE_DATA_DIR": str(tmp_path)}, None, Mode.SERVE)

    assert int(user.partition(":")[0]) > 0
    assert (settings.host, settings.port) == ("0.0.0.0", int(port))
    assert str(data.parent) == volume
    assert json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"]) == ["bellwire", "serve"]


async def test_the_containers_health_check_tells_a_server_that_runs_from_none(running: Running) -> None:
    [check] = [rest for verb, rest in instructions() if verb == "HEALTHCHECK"]
    program = json.loads(check.partition(" CMD ")[2])
    assert program[:2] == ["python", "-c"]
    here = program[2].replace("http://127.0.0.1:8710", running.url)
    nowhere = program[2].replace(":8710", ":1")

    codes = []
    for code in (here, nowhere):
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        codes.append(await asking.wait())

    assert here != program[2]
    assert codes[0] == 0
    assert codes[1] != 0


def tool(name: str) -> str:
    """The path of a program that a fresh machine may lack; on CI it has to be there."""
    found = shutil.which(name)
    if found is None:
        assert os.environ.get("CI") != "true", f"{name} is missing"
        pytest.skip(f"{name} is missing")
    return found


async def test_systemd_understands_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    unit = tmp_path / "bellwire.service"
    unit.write_text((DEPLOY / "bellwire.service").read_text().replace("/opt/bellwire/bin/bellwire", sys.executable))

    for arguments in (["verify"], ["security", "--offline=true", "--threshold=20"]):
        done = await asyncio.create_subprocess_exec(
            analyze, *arguments, str(unit), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await done.communicate()
        assert done.returncode == 0, said.decode()
        assert "Unknown" not in said.decode()


async def test_the_units_command_and_limits_are_those_of_the_server() -> None:
    unit = (DEPLOY / "bellwire.service").read_text()
    settings = load_settings({}, None, Mode.SERVE)

    assert re.search(r"^ExecStart=\S+/bellwire serve --config \S+$", unit, re.MULTILINE)
    assert "StateDirectoryMode=0700" in unit
    [files] = re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert int(files) > settings.max_connections + settings.webhook_connections
    for name in re.findall(r"\bBELLWIRE_\w+", unit):
        assert name.removeprefix(ENVIRONMENT_PREFIX).lower() in declarations()


def objects() -> dict[str, Any]:
    """The Kubernetes objects, by kind."""
    found = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


async def test_kubernetes_objects_refer_to_each_other() -> None:
    found = objects()
    stateful = found["StatefulSet"]["spec"]
    pod = stateful["template"]["spec"]
    [container] = pod["containers"]
    labels = stateful["template"]["metadata"]["labels"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]}

    assert set(found) == {"ConfigMap", "Secret", "Service", "StatefulSet"}
    assert stateful["replicas"] == 1
    assert stateful["selector"]["matchLabels"].items() <= labels.items()
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    assert stateful["serviceName"] == found["Service"]["metadata"]["name"]
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys() | claims
    assert volumes["configuration"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    assert container["envFrom"] == [{"secretRef": {"name": found["Secret"]["metadata"]["name"]}}]
    assert {port["name"] for port in container["ports"]} == {"http"}
    assert [port["targetPort"] for port in found["Service"]["spec"]["ports"]] == ["http"]
    assert pod["enableServiceLinks"] is False
    assert (pod["securityContext"]["runAsNonRoot"], container["securityContext"]["readOnlyRootFilesystem"]) == (
        True,
    ) * 2


async def test_kubernetes_probes_ask_what_the_server_answers(running: Running) -> None:
    [container] = objects()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    paths = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")]

    assert [(await running.http.get(path)).status_code for path in paths] == [200, 200, 200]


async def test_kubernetes_configuration_is_accepted(tmp_path: Path) -> None:
    found = objects()
    pod = found["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    [(name, content)] = found["ConfigMap"]["data"].items()
    file = tmp_path / name
    file.write_text(content.replace("/var/lib/bellwire", str(tmp_path)))

    settings = load_settings({}, file, Mode.SERVE)

    assert container["args"] == ["serve", "--config", f"{mounts['configuration']}/{name}"]
    assert str(settings.data_dir) == f"{tmp_path}/data"
    assert mounts["data"] == "/var/lib/bellwire"
    assert settings.port == container["ports"][0]["containerPort"]
    assert pod["terminationGracePeriodSeconds"] > settings.shutdown_seconds + 15
    secrets = re.findall(r"^# +(BELLWIRE_\w+):", (DEPLOY / "kubernetes.yaml").read_text(), re.MULTILINE)
    known = {key for key, (declaration, _) in declarations().items() if declaration.is_secret}
    assert {secret.removeprefix(ENVIRONMENT_PREFIX).lower() for secret in secrets} == known
    [told] = re.findall(r"^- \*\*Secrets\*\* are (.*),", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(secrets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exported(running: Running) -> dict[str, Metric]:
    """Every metric that the server has, by the name that queries use."""
    families = list(text_string_to_metric_families((await running.http.get("/metrics")).text))
    smpp = Metrics()
    no_link = SimpleNamespace(is_bound=False, binds=0, answers={}, arrivals={}, waiting_texts=0, waiting_parts=0)
    watch_smpp(smpp, no_link)  # type: ignore[arg-type]  # names need no link
    names: dict[str, Metric] = {}
    for family in (*families, *smpp.collect()):
        for suffix in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",)):
            names[family.name + suffix] = family
    return names


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return found


def queries() -> list[str]:
    panels = dashboard()["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    variables = [variable["query"] for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]
    return [*shown, *variables, *(rule["expr"] for rule in rules())]


async def test_alerts_and_dashboard_ask_for_metrics_that_there_are(exported: dict[str, Metric]) -> None:
    for query in queries():
        asked = set(re.findall(r"\b(?:bellwire|process|python)_\w+", query))
        assert asked or 'up{job="bellwire"}' in query
        assert asked <= exported.keys(), query
        assert query.count("(") == query.count(")")


async def test_alerts_and_dashboard_group_by_labels_that_the_metrics_have(exported: dict[str, Metric]) -> None:
    documented = (ROOT / "docs" / "operations.md").read_text() + (ROOT / "docs" / "smpp.md").read_text()
    for query in queries():
        for label in re.findall(r"\bby \((\w+)\)", query):
            [name] = set(re.findall(r"\bbellwire_\w+", query))
            known = {key for sample in exported[name].samples for key in sample.labels} | {"le"}
            described = [line for line in documented.splitlines() if f"`{name}`" in line and f"`{label}`" in line]
            assert label in known or described, query


async def test_alerts_and_dashboard_select_by_labels_and_values_that_there_are(exported: dict[str, Metric]) -> None:
    documented = (ROOT / "docs" / "operations.md").read_text()
    lines = {name: line for line in documented.splitlines() for name in re.findall(r"^\| `(\w+)`", line)}
    selections = [
        (name, label, value)
        for query in queries()
        for name, inside in re.findall(r"\b(bellwire_\w+)\{([^}]*)\}", query)
        for label, value in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', inside)
        if label not in {"job", "instance"}  # Prometheus' own
    ]

    assert len(selections) >= 3
    for name, label, value in selections:
        there = {sample.labels[label] for sample in exported[name].samples if label in sample.labels}
        described = re.findall(r"`(\w+)`", lines[name])
        assert value in there or (label in described and value in described), (name, label, value)


async def test_every_alert_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["alert"].startswith("Bellwire")
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "action"}


async def test_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
