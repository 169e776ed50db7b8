"""The event-filter language: parse, validate, explain an error, print back. Pure."""

from __future__ import annotations

from bellwire.filters.event_filter import (
    MAX_FILTER_LENGTH,
    MAX_FILTERS,
    EventFilter,
    parse_filter,
    parse_filters,
)
from bellwire.filters.explain import Announced, Explanation, Reason, ReasonKind, explain
from bellwire.filters.reference import ParameterReference, TemplateReference, reference
from bellwire.filters.refusals import FilterRefused, ForeignAccount
from bellwire.filters.stored import parse_stored_filter
from bellwire.filters.topic import ResolvedTopic, parse_topic, rows_with_stated

__all__ = [
    "MAX_FILTERS",
    "MAX_FILTER_LENGTH",
    "Announced",
    "EventFilter",
    "Explanation",
    "FilterRefused",
    "ForeignAccount",
    "ParameterReference",
    "Reason",
    "ReasonKind",
    "ResolvedTopic",
    "TemplateReference",
    "explain",
    "parse_filter",
    "parse_filters",
    "parse_stored_filter",
    "parse_topic",
    "reference",
    "rows_with_stated",
]
