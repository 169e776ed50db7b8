"""Reading `POST …/a2p-sms/batches` as it comes: chunks of JSON in, entries out, in the memory of one chunk.

The body is an object with `from`, `text` and `messages` in any order. Fields that nobody knows are passed over. The
parser is ijson's C backend, whose events drive a plain coroutine, one `yield` for each, so that the grammar can be
read from top to bottom. What can be said of an entry by itself is said here, with the field's name as the caller
wrote it (`messages[3].text`, from 0); what needs the whole request is said at its end.

Source: wire contract, 6.1.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import ijson
import ijson.backends.yajl2_c as yajl

from bellwire.errors import InvalidRequest

MAX_TEXT_LENGTH = 1000
MAX_DEPTH = 64
"""Of values that are passed over: more is no request of anybody's."""

_Events = Generator[None, tuple[str, Any], None]
_OPENS = frozenset({"start_map", "start_array"})
_CLOSES = frozenset({"end_map", "end_array"})
_UNREADABLE = (ijson.JSONError, UnicodeDecodeError)
"""Beside what is not JSON: bytes that are not UTF-8."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of `messages`, as it was written."""

    to: str
    text: str | None


class BatchRequestReader:
    """One request. `feed` its chunks, then call `end`."""

    def __init__(self) -> None:
        self.sender: str | None = None
        """`from`, once it was read."""
        self.text: str | None = None
        """The text of entries without their own, once it was read."""
        self.count = 0
        """Entries so far."""
        self._first_without_text: int | None = None
        self._entries: list[Entry] = []
        self._saw_messages = False
        machine = self._read()
        next(machine)
        # Numbers as floats: of an integer with more digits than Python converts (4,300), ijson 3.6 would send NULL on
        # and crash the process. As a float it is out of range, and so an error of the parser.
        self._parser = yajl.basic_parse_coro(machine, use_float=True)

    def feed(self, chunk: bytes) -> list[Entry]:
        """The entries that this chunk completes, in order.

        Raises:
            InvalidRequest: CMN-103 it is not JSON, CMN-101 a field is not what it has to be.
        """
        if not chunk:
            return []  # to the parser it would be the end
        try:
            self._parser.send(chunk)
        except _UNREADABLE as malformed:
            raise InvalidRequest("CMN-103", "JSON can't be parsed") from malformed
        entries, self._entries = self._entries, []
        return entries

    def end(self) -> None:
        """The body is over; now `sender` and `text` are final.

        Raises:
            InvalidRequest: it ended too early, or something that is required did not come.
        """
        try:
            self._parser.close()
        except _UNREADABLE as malformed:
            raise InvalidRequest("CMN-103", "JSON can't be parsed: it ends too early") from malformed
        if self.sender is None:
            raise bad("from", "it is required")
        if not self.count:
            raise bad("messages", "at least one message is required" if self._saw_messages else "it is required")
        if self.text is None and self._first_without_text is not None:
            raise bad(
                f"messages[{self._first_without_text}].text", "it is required, since the batch has no text of its own"
            )

    def _read(self) -> _Events:
        event, _ = yield
        if event != "start_map":
            raise InvalidRequest("CMN-101", "The request body is invalid: a JSON object is expected")
        while True:
            event, name = yield
            if event == "end_map":
                break
            event, value = yield
            match name:
                case "messages":
                    yield from self._read_messages(event)
                case "from":
                    if self.sender is not None:
                        raise bad("from", "it is there twice")
                    self.sender = _string_or_none("from", event, value)
                case "text":
                    self.text = _text_or_none("text", event, value)
                case _:
                    yield from _pass_over(event)
        while True:
            yield  # the parser refuses what comes after the object

    def _read_messages(self, event: str) -> _Events:
        if event != "start_array":
            raise bad("messages", "a list is expected")
        if self._saw_messages:
            raise bad("messages", "it is there twice")
        self._saw_messages = True
        while True:
            event, _ = yield
            if event == "end_array":
                return
            if event != "start_map":
                raise bad(f"messages[{self.count}]", "a JSON object is expected")
            yield from self._read_entry()

    def _read_entry(self) -> _Events:
        to: str | None = None
        text: str | None = None
        while True:
            event, name = yield
            if event == "end_map":
                break
            event, value = yield
            if name == "to":
                place = f"messages[{self.count}].to"
                if event != "start_array":
                    raise bad(place, "a list of one phone number is expected")
                event, to = yield
                if event != "string":
                    raise bad(place, "a list of one phone number is expected")
                event, _ = yield
                if event != "end_array":
                    raise bad(place, "only one phone number is supported")
            elif name == "text":
                text = _text_or_none(f"messages[{self.count}].text", event, value)
            else:
                yield from _pass_over(event)
        if to is None:
            raise bad(f"messages[{self.count}].to", "it is required")
        if text is None and self._first_without_text is None:
            self._first_without_text = self.count
        self._entries.append(Entry(to, text))
        self.count += 1


def bad(parameter: str, reason: str, value: str | None = None) -> InvalidRequest:
    """The refusal of one parameter."""
    return InvalidRequest(
        "CMN-101", f"Parameter [{parameter}] value is invalid: {reason}", parameter=parameter, value=value
    )


def _pass_over(event: str) -> _Events:
    """Let a value go by, whatever is in it."""
    depth = 0
    while True:
        depth += (event in _OPENS) - (event in _CLOSES)
        if not depth:
            return
        if depth > MAX_DEPTH:
            raise InvalidRequest("CMN-103", f"JSON can't be parsed: it is nested more than {MAX_DEPTH} deep")
        event, _ = yield


def _string_or_none(place: str, event: str, value: Any) -> str | None:
    if event == "null":
        return None
    if event != "string":
        raise bad(place, "a string is expected")
    assert isinstance(value, str)
    return value


def _text_or_none(place: str, event: str, value: Any) -> str | None:
    """An empty text is none."""
    text = _string_or_none(place, event, value)
    if text is not None and len(text) > MAX_TEXT_LENGTH:
        raise bad(place, f"it has {len(text)} characters; at most {MAX_TEXT_LENGTH} are allowed")
    return text or None
