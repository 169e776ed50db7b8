"""Loading a seed file: judged as a whole first, then saved. Records with the same ids are replaced."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from bellwire.engine.secrets import hash_password, hash_secret
from bellwire.engine.seed_document import (
    SeedDocument,
    SeedExtension,
    SeedSubscription,
    place_of,
    read_seed,
    seed_refused,
)
from bellwire.engine.seed_judgement import SeedRecords, judge_seed
from bellwire.engine.subscribe_live import LiveSubscriptions
from bellwire.errors import ErrorEntry
from bellwire.filters import EventFilter
from bellwire.model.directory import Account, Extension, PhoneNumber
from bellwire.model.identity import Application, UserLogin
from bellwire.model.ids import SubscriptionId
from bellwire.model.subscription import Subscription, TransportType, WebhookDelivery
from bellwire.ports.clock import Clock
from bellwire.ports.identity import CredentialStore, Directory, DirectoryWriter, Installation
from bellwire.subscriptions.lifetime import granted_seconds
from bellwire.subscriptions.versions import first_version

_NAMESPACE = uuid.UUID("6d0f8f5e-6c35-4b61-9d52-7f1f4f4b2a55")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """How many records a seed file had."""

    accounts: int
    extensions: int
    numbers: int
    applications: int
    subscriptions: int


class Seeding:
    def __init__(
        self,
        *,
        directory: Directory,
        writer: DirectoryWriter,
        credentials: CredentialStore,
        installation: Installation,
        live: LiveSubscriptions,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._credentials = credentials
        self._installation = installation
        self._live = live
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def load(self, text: bytes) -> Seeded:
        """Read, judge and save a seed file.

        Raises:
            InvalidRequest: every problem by its place; nothing was changed.
        """
        document = read_seed(text)
        async with self._one_at_a_time:
            records = _records(document, self._directory)
            problems = judge_seed(document, records) + await self._taken_names(document)
            if problems:
                raise seed_refused(problems)
            await self._save(document, records)
        return Seeded(
            accounts=len(document.accounts),
            extensions=len(document.extensions),
            numbers=len(document.numbers),
            applications=len(document.applications),
            subscriptions=len(document.subscriptions),
        )

    async def _taken_names(self, document: SeedDocument) -> list[ErrorEntry]:
        taken = []
        for number, extension in enumerate(document.extensions):
            if extension.user_name is None:
                continue
            other = await self._credentials.login_named(extension.user_name)
            if other is not None and other.extension_id != extension.id:
                place = place_of("extensions", number, "userName")
                taken.append(ErrorEntry("CMN-101", f"{place}: extension {other.extension_id} has this name", place))
        return taken

    async def _save(self, document: SeedDocument, records: SeedRecords) -> None:
        for account in records.accounts.values():
            await self._writer.save_account(account)
        for extension in records.extensions.values():
            await self._writer.save_extension(extension)
        for seed in document.extensions:
            await self._save_login(seed)
        for number in records.numbers.values():
            await self._writer.save_number(number)
        for application in records.applications.values():
            await self._writer.save_application(application)
        for wanted, filters in zip(document.subscriptions, records.filters, strict=True):
            await self._subscribe(wanted, filters)

    async def _save_login(self, seed: SeedExtension) -> None:
        if seed.user_name is None and seed.password is None:
            return
        password_hash = None
        if seed.password is not None:
            password_hash = await asyncio.to_thread(hash_password, seed.password.get_secret_value())
        await self._credentials.save_login(
            UserLogin(extension_id=seed.id, user_name=seed.user_name, password_hash=password_hash)
        )

    async def _subscribe(self, wanted: SeedSubscription, filters: tuple[EventFilter, ...]) -> None:
        texts = tuple(event_filter.text for event_filter in filters)
        id_ = wanted.id or _derived_id(wanted, texts)

        async def subscribe() -> None:
            present = self._live.get(id_)
            subscription = self._subscription(id_, wanted, texts)
            if present is not None and self._is_same(present, subscription):
                lifetime, until = subscription.lifetime_seconds, subscription.expires_at
                await self._live.change(replace(present, lifetime_seconds=lifetime, expires_at=until))
                return
            if present is not None:
                await self._live.remove(id_)
                subscription = self._subscription(id_, wanted, texts)  # at the head of now
            await self._live.open(subscription, filters)

        await self._live.in_turn(id_, subscribe)

    def _subscription(self, id_: SubscriptionId, wanted: SeedSubscription, texts: tuple[str, ...]) -> Subscription:
        now = self._clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        lifetime = granted_seconds(wanted.expires_in)
        owner = self._directory.extension(wanted.owner_id)
        assert owner is not None, "it was judged, and saved if it was new"
        token, secret = wanted.verification_token, wanted.signing_secret
        seal = self._installation.seal
        return Subscription(
            id=id_,
            api=wanted.api,
            account_id=owner.account_id,
            owner_id=owner.id,
            client_id=wanted.client_id,
            transport=TransportType.WEB_HOOK,
            webhook=WebhookDelivery(
                address=wanted.address,
                verification_token_sealed=None if token is None else seal(token.get_secret_value()),
                signing_secret_sealed=None if secret is None else seal(secret.get_secret_value()),
            ),
            versions=(first_version(texts, self._live.head()),),
            disabled_filters=(),
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime),
            lifetime_seconds=lifetime,
        )

    def _is_same(self, present: Subscription, wanted: Subscription) -> bool:
        """Whether a subscription that exists is what the file asks for, so that what waits for it may stay."""
        assert wanted.webhook is not None
        return (
            present.webhook is not None
            and (present.api, present.owner_id, present.client_id) == (wanted.api, wanted.owner_id, wanted.client_id)
            and present.filters == wanted.filters
            and present.webhook.address == wanted.webhook.address
            and self._opened(present.webhook) == self._opened(wanted.webhook)
        )

    def _opened(self, webhook: WebhookDelivery) -> tuple[str | None, ...]:
        sealed = (webhook.verification_token_sealed, webhook.signing_secret_sealed)
        return tuple(None if one is None else self._installation.unseal(one) for one in sealed)


def _derived_id(wanted: SeedSubscription, texts: tuple[str, ...]) -> SubscriptionId:
    """The same for a subscription that asks for the same."""
    parts = (wanted.owner_id, wanted.client_id, wanted.api.value, wanted.address, *texts)
    return SubscriptionId(str(uuid.uuid5(_NAMESPACE, "\0".join(parts))))


def _records(document: SeedDocument, directory: Directory) -> SeedRecords:
    """The file's records as the directory has them."""
    records = SeedRecords(directory)
    for account in document.accounts:
        records.accounts[account.id] = Account(
            id=account.id, company_name=account.company_name, main_number=account.main_number, status=account.status
        )
    for extension in document.extensions:
        records.extensions[extension.id] = Extension(
            id=extension.id,
            account_id=extension.account_id,
            extension_number=extension.extension_number,
            first_name=extension.first_name,
            last_name=extension.last_name,
            email=extension.email,
            type=extension.type,
            status=extension.status,
            is_admin=extension.is_admin,
            permissions=extension.permissions,
            monitored_lines=tuple(dict.fromkeys(extension.monitored_lines)),
            favorites=tuple(dict.fromkeys(extension.favorites)),
        )
    for number in document.numbers:
        records.numbers[number.number_id] = PhoneNumber(
            id=number.number_id,
            account_id=number.account_id,
            phone_number=number.phone_number,
            extension_id=number.extension_id,
            usage_type=number.usage_type,
            type=number.type,
            payment_type=number.payment_type,
            features=tuple(dict.fromkeys(number.features)),
            label=number.label,
            status=number.status,
        )
    for application in document.applications:
        secret = application.client_secret
        records.applications[application.client_id] = Application(
            client_id=application.client_id,
            name=application.name,
            secret_hash=None if secret is None else hash_secret(secret.get_secret_value()),
            permissions=application.permissions,
            grants=application.grants,
            redirect_uris=tuple(dict.fromkeys(application.redirect_uris)),
            account_id=application.account_id,
            rate_limit_factor=application.rate_limit_factor,
            status=application.status,
            blacklist_policy=application.blacklist_policy,
        )
    return records
