"""Bodies with gaps, filled so that rows can be read and what was left out is known."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from bellwire.families import REGISTRY
from bellwire.families.declaration import EventFamily
from bellwire.families.partial_body import UNSAID, completed
from bellwire.families.telephony_session import FAMILY as SESSIONS

every_family = pytest.mark.parametrize("family", REGISTRY.families, ids=lambda family: family.name)


def gaps(value: Any) -> Iterator[Any]:
    """The value with each of its fields, at any depth, left out."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield {other: copy.deepcopy(of) for other, of in value.items() if other != name}
            yield from ({**value, name: with_gap} for with_gap in gaps(part))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from ([*value[:at], with_gap, *value[at + 1 :]] for with_gap in gaps(part))


@every_family
def test_a_whole_body_stays_as_it_is(family: EventFamily) -> None:
    assert completed(family, family.sample) == family.sample


@every_family
def test_rows_and_projections_of_a_body_with_gaps_can_be_read(family: EventFamily) -> None:
    for body in itertools.chain([{}], gaps(dict(family.sample))):
        whole = completed(family, body)
        assert family.rows(whole)
        if family.project is not None:
            family.project(whole, frozenset())


@every_family
def test_what_a_body_says_stays(family: EventFamily) -> None:
    for body in gaps(dict(family.sample)):
        assert {name: completed(family, body)[name] for name in body if not isinstance(body[name], dict | list)} == {
            name: value for name, value in body.items() if not isinstance(value, dict | list)
        }


def test_a_required_value_that_is_left_out_is_unsaid_and_one_that_need_not_be_there_is_none() -> None:
    (row,) = SESSIONS.rows(completed(SESSIONS, {"parties": [{"direction": "Inbound"}]}))

    assert row["direction"] == ("Inbound",)
    assert row["statusCode"] == (UNSAID,)
    assert row["phoneNumber"] == ()
    (row,) = SESSIONS.rows(completed(SESSIONS, {}))
    assert row["direction"] == (UNSAID,)
