"""What applications and users may do (OpenAPI `x-app-permission`, `x-user-permission`)."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """An application's permission, called scope in tokens and in errors CMN-401."""

    A2P_SMS = "A2PSMS"
    CALL_CONTROL = "CallControl"
    CONTACTS = "Contacts"
    EDIT_ACCOUNTS = "EditAccounts"
    EDIT_EXTENSIONS = "EditExtensions"
    EDIT_MESSAGES = "EditMessages"
    EDIT_PRESENCE = "EditPresence"
    EDIT_WEBINARS = "EditWebinars"
    FAXES = "Faxes"
    INTERNAL_MESSAGES = "InternalMessages"
    READ_ACCOUNTS = "ReadAccounts"
    READ_CONTACTS = "ReadContacts"
    READ_MESSAGES = "ReadMessages"
    READ_PRESENCE = "ReadPresence"
    READ_WEBINARS = "ReadWebinars"
    RING_SENSE = "RingSense"
    SMS = "SMS"
    TEAM_MESSAGING = "TeamMessaging"
    WEB_SOCKET = "WebSocket"
    WEB_SOCKETS_SUBSCRIPTION = "WebSocketsSubscription"


class UserPermission(StrEnum):
    """A user's right beyond what is the user's own. An account administrator has all of them."""

    READ_COMPANY_CALL_RECORDING = "ReadCompanyCallRecording"
    READ_COMPANY_DEVICES = "ReadCompanyDevices"
    READ_COMPANY_PHONE_NUMBERS = "ReadCompanyPhoneNumbers"
    READ_COMPANY_TELEPHONY = "ReadCompanyTelephony"
    """Call sessions of the whole account and of other extensions (our name: the source has none)."""
    READ_COMPANY_MESSAGES = "ReadCompanyMessages"
    """Messages of other extensions and High Volume SMS of the account (our name)."""
    READ_EXTENSIONS = "ReadExtensions"
    READ_PRESENCE_STATUS = "ReadPresenceStatus"


ORDINARY_USER = frozenset(
    {
        UserPermission.READ_EXTENSIONS,
        UserPermission.READ_PRESENCE_STATUS,
        UserPermission.READ_COMPANY_PHONE_NUMBERS,
    }
)
"""What a user has who is not an administrator and was given nothing special."""
