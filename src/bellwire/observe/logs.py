"""Structured log lines on standard error: JSON for machines, coloured text for people.

A line is a dotted past-tense event name and fields (`subscription.suspended`, `subscription_id=…`); see style.md.
Lines of libraries that use the standard `logging` (uvicorn, aiodns) are written in the same form. A traceback never
shows the frames' variables, which may hold passwords, tokens and bodies.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bellwire.observe.request_ids import add_request_id
from bellwire.observe.unfailing import UnfailingStream

SECRET_FIELD = re.compile(
    # In the wire's spelling, too: `verificationToken`, `Validation-Token`.
    r"(?:.*[_-])?(?:authorization|password|secret|token|assertion|jwt|cookie|(?:admin|publisher|api|signing)[_-]?key)s?"
    r"|(?-i:.*[a-z](?:Password|Secret|Token|Key))|key",
    re.IGNORECASE,
)
"""Fields that are blanked out should one ever be logged by mistake."""


def set_up_logs(*, level: str, json_lines: bool, stream: TextIO | None = None) -> None:
    """Send all log lines from `level` (debug, info, warning, error) on to `stream`, standard error by default.

    A line that can't be written is left out.

    Called once by the composition root; a later call replaces what an earlier one set up.
    """
    out = cast(TextIO, UnfailingStream(stream if stream is not None else sys.stderr))
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        blank_secrets,
    ]
    renderer: list[Processor]
    if json_lines:
        in_json = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderer = [structlog.processors.ExceptionRenderer(in_json), structlog.processors.JSONRenderer()]
    else:
        in_text = structlog.dev.plain_traceback
        renderer = [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=in_text)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )

    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    # Libraries speak at their own pace: what they say below a warning is about their insides.
    root.setLevel(max(threshold, logging.WARNING))


def blank_secrets(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """A structlog processor: the values of fields that are named like secrets are not written."""
    for name in fields:
        if SECRET_FIELD.fullmatch(name):
            fields[name] = "…"
    return fields
