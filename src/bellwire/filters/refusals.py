"""Why a filter is refused: where, what was found there, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.errors import BellwireError, ErrorEntry, Forbidden, InvalidRequest

_QUOTED_LENGTH = 200
_SUMMARY_LENGTH = 4000


class Flaw(BellwireError):
    """Something wrong in the text of a filter or topic. Never leaves this package: each parser raises its own error.

    `position`: offset in the text, from 0. `found`: the part that is wrong. `allowed`: what may stand there, if that is
    a short list. `suggestion`: what was probably meant: a whole template, a parameter or a value.
    """

    def __init__(
        self,
        reason: str,
        *,
        position: int,
        found: str,
        allowed: tuple[str, ...] = (),
        suggestion: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position
        self.found = printable(found)
        self.allowed = allowed
        self.suggestion = suggestion

    def __str__(self) -> str:
        parts = [f"{self.reason} (position {self.position})"]
        if self.allowed:
            parts.append("allowed: " + ", ".join(self.allowed))
        if self.suggestion is not None:
            parts.append(f"did you mean {self.suggestion} ?")
        return "; ".join(parts)


class FilterRefused(InvalidRequest):
    """An event filter that says nothing, or nothing that this subscription may hold. 400 SUB-508.

    The fields are those of the first refused filter; `entries` has one entry for each of them.
    """

    def __init__(self, text: str, flaw: Flaw, *, message: str | None = None, more: tuple[ErrorEntry, ...] = ()) -> None:
        self.filter = printable(text)
        self.reason = flaw.reason
        self.position = flaw.position
        self.found = flaw.found
        self.allowed = flaw.allowed
        self.suggestion = flaw.suggestion
        self.flaw = flaw
        super().__init__(
            "SUB-508",
            message or f'Event filter "{self.filter}" is refused: {flaw}',
            parameter="eventFilters",
            value=self.filter,
            more=more,
        )


class ForeignAccount(Forbidden):
    """An event filter that names another account than the subscriber's. 403 SUB-406."""

    def __init__(
        self, text: str, account: str, *, message: str | None = None, more: tuple[ErrorEntry, ...] = ()
    ) -> None:
        self.filter = printable(text)
        self.account = account
        super().__init__(
            "SUB-406",
            message or f'Event filter "{self.filter}" is refused: account {account} is not yours; write ~ for your own',
            parameter="eventFilters",
            value=self.filter,
            more=more,
        )


def refused_together(refusals: Sequence[FilterRefused | ForeignAccount]) -> FilterRefused | ForeignAccount:
    """One error that lists all refused filters of a request.

    A filter that can't be read weighs more than one that names another account: it decides code and status.
    """
    unreadable = [refusal for refusal in refusals if isinstance(refusal, FilterRefused)]
    first = unreadable[0] if unreadable else refusals[0]
    if len(refusals) == 1:
        return first
    others = [refusal for refusal in refusals if refusal is not first]
    summary = f"{len(refusals)} event filters are refused. " + " | ".join(one.message for one in (first, *others))
    if len(summary) > _SUMMARY_LENGTH:
        summary = summary[:_SUMMARY_LENGTH] + " …"
    more = tuple(refusal.entries[0] for refusal in others)
    if isinstance(first, FilterRefused):
        return FilterRefused(first.filter, first.flaw, message=summary, more=more)
    return ForeignAccount(first.filter, first.account, message=summary, more=more)


def printable(text: str) -> str:
    """A piece of what was sent, fit to be put into a message: ASCII, and not too much of it."""
    shown = text[:_QUOTED_LENGTH].encode("ascii", "backslashreplace").decode()
    shown = "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in shown)
    return shown if len(text) <= _QUOTED_LENGTH else shown + "..."
