"""Keywords of the opt-out service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.model.sms import ConsentStatus
from bellwire.sms.keywords import OPT_IN_KEYWORDS, OPT_OUT_KEYWORDS, consent_change


@pytest.mark.parametrize(
    "text", ["stop", "STOP", " Stop. ", "stop ", "Stop!!! ", "\nunsubscribe…", "quit", "End ?", "cancel。"]
)
def test_these_opt_out(text: str) -> None:
    assert consent_change(text) is ConsentStatus.OPT_OUT


@pytest.mark.parametrize("text", ["Start", "SUBSCRIBE", "resume", "Continue.", "unstop"])
def test_these_opt_in(text: str) -> None:
    assert consent_change(text) is ConsentStatus.OPT_IN


@pytest.mark.parametrize(
    "text",
    ["", " ", "...", "please stop", "stop it", "stopp", ".stop", "s t o p", "ſtop", "END\u200b", "ｓｔｏｐ", "help"],
)
def test_these_are_messages_for_the_application(text: str) -> None:
    assert consent_change(text) is None


@given(
    st.sampled_from(sorted(OPT_OUT_KEYWORDS | OPT_IN_KEYWORDS)),
    st.text(" \t\n\u00a0", max_size=3),
    st.text(" .!?,;:\n)", max_size=5),
    st.data(),
)
def test_case_white_space_around_and_punctuation_after_do_not_matter(
    keyword: str, before: str, after: str, data: st.DataObject
) -> None:
    written = "".join(data.draw(st.sampled_from([letter, letter.lower()])) for letter in keyword)
    expected = ConsentStatus.OPT_OUT if keyword in OPT_OUT_KEYWORDS else ConsentStatus.OPT_IN
    assert consent_change(before + written + after) is expected


@given(st.text(max_size=30))
def test_a_keyword_within_another_text_is_none(text: str) -> None:
    assert consent_change(f"x{text}stop") is None
