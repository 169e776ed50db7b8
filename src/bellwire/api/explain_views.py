"""What the API says of whether a filter matches an event, and why not."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from bellwire.api.admin_views import View
from bellwire.api.history_views import NotificationView
from bellwire.engine.explain import FilterExplanation
from bellwire.engine.history import NotificationExplanation
from bellwire.filters import Explanation, Reason, ReasonKind
from bellwire.model.ids import SubscriptionId


class ReasonView(View):
    """One way in which an event is not what a filter wants."""

    kind: ReasonKind
    message: str = Field(description="A plain sentence for people.")
    parameter: str | None = Field(description="Of the filter's path or query; null where it is about more than one.")
    wanted: list[str] = Field(description="What the filter has there.")
    found: list[str] = Field(description="What the event has there, the first few; empty for nothing.")

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, Reason)
        return cls(
            kind=record.kind,
            message=record.message,
            parameter=record.parameter,
            wanted=list(record.wanted),
            found=list(record.found),
        )


class ExplanationView(View):
    """`reasons` is empty exactly when it matches."""

    matches: bool
    reasons: list[ReasonView]
    notes: list[str] = Field(
        description="What else is worth knowing: what is not compared, and what a notification leaves out."
    )

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, Explanation)
        return cls(
            matches=record.matches,
            reasons=[ReasonView.of(reason) for reason in record.reasons],
            notes=list(record.notes),
        )


class FilterExplanationView(ExplanationView):
    filter: str

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, FilterExplanation)
        explanation = record.explanation
        return cls(
            filter=record.filter,
            matches=explanation.matches,
            reasons=[ReasonView.of(reason) for reason in explanation.reasons],
            notes=list(explanation.notes),
        )


class NotificationExplanationView(View):
    """Whether one subscription was to get one event. `filters` are those in force then; `reasons` are about the
    subscription as a whole, beside theirs."""

    position: int = Field(description="Of the event.")
    subscription_id: SubscriptionId
    matches: bool
    reasons: list[ReasonView]
    notes: list[str]
    filters: list[FilterExplanationView]
    notifications: list[NotificationView] = Field(
        description="What came of it so far; one for each topic that matched, or that history has attempts for."
    )

    @classmethod
    def of(cls, record: object) -> Self:
        assert isinstance(record, NotificationExplanation)
        whole = record.explanation
        return cls(
            position=record.position,
            subscription_id=record.subscription,
            matches=whole.matches,
            reasons=[ReasonView.of(reason) for reason in whole.reasons],
            notes=list(whole.notes),
            filters=[FilterExplanationView.of(one) for one in whole.filters],
            notifications=[NotificationView.of(one) for one in record.notifications],
        )
