"""Who may subscribe to what (wire contract, 3.11 and its last paragraph).

An event filter that names another account never gets here: parsing refuses it (SUB-406). Of the others,

- one that names an extension which the account does not have is refused, the whole request with it (SUB-408): that is
  a mistake and not a missing right;
- one for which the application or the user lacks a permission is put among the disabled filters, and the rest goes on;
- when none is left, the request is refused with the code of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bellwire.errors import ErrorEntry, Forbidden
from bellwire.filters import EventFilter
from bellwire.model.directory import Account, Extension, Status
from bellwire.model.identity import Application
from bellwire.model.ids import ExtensionId
from bellwire.model.permission import Permission
from bellwire.model.subscription import DisabledFilter

FindExtension = Callable[[ExtensionId], Extension | None]

NOT_PERMITTED = "SUB-412"
"""`reason` of a filter that lacks a permission."""

OWNER_DISABLED = "CMN-405"
"""`reason` of a filter whose owner can't log in at present (login required); it comes back when the owner can."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A filter that is not allowed: the protocol's code for refusing it, and why."""

    filter: str
    code: str
    message: str

    def disabled(self) -> DisabledFilter:
        return DisabledFilter(filter=self.filter, reason=NOT_PERMITTED, message=self.message)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Filters sorted by whether they are allowed, each in the order asked."""

    allowed: tuple[EventFilter, ...]
    denied: tuple[Denial, ...]

    def disabled(self) -> tuple[DisabledFilter, ...]:
        return tuple(denial.disabled() for denial in self.denied)


def judge_access(
    event_filter: EventFilter, scope: frozenset[Permission], owner: Extension, find: FindExtension
) -> Denial | None:
    """Whether a user, through an application with this scope, may subscribe to a filter of the user's own account.

    Args:
        find: any extension by its id, of whatever account.
    """
    template, text = event_filter.template, event_filter.text
    named = event_filter.extension
    if named is not None and named != owner.id:
        other = find(named)
        if other is None or other.account_id != owner.account_id:
            return Denial(text, "SUB-408", f"Extension [{named}] is not known.")
    if template.permission is not None and template.permission not in scope:
        return Denial(
            text,
            "CMN-401",
            f"In order to subscribe, this application needs to have [{template.permission}] permission.",
        )
    needed = template.others_permission
    if needed is not None and named != owner.id and not owner.may(needed):
        return Denial(text, template.others_error, f"In order to subscribe, the user needs [{needed}] permission.")
    return None


def judge_all(
    filters: Sequence[EventFilter], scope: frozenset[Permission], owner: Extension, find: FindExtension
) -> Judgement:
    """Sort filters by whether they are allowed, without refusing anything."""
    denials = [judge_access(event_filter, scope, owner, find) for event_filter in filters]
    return Judgement(
        tuple(event_filter for event_filter, denial in zip(filters, denials, strict=True) if denial is None),
        tuple(denial for denial in denials if denial is not None),
    )


def require_some(judgement: Judgement) -> Judgement:
    """The judgement of a request, if it can be granted at least in part.

    Raises:
        Forbidden: SUB-408 for an unknown extension; when no filter is left, the code of each of them.
    """
    refused = [denial for denial in judgement.denied if denial.code == "SUB-408"]
    if not judgement.allowed:
        refused += [denial for denial in judgement.denied if denial.code != "SUB-408"]
    if refused:
        first, *rest = (
            ErrorEntry(denial.code, f"{denial.message} Event filter: {denial.filter}", "eventFilters", denial.filter)
            for denial in refused
        )
        raise Forbidden(first.code, first.message, parameter=first.parameter, value=first.value, more=tuple(rest))
    return judgement


def why_owner_is_disabled(application: Application, account: Account, owner: Extension) -> str | None:
    """Why a subscription's owner gets no notifications at present; None: it does."""
    if application.status is Status.DISABLED:
        return "The application is disabled."
    if account.status is Status.DISABLED:
        return "The account is disabled."
    if owner.status is Status.DISABLED:
        return "The user is disabled."
    return None
