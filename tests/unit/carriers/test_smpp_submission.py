from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.carriers.smpp_submission import Submission
from bellwire.carriers.smpp_texts import Spelling, submits_of
from bellwire.model.sms import MessageId, NotNow, OutgoingText, Refused, Submitted, SubmitUnknown
from bellwire.sms.codes import ErrorCode

TEXT = OutgoingText(MessageId("1"), "+16505550180", "+16505550142", "x" * 400)
AGAIN = 7.0


def a_submission(*fates: str) -> Submission:
    """Of three parts. taken, refused, not_now, unknown, written or waiting, in order."""
    submission = Submission(TEXT, submits_of(TEXT, Spelling(), reference=1))
    for part, fate in enumerate(fates):
        if fate != "waiting":
            submission.written(part)
        match fate:
            case "taken":
                submission.taken(part, f"id-{part}")
            case "refused":
                submission.refused(part, ErrorCode.UP_410)
            case "not_now":
                submission.postponed(part)
            case "unknown":
                submission.unknown(part)
    return submission


@pytest.mark.parametrize(
    ("fates", "outcome"),
    [
        (("taken", "taken", "taken"), Submitted(("id-0", "id-1", "id-2"))),
        (("taken", "refused", "taken"), Refused("SMS-UP-410")),
        (("unknown", "refused", "waiting"), Refused("SMS-UP-410")),
        (("taken", "unknown", "waiting"), SubmitUnknown()),
        (("not_now", "waiting", "waiting"), NotNow(AGAIN)),
        (("not_now", "not_now", "not_now"), NotNow(AGAIN)),
        (("not_now", "unknown", "waiting"), SubmitUnknown()),
        (("taken", "not_now", "not_now"), None),
        (("taken", "waiting", "waiting"), None),
        (("written", "refused", "waiting"), None),
        (("waiting", "waiting", "waiting"), None),
    ],
)
def test_what_the_parts_come_to_together(fates: tuple[str, ...], outcome: object) -> None:
    assert a_submission(*fates).outcome(AGAIN) == outcome


@pytest.mark.parametrize(
    ("fates", "outcome"),
    [
        (("waiting", "waiting", "waiting"), NotNow(AGAIN)),
        (("taken", "waiting", "waiting"), SubmitUnknown()),
        (("taken", "not_now", "waiting"), SubmitUnknown()),
        (("written", "waiting", "waiting"), SubmitUnknown()),
        (("taken", "taken", "taken"), Submitted(("id-0", "id-1", "id-2"))),
    ],
)
def test_what_they_come_to_when_nothing_more_is_written(fates: tuple[str, ...], outcome: object) -> None:
    assert a_submission(*fates).abandoned(AGAIN) == outcome


def test_the_rest_of_a_half_taken_text_goes_on() -> None:
    submission = a_submission("taken", "not_now", "waiting")

    assert submission.is_held_up
    submission.resume()
    assert submission.next_part == 1


def test_nothing_more_is_written_of_a_text_that_is_decided() -> None:
    assert a_submission("refused", "waiting", "waiting").next_part is None
    assert a_submission("unknown", "waiting", "waiting").next_part is None
    assert a_submission("not_now", "waiting", "waiting").next_part is None
    assert a_submission("written", "waiting", "waiting").next_part == 1


def test_an_id_that_was_not_given_is_none() -> None:
    submission = Submission(TEXT, submits_of(TEXT, Spelling(), reference=1)[:1])
    submission.written(0)
    submission.taken(0, "")

    assert submission.outcome(0) == Submitted(())


FATES = st.sampled_from(["taken", "refused", "not_now", "unknown", "written", "waiting"])


@given(st.tuples(FATES, FATES, FATES))
def test_only_what_surely_reached_nobody_goes_back(fates: tuple[str, str, str]) -> None:
    outcome = a_submission(*fates).abandoned(AGAIN)

    if isinstance(outcome, NotNow):
        assert set(fates) <= {"not_now", "waiting"}
    if isinstance(outcome, Submitted):
        assert set(fates) == {"taken"}
    if "refused" in fates and "written" not in fates:
        assert isinstance(outcome, Refused)
