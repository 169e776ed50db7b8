"""Why a text was not sent or not delivered: the closed set of error codes, with a sentence each.

The letters say who reports it: RC this server, UP the upstream aggregator, CAR the recipient's carrier; of the number,
1xx informs, 4xx is about the text or its numbers, 5xx about a fault.

Source: wire contract, 6.4.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """As it stands in messages, events and rejected entries."""

    RC_410 = "SMS-RC-410"
    RC_413 = "SMS-RC-413"
    RC_430 = "SMS-RC-430"
    RC_500 = "SMS-RC-500"
    RC_501 = "SMS-RC-501"
    RC_503 = "SMS-RC-503"

    UP_410 = "SMS-UP-410"
    UP_411 = "SMS-UP-411"
    UP_412 = "SMS-UP-412"
    UP_413 = "SMS-UP-413"
    UP_430 = "SMS-UP-430"
    UP_431 = "SMS-UP-431"
    UP_500 = "SMS-UP-500"

    CAR_104 = "SMS-CAR-104"
    CAR_199 = "SMS-CAR-199"
    CAR_400 = "SMS-CAR-400"
    CAR_411 = "SMS-CAR-411"
    CAR_412 = "SMS-CAR-412"
    CAR_413 = "SMS-CAR-413"
    CAR_430 = "SMS-CAR-430"
    CAR_431 = "SMS-CAR-431"
    CAR_432 = "SMS-CAR-432"
    CAR_433 = "SMS-CAR-433"
    CAR_450 = "SMS-CAR-450"
    CAR_460 = "SMS-CAR-460"
    CAR_500 = "SMS-CAR-500"

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        return _SENTENCES[self]


_SENTENCES = {
    ErrorCode.RC_410: "The destination is not supported.",
    ErrorCode.RC_413: "The recipient has opted out of texts from this number.",
    ErrorCode.RC_430: "The text was held back by the spam filter.",
    ErrorCode.RC_500: "The text was not sent because of an internal error.",
    ErrorCode.RC_501: "The upstream carrier did not understand the request to send.",
    ErrorCode.RC_503: "The sending number is not provisioned for texts as it has to be.",
    ErrorCode.UP_410: "The upstream carrier does not know the destination.",
    ErrorCode.UP_411: "The upstream carrier found the destination invalid.",
    ErrorCode.UP_412: "The upstream carrier found the destination unavailable.",
    ErrorCode.UP_413: "The upstream carrier has the recipient as opted out.",
    ErrorCode.UP_430: "The upstream carrier held the text back as spam.",
    ErrorCode.UP_431: "The upstream carrier has blocked the sending number.",
    ErrorCode.UP_500: "The upstream carrier had a fault.",
    ErrorCode.CAR_104: "The recipient's carrier took the text and has not reported on it.",
    ErrorCode.CAR_199: "The recipient's carrier reported a status that is not known.",
    ErrorCode.CAR_400: "The recipient's carrier does not support the text.",
    ErrorCode.CAR_411: "The recipient's carrier does not know the number.",
    ErrorCode.CAR_412: "The recipient's phone can't be reached.",
    ErrorCode.CAR_413: "The recipient's carrier has the recipient as opted out.",
    ErrorCode.CAR_430: "The recipient's carrier held the text back as spam.",
    ErrorCode.CAR_431: "The recipient's carrier refused the text and gave no reason.",
    ErrorCode.CAR_432: "The text is too long for the recipient's carrier.",
    ErrorCode.CAR_433: "The recipient's carrier found the text malformed.",
    ErrorCode.CAR_450: "The sending number has sent more than the recipient's carrier allows.",
    ErrorCode.CAR_460: "The recipient's plan does not take texts from such numbers or short codes.",
    ErrorCode.CAR_500: "The recipient's carrier had a fault.",
}
