"""A seed file: who and what a development server has beside its demo account. Its form, and how it is read.

    accounts:       [{id, companyName, mainNumber?, status?}]
    extensions:     [{id, accountId, extensionNumber, firstName, …, userName?, password?}]
    numbers:        [{accountId, phoneNumber, extensionId?, features?, …, id?}]
    applications:   [{clientId, clientSecret | isPublic, name, permissions, …}]
    subscriptions:  [{ownerId, clientId, address, eventFilters, …, id?}]

Names and limits are those of the admin API (`provision_commands.py`), but ids are the file's own, so that loading it
twice changes nothing. YAML is read with PyYAML's safe loader, and plain values stay texts: `+16505550100` is a phone
number and `101` an extension's, not integers. JSON is YAML, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import yaml
from pydantic import Field, SecretStr, StringConstraints, ValidationError

from bellwire.engine.provision_commands import (
    E164,
    AccountRef,
    ClientRef,
    Command,
    ExtensionRef,
    Name,
    NewApplication,
    NewExtension,
    NewNumber,
    UserName,
)
from bellwire.errors import ErrorEntry, InvalidRequest
from bellwire.model.directory import Status
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import SubscriptionApi
from bellwire.subscriptions.lifetime import MAX_SECONDS

MAX_SEED_BYTES = 1 << 20
MAX_RECORDS = 1_000
"""Of one kind."""
MAX_LISTED = 100
"""Problems that are named; the others are counted."""

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class SeedAccount(Command):
    id: AccountRef
    company_name: Name
    main_number: E164 | None = None
    status: Status = Status.ENABLED


class SeedExtension(NewExtension):
    id: ExtensionRef
    account_id: AccountRef
    user_name: UserName | None = None
    password: SecretStr | None = None


class SeedNumber(NewNumber):
    id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """By default the number's digits."""
    account_id: AccountRef

    @property
    def number_id(self) -> str:
        return self.id or self.phone_number.lstrip("+")


class SeedApplication(NewApplication):
    client_id: ClientRef
    client_secret: SecretStr | None = None


class SeedSubscription(Command):
    id: Annotated[SubscriptionId, StringConstraints(pattern=_UUID)] | None = None
    """By default made of what the subscription asks for."""
    owner_id: ExtensionRef
    client_id: ClientRef
    api: SubscriptionApi = SubscriptionApi.GENERAL
    address: str
    """It is not asked whether it wants notifications: its receiver may start later."""
    event_filters: tuple[str, ...]
    verification_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    expires_in: int | None = Field(default=None, ge=1, le=MAX_SECONDS)


class SeedDocument(Command):
    """A whole seed file, well-formed; what its parts say of each other is judged by `seed_judgement.py`."""

    accounts: Annotated[tuple[SeedAccount, ...], Field(max_length=MAX_RECORDS)] = ()
    extensions: Annotated[tuple[SeedExtension, ...], Field(max_length=MAX_RECORDS)] = ()
    numbers: Annotated[tuple[SeedNumber, ...], Field(max_length=MAX_RECORDS)] = ()
    applications: Annotated[tuple[SeedApplication, ...], Field(max_length=MAX_RECORDS)] = ()
    subscriptions: Annotated[tuple[SeedSubscription, ...], Field(max_length=MAX_RECORDS)] = ()


def seed_refused(problems: list[ErrorEntry]) -> InvalidRequest:
    """One refusal that names every problem by its place."""
    first, *rest = problems[:MAX_LISTED]
    if len(problems) > MAX_LISTED:
        rest.append(ErrorEntry("CMN-101", f"There are {len(problems) - MAX_LISTED} more problems"))
    return InvalidRequest(first.code, first.message, parameter=first.parameter, value=first.value, more=tuple(rest))


def read_seed(text: bytes) -> SeedDocument:
    """Raises InvalidRequest, with every problem of form by its place: `extensions[3].firstName`."""
    if len(text) > MAX_SEED_BYTES:
        raise InvalidRequest("CMN-101", f"A seed file has at most {MAX_SEED_BYTES} bytes, not {len(text)}")
    try:
        content = yaml.load(text.decode(), Loader=_Texts)  # noqa: S506 - a subclass of the safe loader
    except UnicodeDecodeError as error:
        raise InvalidRequest("CMN-103", f"The seed file is not UTF-8: {error}") from error
    except yaml.YAMLError as error:
        raise InvalidRequest("CMN-103", f"The seed file is not YAML that is understood here: {_said(error)}") from error
    except RecursionError as error:
        raise InvalidRequest("CMN-103", "The seed file is nested too deeply") from error
    if content is None:
        return SeedDocument()
    if not isinstance(content, dict):
        raise InvalidRequest("CMN-101", "A seed file is a mapping: accounts, extensions, numbers, applications, …")
    try:
        return SeedDocument.model_validate(content)
    except ValidationError as errors:
        found = errors.errors(include_url=False, include_context=False, include_input=False)
        raise seed_refused([_entry(error) for error in found]) from errors


def place_of(*steps: str | int) -> str:
    """`extensions[3].firstName`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _entry(error: Mapping[str, Any]) -> ErrorEntry:
    place = place_of(*error["loc"])
    return ErrorEntry("CMN-101", f"{place}: {error['msg']}", place)


def _said(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error)


class _Texts(yaml.SafeLoader):
    """Plain values are texts, but for true, false and null. No aliases, which can make a short file endless, and no
    key twice, of which one would silently win."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the library has it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Texts.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Texts.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
