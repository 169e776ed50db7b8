"""Which inbound texts opt a recipient out, or in again.

A keyword counts when it is the whole text: case, white space around it and punctuation after it don't matter ("Stop.",
" STOP !"). "Please stop" is a message for the application, not for the opt-out service.

Source: wire contract, 6.5.
"""

from __future__ import annotations

import unicodedata

from bellwire.model.sms import ConsentStatus

OPT_OUT_KEYWORDS = frozenset({"STOP", "UNSUBSCRIBE", "QUIT", "CANCEL", "END"})
OPT_IN_KEYWORDS = frozenset({"START", "SUBSCRIBE", "RESUME", "CONTINUE", "UNSTOP"})

_MEANINGS = dict.fromkeys(OPT_OUT_KEYWORDS, ConsentStatus.OPT_OUT) | dict.fromkeys(
    OPT_IN_KEYWORDS, ConsentStatus.OPT_IN
)


def consent_change(text: str) -> ConsentStatus | None:
    """What the text makes of its sender's consent; None: it is no keyword."""
    return _MEANINGS.get(_bare(text).upper())


def _bare(text: str) -> str:
    """The text without white space around it, and without the punctuation after it. ASCII alone: all keywords are."""
    bare = text.lstrip()
    end = len(bare)
    while end and (bare[end - 1].isspace() or unicodedata.category(bare[end - 1]).startswith("P")):
        end -= 1
    bare = bare[:end]
    return bare if bare.isascii() else ""
