"""Which family and template a path belongs to, and on which topics an event is announced.

Paths are found in a tree of their segments. A literal never stands beside a placeholder, so there is no going back.

A path has a *shape* that fits a template when its segments do; it *matches* when its ids are concrete and well-formed,
too. The filter parser works on shapes, to say what is wrong with an id and to resolve `~`; all else asks for matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from bellwire.families.declaration import EventFamily, Relations, Template
from bellwire.model.ids import AccountId

MAX_PATH_LENGTH = 2048
MAX_SEGMENTS = 24

_COMPARED_LENGTH = 200
"""Characters of a wrong path that are compared with the templates."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_DECIMAL_ID = re.compile(r"[0-9]{1,20}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")
_DECIMAL_NAMES = frozenset({"accountId", "extensionId"})


@dataclass(frozen=True, slots=True)
class TemplateMatch:
    """A path, recognised. `topic` is its canonical spelling: an alias is replaced by the template that it means."""

    family: EventFamily
    template: Template
    values: dict[str, str]
    topic: str
    index: int
    """Of the template in its family."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    placeholder: str = ""
    any_value: _Node | None = None
    leaf: tuple[EventFamily, Template, int, bool] | None = None
    """Family, template, index of the template, and whether the path is an alias."""


class Registry:
    """The families of one program. Immutable after construction."""

    def __init__(self, families: Iterable[EventFamily]) -> None:
        """
        Raises:
            ValueError: two families of one name, two templates of one path, a placeholder beside a literal segment, or
                a family of which only some templates name the account.
        """
        self.families: tuple[EventFamily, ...] = tuple(families)
        self._by_name = {family.name: family for family in self.families}
        if len(self._by_name) != len(self.families):
            raise ValueError("two event families have the same name")
        self._root = _Node()
        self._has_account: dict[Template, bool] = {}
        self._shapes: list[tuple[str, str]] = []
        for family in self.families:
            self._add(family)

    def _add(self, family: EventFamily) -> None:
        for index, template in enumerate(family.templates):
            self._has_account[template] = "{accountId}" in template.path
            for path in (template.path, *template.aliases):
                self._shapes.append((_shape_of(path), path))
                node = self._root
                for segment in path.split("/")[1:]:
                    node = _child(node, segment, path)
                if node.leaf is not None:
                    raise ValueError(f"two templates have the path {path}")
                node.leaf = (family, template, index, path is not template.path)
        if len({self._has_account[template] for template in family.templates}) > 1:
            raise ValueError(f"only some templates of {family.name} name the account")

    def by_name(self, name: str) -> EventFamily | None:
        return self._by_name.get(name)

    def match(self, path: str) -> TemplateMatch | None:
        """The template that a concrete path, without query, is an instance of. `~` is not concrete."""
        found = self.match_shape(path)
        if found is None:
            return None
        for name, value in found.values.items():
            if not is_id(found.template, name, value):
                return None
        return found

    def match_shape(self, path: str) -> TemplateMatch | None:
        """As `match`, with any non-empty text taken for an id, `~` too."""
        if len(path) > MAX_PATH_LENGTH:
            return None
        segments = path.split("/", MAX_SEGMENTS + 1)
        if len(segments) > MAX_SEGMENTS + 1 or segments[0]:
            return None
        node = self._root
        values: dict[str, str] = {}
        for segment in segments[1:]:
            child = node.literals.get(segment)
            if child is None:
                child = node.any_value
                if child is None or not segment:
                    return None
                values[node.placeholder] = segment
            node = child
        if node.leaf is None:
            return None
        family, template, index, is_alias = node.leaf
        return TemplateMatch(family, template, values, filled(template.path, values) if is_alias else path, index)

    def topics_of(self, match: TemplateMatch, account: AccountId, relations: Relations) -> list[str]:
        """All topics that an event published on the matched one is announced on: that one first, each once."""
        derived = match.family.derived_topics
        if match.index or derived is None:
            return [match.topic]
        return list(dict.fromkeys((match.topic, *derived(match.values, account, relations))))

    def topic_key(self, account: AccountId, topic: str, template: Template) -> str:
        """What the filter index files a topic under: unique over all accounts.

        Derived topics have the published topic's `template` for this purpose: in a family, all templates name the
        account, or none does.
        """
        return topic if self._has_account[template] else f"{account} {topic}"

    def nearest(self, path: str) -> str:
        """The template or alias most like a wrong path, for an error message."""
        shape = _shape_of(path[:_COMPARED_LENGTH])
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(shape)
        best, best_ratio = "", -1.0
        for candidate, template in self._shapes:
            matcher.set_seq1(candidate)
            if matcher.real_quick_ratio() <= best_ratio or matcher.quick_ratio() <= best_ratio:
                continue
            ratio = matcher.ratio()
            if ratio > best_ratio:
                best, best_ratio = template, ratio
        return best


def is_id(template: Template, name: str, value: str) -> bool:
    """Whether a value may stand for a template's placeholder."""
    allowed = template.path_values.get(name)
    if allowed is not None:
        return value in allowed
    pattern = _DECIMAL_ID if name in _DECIMAL_NAMES else _ID
    return pattern.fullmatch(value) is not None


def id_rule(template: Template, name: str) -> str:
    """What `is_id` asks of a value, in words."""
    if name in template.path_values:
        return f"a {name} that is known"
    if name in _DECIMAL_NAMES:
        return "1 to 20 digits"
    return "1 to 128 letters, digits, dots, colons, hyphens and underscores"


def filled(path: str, values: dict[str, str]) -> str:
    """A template's path with its placeholders replaced."""
    return path.format_map(values)


def placeholders(path: str) -> Sequence[str]:
    """Names of a template's placeholders, in order."""
    return _PLACEHOLDER.findall(path)


def _child(node: _Node, segment: str, path: str) -> _Node:
    name = _PLACEHOLDER.fullmatch(segment)
    if name is None:
        if node.any_value is not None:
            raise ValueError(f"{path}: {segment} stands beside a placeholder")
        return node.literals.setdefault(segment, _Node())
    if node.literals or node.placeholder not in ("", name[1]):
        raise ValueError(f"{path}: {segment} stands beside other segments")
    node.placeholder = name[1]
    if node.any_value is None:
        node.any_value = _Node()
    return node.any_value


def _shape_of(path: str) -> str:
    """A path with all ids and placeholders alike, so that only its words are compared."""
    return "/".join("*" if _looks_like_id(segment) else segment for segment in path.split("/"))


def _looks_like_id(segment: str) -> bool:
    return segment == "~" or segment.startswith("{") or segment.isdigit()
