"""Development controls, `/bellwire/v1/dev`: the clock, faults, a reset, a seed file. `serve` does not have them.

No key is needed, but only programs on the same machine are answered, and browsers only where the page is from there:
dropping everything must not be one link away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.routing import Match, Route
from starlette.types import Scope

from bellwire.api.bodies import optional_json
from bellwire.api.model import ApiModel, RequestBody
from bellwire.api.problems import documented, internal_error
from bellwire.api.public_url import is_asked_nearby
from bellwire.api.routing import api_router
from bellwire.engine.faults import Fault, Faults, NewFault
from bellwire.engine.seed_load import Seeded
from bellwire.errors import Forbidden, InvalidRequest, NotFound, OAuthRefused, TooManyRequests, Unavailable

PREFIX = "/bellwire/v1/dev"
TOKEN_PATH = "/restapi/oauth/token"  # noqa: S105 - a path
MAX_ADVANCE_SECONDS = 3660 * 86_400


class DevClock(Protocol):
    """The clock of a development server."""

    @property
    def ahead_seconds(self) -> float: ...

    def now(self) -> datetime: ...

    def advance(self, by: timedelta) -> None:
        """Raises ValueError for what can't be done."""
        ...


class Reset(Protocol):
    async def __call__(self, *, rewind_clock: bool) -> None:
        """Back to the seed; returns when the server answers again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DevControls:
    """What the routes act on."""

    clock: DevClock
    faults: Faults
    reset: Reset
    seed: Callable[[bytes], Awaitable[Seeded]]


class _View(ApiModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ClockView(_View):
    """What time it is for this server."""

    now: datetime
    ahead_seconds: float
    """By how much it was advanced, in all."""


class Advance(_View, RequestBody):
    model_config = ConfigDict(extra="forbid")

    advance_seconds: float = Field(gt=0, le=MAX_ADVANCE_SECONDS)


class ResetRequest(_View, RequestBody):
    model_config = ConfigDict(extra="forbid")

    rewind_clock: bool = False
    """The clock shows the machine's time again, as after a restart."""


class FaultView(_View):
    """A fault in force: what was asked for, and how often it was used."""

    id: str
    used: int
    fault: dict[str, Any]


class FaultsView(_View):
    records: list[FaultView]


class SeededView(_View):
    """How many records the file had."""

    accounts: int
    extensions: int
    numbers: int
    applications: int
    subscriptions: int


def dev_routes(controls: DevControls) -> APIRouter:
    router = api_router(
        PREFIX, tag="Development", dependencies=[Depends(require_this_machine)], responses=documented(403)
    )
    faults = controls.faults

    def clock_view() -> ClockView:
        return ClockView(now=controls.clock.now(), ahead_seconds=controls.clock.ahead_seconds)

    @router.get("/clock", summary="What time is it?")
    async def read_clock() -> ClockView:
        return clock_view()

    @router.post("/clock", summary="Advance the clock", responses=documented(400))
    async def advance_clock(body: Advance) -> ClockView:
        """Token life, expiry, reminders, retries, blacklisting and retention follow, as if the server had been up all
        the while. It never goes back; a restart begins with the machine's time."""
        try:
            controls.clock.advance(timedelta(seconds=body.advance_seconds))
        except ValueError as refused:
            raise InvalidRequest("CMN-101", str(refused), parameter="advanceSeconds") from refused
        return clock_view()

    @router.get("/faults", summary="List the faults in force")
    async def list_faults() -> FaultsView:
        return FaultsView(records=[_view(fault) for fault in faults.all()])

    @router.post(
        "/faults", summary="Make deliveries or logins fail, or cut sockets", status_code=201, responses=documented(400)
    )
    async def add_fault(body: NewFault = Body(discriminator="kind")) -> FaultView:
        """Of several that fit, the first that was made counts."""
        try:
            return _view(faults.add(body))
        except ValueError as refused:
            raise InvalidRequest("CMN-101", str(refused)) from refused

    @router.delete("/faults", summary="End all faults", status_code=204)
    async def clear_faults() -> Response:
        faults.clear()
        return Response(status_code=204)

    @router.delete("/faults/{faultId}", summary="End one fault", status_code=204, responses=documented(404))
    async def clear_fault(faultId: str) -> Response:  # noqa: N803 - the path's name
        if not faults.clear(faultId):
            raise NotFound("CMN-102", "Resource for parameter [faultId] is not found", parameter="faultId")
        return Response(status_code=204)

    @router.post("/reset", summary="Back to the seed", status_code=204, responses=documented(400))
    async def reset(body: ResetRequest | None = Depends(optional_json(ResetRequest))) -> Response:
        """Subscriptions, sessions, events, history, faults and all that was provisioned are gone; the demo account is
        as at first, with the same credentials, and the seed file that the server was started with is loaded again. The
        clock stays where it is, unless it is to be rewound."""
        await controls.reset(rewind_clock=body is not None and body.rewind_clock)
        return Response(status_code=204)

    @router.post(
        "/seed",
        summary="Load a seed file",
        responses=documented(400, 503),
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}
        },
    )
    async def load_seed(request: Request) -> SeededView:
        """Accounts, extensions, numbers, applications and subscriptions, as YAML or JSON. All of it or, with every
        problem named by its place, nothing; records with the same ids are replaced."""
        seeded = await controls.seed(await request.body())
        return SeededView(
            accounts=seeded.accounts,
            extensions=seeded.extensions,
            numbers=seeded.numbers,
            applications=seeded.applications,
            subscriptions=seeded.subscriptions,
        )

    return router


async def require_this_machine(request: Request) -> None:
    """Raises Forbidden for others, and for browsers that show pages from elsewhere."""
    peer = "" if request.client is None else request.client.host
    origin = request.headers.get("origin")
    if not (_is_here(peer) and is_asked_nearby(request)):
        raise Forbidden("CMN-401", "Development controls answer programs on the same machine alone")
    if origin is not None and not _is_here(urlsplit(origin).hostname or ""):
        raise Forbidden("CMN-401", "Development controls answer no pages from elsewhere")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _view(fault: Fault) -> FaultView:
    asked = fault.what.model_dump(mode="json", by_alias=True, exclude_none=True)
    return FaultView(id=fault.id, used=fault.used, fault=asked)


class RefusedTokens(Route):
    """Stands before the token endpoint, and is there only while a fault refuses tokens."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(TOKEN_PATH, self._refuse, methods=["POST"])
        self._faults = faults

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if self._faults.refuses_tokens() else (Match.NONE, {})

    async def _refuse(self, _request: Request) -> Response:
        fault = self._faults.of_token_request()
        assert fault is not None, "it matched, and nothing came between"
        said = "The token endpoint refuses, as a fault injected on purpose asks for"
        wait = fault.retry_after_seconds
        match fault.status:
            case 400:
                raise OAuthRefused("invalid_grant", "OAU-213", said)
            case 429:
                raise TooManyRequests("CMN-301", said, retry_after_seconds=wait)
            case 500:
                return internal_error()
            case 503:
                raise Unavailable(said, retry_after_seconds=wait)
