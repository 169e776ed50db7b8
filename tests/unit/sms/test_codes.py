"""The closed set of error codes."""

from __future__ import annotations

import re

from bellwire.sms.codes import ErrorCode

CONTRACT = {
    "RC": {410, 413, 430, 500, 501, 503},
    "UP": {410, 411, 412, 413, 430, 431, 500},
    "CAR": {104, 199, 400, 411, 412, 413, 430, 431, 432, 433, 450, 460, 500},
}


def test_the_set_is_that_of_the_contract() -> None:
    assert {str(code) for code in ErrorCode} == {
        f"SMS-{group}-{number}" for group, numbers in CONTRACT.items() for number in numbers
    }


def test_each_code_has_a_plain_sentence_of_its_own() -> None:
    sentences = [code.sentence for code in ErrorCode]
    assert len(set(sentences)) == len(sentences)
    assert all(re.fullmatch(r"[A-Z][^.]{20,100}\.", sentence) for sentence in sentences)


def test_a_code_is_found_by_its_spelling() -> None:
    assert ErrorCode("SMS-CAR-413") is ErrorCode.CAR_413
