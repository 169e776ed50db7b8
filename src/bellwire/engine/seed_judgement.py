"""Whether a seed file's records fit each other and what the directory has. All problems are collected, none raised."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from bellwire.engine.provision_applications import why_not_redirected_to
from bellwire.engine.provision_commands import MIN_PASSWORD_CHARACTERS
from bellwire.engine.secrets import MAX_PASSWORD_BYTES
from bellwire.engine.seed_document import SeedDocument, SeedSubscription, place_of
from bellwire.errors import ErrorEntry, InvalidRequest
from bellwire.filters import EventFilter, parse_filter
from bellwire.model.directory import Account, Extension, PhoneNumber
from bellwire.model.identity import Application
from bellwire.model.ids import AccountId, ClientId, ExtensionId
from bellwire.ports.identity import Directory
from bellwire.subscriptions.access import judge_access
from bellwire.subscriptions.requested import MAX_FILTERS
from bellwire.wire.webhook.address import parse_address
from bellwire.wire.webhook.request import check_verification_token
from bellwire.wire.webhook.signature import parse_signing_secret


@dataclass(slots=True)
class SeedRecords:
    """A seed file's records as the directory will have them, and on top of what it has."""

    directory: Directory
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    extensions: dict[ExtensionId, Extension] = field(default_factory=dict)
    numbers: dict[str, PhoneNumber] = field(default_factory=dict)
    applications: dict[ClientId, Application] = field(default_factory=dict)
    filters: list[tuple[EventFilter, ...]] = field(default_factory=list)
    """Of each subscription."""

    def account(self, account: AccountId) -> Account | None:
        return self.accounts.get(account) or self.directory.account(account)

    def extension(self, extension: ExtensionId) -> Extension | None:
        return self.extensions.get(extension) or self.directory.extension(extension)

    def application(self, client: ClientId) -> Application | None:
        return self.applications.get(client) or self.directory.application(client)

    def every_account(self) -> Iterable[Account]:
        yield from self.accounts.values()
        yield from (account for account in self.directory.accounts() if account.id not in self.accounts)


class Problems:
    """Takes problems by their place."""

    def __init__(self) -> None:
        self.found: list[ErrorEntry] = []

    def add(self, reason: str, *place: str | int) -> None:
        at = place_of(*place)
        self.found.append(ErrorEntry("CMN-101", f"{at}: {reason}", at))

    def unless(self, check: Callable[[], object], *place: str | int) -> None:
        """Whatever a check of ours refuses is a problem of this place."""
        try:
            check()
        except InvalidRequest as refused:
            self.add(refused.message, *place)

    def repeated(self, values: Iterable[Hashable], kind: str, name: str) -> None:
        seen: dict[Hashable, int] = {}
        for number, value in enumerate(values):
            if value is None:
                continue
            if value in seen:
                self.add(f"is the same as {place_of(kind, seen[value], name)}", kind, number, name)
            else:
                seen[value] = number


def judge_seed(document: SeedDocument, records: SeedRecords) -> list[ErrorEntry]:
    """All that is wrong with a seed file, as far as the file and the directory tell. Fills `records.filters`."""
    problems = Problems()
    _judge_accounts(document, records, problems)
    _judge_extensions(document, records, problems)
    _judge_numbers(document, records, problems)
    _judge_applications(document, records, problems)
    for number, subscription in enumerate(document.subscriptions):
        records.filters.append(_judge_subscription(number, subscription, records, problems))
    problems.repeated((one.id for one in document.subscriptions), "subscriptions", "id")
    return problems.found


def _judge_accounts(document: SeedDocument, records: SeedRecords, problems: Problems) -> None:
    problems.repeated((one.id for one in document.accounts), "accounts", "id")
    problems.repeated((one.main_number for one in document.accounts), "accounts", "mainNumber")
    for number, account in enumerate(document.accounts):
        main = account.main_number
        if main is not None and _owners_of(main, records) - {account.id}:
            problems.add(f"{main} belongs to another account", "accounts", number, "mainNumber")


def _owners_of(phone_number: str, records: SeedRecords) -> set[AccountId]:
    """The accounts whose main number or listed number it is."""
    owners = {account.id for account in records.every_account() if account.main_number == phone_number}
    owners |= {one.account_id for one in records.numbers.values() if one.phone_number == phone_number}
    for account in records.directory.accounts():
        for one in records.directory.numbers(account.id):
            if one.phone_number == phone_number and one.id not in records.numbers:
                owners.add(one.account_id)
    return owners


def _judge_extensions(document: SeedDocument, records: SeedRecords, problems: Problems) -> None:
    extensions = document.extensions
    problems.repeated((one.id for one in extensions), "extensions", "id")
    problems.repeated((one.user_name for one in extensions), "extensions", "userName")
    problems.repeated(((one.account_id, one.extension_number) for one in extensions), "extensions", "extensionNumber")
    for number, extension in enumerate(extensions):
        place = ("extensions", number)
        if records.account(extension.account_id) is None:
            problems.add(f"there is no account {extension.account_id}", *place, "accountId")
            continue
        present = records.directory.extension(extension.id)
        if present is not None and present.account_id != extension.account_id:
            problems.add(f"extension {extension.id} is in account {present.account_id}", *place, "accountId")
        for other in records.directory.extensions(extension.account_id):
            if other.extension_number == extension.extension_number and other.id not in records.extensions:
                problems.add(f"extension {other.id} has this number", *place, "extensionNumber")
        for name, watched in (("monitoredLines", extension.monitored_lines), ("favorites", extension.favorites)):
            for index, one in enumerate(watched):
                found = records.extension(one)
                if found is None or found.account_id != extension.account_id:
                    problems.add(f"account {extension.account_id} has no extension {one}", *place, name, index)
        if extension.password is not None:
            password = extension.password.get_secret_value()
            if len(password) < MIN_PASSWORD_CHARACTERS or len(password.encode()) > MAX_PASSWORD_BYTES:
                wanted = f"at least {MIN_PASSWORD_CHARACTERS} characters and at most {MAX_PASSWORD_BYTES} bytes"
                problems.add(f"a password has {wanted}", *place, "password")


def _judge_numbers(document: SeedDocument, records: SeedRecords, problems: Problems) -> None:
    problems.repeated((one.number_id for one in document.numbers), "numbers", "id")
    problems.repeated((one.phone_number for one in document.numbers), "numbers", "phoneNumber")
    for number, phone in enumerate(document.numbers):
        place = ("numbers", number)
        if records.account(phone.account_id) is None:
            problems.add(f"there is no account {phone.account_id}", *place, "accountId")
            continue
        if _owners_of(phone.phone_number, records) - {phone.account_id}:
            problems.add(f"{phone.phone_number} belongs to another account", *place, "phoneNumber")
        for account in records.directory.accounts():
            for other in records.directory.numbers(account.id):
                if other.phone_number == phone.phone_number and other.id != phone.number_id:
                    problems.add(f"number {other.id} is {phone.phone_number} already", *place, "phoneNumber")
                if other.id == phone.number_id and other.account_id != phone.account_id:
                    problems.add(f"number {other.id} is in account {other.account_id}", *place, "accountId")
        if phone.extension_id is not None:
            extension = records.extension(phone.extension_id)
            if extension is None or extension.account_id != phone.account_id:
                problems.add(f"account {phone.account_id} has no extension {phone.extension_id}", *place, "extensionId")


def _judge_applications(document: SeedDocument, records: SeedRecords, problems: Problems) -> None:
    problems.repeated((one.client_id for one in document.applications), "applications", "clientId")
    for number, application in enumerate(document.applications):
        place = ("applications", number)
        if application.is_public and application.client_secret is not None:
            problems.add("a public client has no secret", *place, "clientSecret")
        if not application.is_public and not (application.client_secret or ""):
            problems.add("a client that is not public needs one", *place, "clientSecret")
        if application.account_id is not None and records.account(application.account_id) is None:
            problems.add(f"there is no account {application.account_id}", *place, "accountId")
        for index, uri in enumerate(application.redirect_uris):
            if (reason := why_not_redirected_to(uri)) is not None:
                problems.add(reason, *place, "redirectUris", index)


def _judge_subscription(
    number: int, subscription: SeedSubscription, records: SeedRecords, problems: Problems
) -> tuple[EventFilter, ...]:
    place = ("subscriptions", number)
    problems.unless(lambda: parse_address(subscription.address, allow_http=True), *place, "address")
    token, secret = subscription.verification_token, subscription.signing_secret
    if token is not None:
        problems.unless(lambda: check_verification_token(token.get_secret_value()), *place, "verificationToken")
    if secret is not None:
        problems.unless(lambda: parse_signing_secret(secret.get_secret_value()), *place, "signingSecret")
    owner, application = records.extension(subscription.owner_id), records.application(subscription.client_id)
    if owner is None:
        problems.add(f"there is no extension {subscription.owner_id}", *place, "ownerId")
    if application is None:
        problems.add(f"there is no application {subscription.client_id}", *place, "clientId")
    if not 1 <= len(subscription.event_filters) <= MAX_FILTERS:
        problems.add(f"a subscription has 1 to {MAX_FILTERS} event filters", *place, "eventFilters")
    if owner is None or application is None:
        return ()
    if application.account_id not in (None, owner.account_id):
        problems.add(f"the application is for account {application.account_id} alone", *place, "clientId")
    parsed: dict[str, EventFilter] = {}
    for index, text in enumerate(subscription.event_filters[:MAX_FILTERS]):
        try:
            event_filter = parse_filter(
                text, account=owner.account_id, extension=owner.id, api=subscription.api, subscription=subscription.id
            )
        except InvalidRequest as refused:
            problems.add(refused.message, *place, "eventFilters", index)
            continue
        denial = judge_access(event_filter, application.permissions, owner, records.extension)
        if denial is not None:
            problems.add(denial.message, *place, "eventFilters", index)
        parsed.setdefault(event_filter.text, event_filter)
    return tuple(parsed.values())
