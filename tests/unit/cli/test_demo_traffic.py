from __future__ import annotations

import random
from datetime import UTC, datetime

from bellwire.cli.demo_traffic import GENERAL_PATH, WEBINAR_PATH, demo_filters, demo_scene
from bellwire.engine.seed import DemoCredentials
from bellwire.engine.seed_company import ADMINISTRATOR, OTHER_USER
from bellwire.engine.traffic import Traffic
from bellwire.families import REGISTRY

CREDENTIALS = DemoCredentials(
    account_id="400100",
    extension_id=ADMINISTRATOR,
    other_extension_id=OTHER_USER,
    a2p_number="+16505550180",
    toll_free_number="+18885550190",
    users=(),
    **dict.fromkeys(
        (
            *("client_id", "client_secret", "jwt", "limited_client_id", "limited_client_secret", "limited_jwt"),
            *("public_client_id", "redirect_uri", "publisher_key", "admin_key", "password"),
        ),
        "x",
    ),
)


def family_of(path: str) -> str:
    match = REGISTRY.match_shape(path.partition("?")[0])
    assert match is not None, path
    return match.family.name


def test_the_receiver_subscribes_to_what_the_traffic_tells_but_for_what_needs_an_administrator() -> None:
    scene = demo_scene(CREDENTIALS)
    traffic = Traffic(scene, random.Random(1))
    filters = demo_filters(scene)

    told = {family_of(traffic.next(datetime(2026, 1, 1, tzinfo=UTC))["event"]) for _ in range(1500)}
    subscribed = {family_of(event_filter) for wanted in filters.values() for event_filter in wanted}

    assert told - subscribed == {"emergency_address", "insights"}
    assert subscribed - told == set()
    assert all(event_filter.startswith("/webinar/") for event_filter in filters[WEBINAR_PATH])
    assert filters[GENERAL_PATH]
