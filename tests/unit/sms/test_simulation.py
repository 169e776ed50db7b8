"""What the simulator does with which numbers, and that its documentation says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.sms.codes import ErrorCode
from bellwire.sms.simulation import SCRIPTS, Script, receipt_delay, script_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sms.md"


def test_the_documented_table_has_each_script_and_no_other() -> None:
    rows = [line for line in PAGE.read_text().partition("## The simulator")[2].splitlines() if line.startswith("| `")]
    documented = {ending: row.split("|")[2] for row in rows for ending in re.findall(r"`(\d{4})`", row.split("|")[1])}
    assert documented.keys() == SCRIPTS.keys()
    for ending, script in SCRIPTS.items():
        said = documented[ending]
        if script.refusal is not None:
            assert "`SendingFailed`" in said and script.refusal.startswith(re.findall(r"SMS-\w+-", said)[0])
        elif script.failure is not None:
            assert "`DeliveryFailed`" in said and script.failure.startswith("SMS-CAR-")
        elif script.reply is not None:
            assert script.reply.partition("{")[0].strip() in said
        else:
            assert script.peculiarity.value in said


def test_each_error_code_can_be_had() -> None:
    had = {script.refusal or script.failure for script in SCRIPTS.values()}
    assert had - {None} == set(ErrorCode)


@pytest.mark.parametrize("recipient", ["+14155550101", "+12125559999", "+18005550000"])
def test_any_other_number_is_delivered(recipient: str) -> None:
    assert script_of(recipient) == Script()


@given(st.integers(0, 1 << 31), st.integers(1), st.floats(0, 3600))
def test_a_delay_is_between_half_and_one_and_a_half_of_the_mean_and_always_the_same(
    seed: int, message: int, mean: float
) -> None:
    delay = receipt_delay(seed, str(message), mean)
    assert 0.5 * mean <= delay <= 1.5 * mean
    assert delay == receipt_delay(seed, str(message), mean)
