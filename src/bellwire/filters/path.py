"""The path of a filter or topic: which template it is of, and what is wrong with it if it is of none."""

from __future__ import annotations

import re

from bellwire.families import REGISTRY
from bellwire.families.registry import TemplateMatch, id_rule, is_id
from bellwire.filters.refusals import Flaw, printable

_UNFIT = re.compile(r"[^ -~]")
_ORIGIN = re.compile(r"https?://[^/]*", re.IGNORECASE)


def split_text(text: str, *, max_length: int) -> tuple[str, str | None, int]:
    """Path, query (None without question mark) and offset of the path, blanks at both ends left out.

    Raises:
        Flaw: too long, empty, not plain ASCII, a fragment, or no path.
    """
    if len(text) > max_length:
        raise Flaw(f"it is longer than {max_length} characters", position=max_length, found=text[max_length:][:20])
    bare = text.strip(" \t\r\n")
    if not bare:
        raise Flaw("it is empty", position=0, found="")
    start = text.index(bare[0])
    # Plain ASCII alone: so many characters are so many bytes, too.
    unfit = _UNFIT.search(bare)
    if unfit is not None:
        raise Flaw(
            f"it has the character U+{ord(unfit[0]):04X}, which must be percent-encoded",
            position=start + unfit.start(),
            found=unfit[0],
        )
    fragment = bare.find("#")
    if fragment >= 0:
        raise Flaw("it has a fragment (#)", position=start + fragment, found=bare[fragment:])
    path, question_mark, query = bare.partition("?")
    if not path.startswith("/"):
        origin = _ORIGIN.match(path)
        likely = path[origin.end() :] if origin is not None else "/" + path
        is_known = REGISTRY.match_shape(likely) is not None
        raise Flaw(
            "it is not a path, which begins with /",
            position=start,
            found=path,
            suggestion=likely if is_known else REGISTRY.nearest(likely),
        )
    return path, query if question_mark else None, start


def find_template(path: str, start: int) -> TemplateMatch:
    """The template whose shape the path has; its ids are still as written.

    Raises:
        Flaw: none has.
    """
    match = REGISTRY.match_shape(path)
    if match is not None:
        return match
    without_slash = path.rstrip("/")
    if without_slash != path and REGISTRY.match_shape(without_slash) is not None:
        raise Flaw(
            "a path does not end with /", position=start + len(without_slash), found="/", suggestion=without_slash
        )
    raise Flaw(
        f'no event is announced on "{printable(path)}"',
        position=start,
        found=path,
        suggestion=REGISTRY.nearest(path),
    )


def place_of(match: TemplateMatch, name: str, path: str, start: int) -> int:
    """Where in the text a placeholder's value stands."""
    before = path.split("/")[: match.template.path.split("/").index("{" + name + "}")]
    return start + len("/".join(before)) + 1


def check_id(match: TemplateMatch, name: str, path: str, start: int, *, hint: str = "") -> None:
    """
    Args:
        hint: what else may be written than an id.

    Raises:
        Flaw: the path's value can't stand for this placeholder.
    """
    value = match.values[name]
    if is_id(match.template, name, value):
        return
    raise Flaw(
        f"{name} is a placeholder: write the id{hint}"
        if value.startswith("{")
        else f"{name} is not {id_rule(match.template, name)}{hint}",
        position=place_of(match, name, path, start),
        found=value,
        allowed=tuple(match.template.path_values.get(name, ())),
    )
