"""The OpenAPI document of the whole server: valid, complete, and with names that a client generator can use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from bellwire.api.openapi import OPENAPI_PATH, TAGS
from bellwire.api.routing import every_route
from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily
from bellwire.gateway.endpoint import GatewayEndpoint
from tests.e2e.in_process import running_server

ENVELOPE = {
    "uuid": "u1",
    "event": "/restapi/v1.0/account/400100/extension/400101/presence",
    "timestamp": "2026-03-01T00:00:00.000Z",
    "subscriptionId": "s1",
    "ownerId": "400101",
}


@dataclass(frozen=True, slots=True)
class Found:
    """The document, the routes that are really there, and what came of publishing the document's own examples."""

    document: dict[str, Any]
    routes: frozenset[tuple[str, str | None]]
    published: list[dict[str, Any]]

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                yield path, method, operation

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        whole = {"components": self.document["components"], **schema}
        return Draft202012Validator(whole, format_checker=FormatChecker())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    async def look(directory: Path) -> Found:
        environment = {"BELLWIRE_PUBLIC_URL": "https://events.example.com/api"}
        async with running_server(directory, environment=environment, dev=False) as running:
            document = (await running.http.get(OPENAPI_PATH)).json()
            gateway = running.server.app
            assert isinstance(gateway, GatewayEndpoint)
            app = gateway.app
            assert isinstance(app, FastAPI), "without development controls the application stands alone"
            routes = frozenset(
                (method.lower(), context.path)
                for context in iter_route_contexts(list(every_route(app.routes)))
                if context.include_in_schema
                for method in context.methods or ()
            )
            content = document["paths"]["/bellwire/v1/events"]["post"]["requestBody"]["content"]
            key = {"Authorization": f"Bearer {running.demo.publisher_key}"}
            published = []
            for example in content["application/json"]["examples"].values():
                answer = await running.http.post("/bellwire/v1/events", json=example["value"], headers=key)
                published.append(answer.json())
            lines = content["application/x-ndjson"]["examples"]["lines"]["value"]
            headers = key | {"Content-Type": "application/x-ndjson"}
            answer = await running.http.post("/bellwire/v1/events", content=lines, headers=headers)
            return Found(document, routes, [*published, answer.json()])

    return asyncio.run(look(tmp_path_factory.mktemp("openapi")))


def test_it_is_valid_openapi_3_1(found: Found) -> None:
    assert found.document["openapi"].startswith("3.1.")

    assert [str(error) for error in OpenAPIV31SpecValidator(found.document).iter_errors()] == []


def test_it_describes_every_route_there_is_and_no_other(found: Found) -> None:
    described = {(method, path) for path, method, _ in found.operations()}

    assert described == found.routes


def test_operation_ids_are_unique_names_for_generated_clients(found: Found) -> None:
    named = [operation["operationId"] for _, _, operation in found.operations()]
    named += [webhook["post"]["operationId"] for webhook in found.document["webhooks"].values()]

    assert len(named) == len(set(named))
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9]+", name) for name in named)
    assert {"createSubscription", "createWebinarSubscription", "adminListPublisherKeys", "publishEvents"} <= set(named)


def test_schemas_are_named_as_classes_without_their_modules(found: Found) -> None:
    awkward = [name for name in found.document["components"]["schemas"] if "__" in name or "-" in name]

    assert awkward == []


def test_every_tag_is_described_and_every_description_is_used(found: Found) -> None:
    used = {tag for _, _, operation in found.operations() for tag in operation["tags"]}
    used |= {tag for webhook in found.document["webhooks"].values() for tag in webhook["post"]["tags"]}

    assert used == set(TAGS)
    assert [tag["name"] for tag in found.document["tags"]] == list(TAGS)


def test_every_security_scheme_is_declared_and_used(found: Found) -> None:
    used = {name for _, _, operation in found.operations() for way in operation.get("security", []) for name in way}

    declared = found.document["components"]["securitySchemes"]
    assert used == set(declared) == {"accessToken", "accessTokenInQuery", "adminKey", "clientSecret", "publisherKey"}


def test_the_server_is_the_configured_public_url(found: Found) -> None:
    assert found.document["servers"] == [{"url": "https://events.example.com/api"}]


def test_every_error_has_the_envelope(found: Found) -> None:
    for path, method, operation in found.operations():
        for status, response in operation["responses"].items():
            if status >= "400":
                content = response["content"]["application/json"]["schema"]
                assert "Envelope" in str(content) or "PublishRefused" in str(content), (method, path, status)


def test_the_examples_of_the_publish_operation_are_taken(found: Found) -> None:
    assert [(answer["accepted"] + answer["duplicates"], answer["rejectedCount"]) for answer in found.published] == [
        (1, 0),
        (1, 0),
        (1, 0),
    ]


def test_there_is_one_webhook_for_each_family(found: Found) -> None:
    assert set(found.document["webhooks"]) == {family.name for family in REGISTRY.families}


@pytest.mark.parametrize("family", REGISTRY.families, ids=lambda family: family.name)
def test_a_familys_webhook_describes_its_notifications(found: Found, family: EventFamily) -> None:
    operation = found.document["webhooks"][family.name]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    notification = ENVELOPE | (dict(family.sample) if family.is_flat else {"body": dict(family.sample)})

    validator = found.validator(schema)

    validator.validate(notification)
    without_envelope = {name: value for name, value in notification.items() if name != "subscriptionId"}
    assert not validator.is_valid(without_envelope)
    assert family.is_flat or not validator.is_valid(ENVELOPE | {"body": "text"})
    assert {"200", "default"} == set(operation["responses"])
