"""Which template a path belongs to, and on which topics an event is announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.families import REGISTRY, Registry
from bellwire.families.body import Body
from bellwire.families.declaration import EventFamily, Template
from bellwire.families.ordering import by_id
from bellwire.families.registry import MAX_PATH_LENGTH
from bellwire.model.ids import AccountId, ExtensionId

ACCOUNT = AccountId("1")
PATHS = [path for family in REGISTRY.families for one in family.templates for path in (one.path, *one.aliases)]


class Directory:
    """Extension 7 is monitored by 8 and 9, and a favorite of 9 and 10."""

    def watchers_of_line(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return [ExtensionId("8"), ExtensionId("9"), ExtensionId("8")] if extension == "7" else []

    def admirers_of(self, extension: ExtensionId) -> Sequence[ExtensionId]:
        return [ExtensionId("9"), ExtensionId("10")] if extension == "7" else []


def family(name: str, *paths: str) -> EventFamily:
    class AnyBody(Body):
        """Anything."""

    templates = tuple(Template(path=path, permission=None) for path in paths)
    return EventFamily(
        name=name, title=name, description=name, templates=templates, body=AnyBody, sample={}, ordering_key=by_id
    )


def test_path_is_taken_apart() -> None:
    match = REGISTRY.match("/restapi/v1.0/account/1/extension/7/presence/line")

    assert match is not None
    assert match.family.name == "presence_line"
    assert match.values == {"accountId": "1", "extensionId": "7"}
    assert match.topic == "/restapi/v1.0/account/1/extension/7/presence/line"


def test_index_tells_the_most_specific_template() -> None:
    specific = REGISTRY.match("/restapi/v1.0/account/1/a2p-sms/batches/b-1")
    general = REGISTRY.match("/restapi/v1.0/account/1/a2p-sms/batches")

    assert specific is not None
    assert general is not None
    assert (specific.index, general.index) == (0, 1)
    assert specific.family is general.family


@pytest.mark.parametrize("alias", ["/team-messaging/v1/chats", "/restapi/v1.0/glip/groups"])
def test_alias_means_the_canonical_topic(alias: str) -> None:
    match = REGISTRY.match(alias)

    assert match is not None
    assert match.topic == "/team-messaging/v1/groups"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "restapi/v1.0/account/1/presence",
        "/restapi/v1.0/account/1/presence/",
        "/restapi/v1.0/account//presence",
        "/restapi/v1.0/account/1",
        "/restapi/v1.0/account/1/extension/7/presence/line/presence/more",
        "/restapi/v1.0/account/~/presence",
        "/restapi/v1.0/account/one/presence",
        "/restapi/v1.0/account/１/presence",
        "/restapi/v1.0/account/123456789012345678901/presence",
        "/restapi/v1.0/account/1/presence?sipData=true",
        "/restapi/v1.0/account/1/a2p-sms/batches/b%201",
        "/restapi/v1.0/account/1/a2p-sms/batches/b\x001",
        "/restapi/v1.0/account/1/a2p-sms/batches/b\n",
        "/restapi/v1.0/account/1/a2p-sms/batches/" + "b" * 129,
        "/ai/ringsense/v1/public/accounts/1/domains/other/insights",
        "/Restapi/v1.0/account/1/presence",
        "/restapi/v1.0/account/" + "1" * MAX_PATH_LENGTH,
        "/" * 100,
    ],
)
def test_what_no_template_fits_is_no_match(path: str) -> None:
    assert REGISTRY.match(path) is None


def test_shape_takes_tilde_and_malformed_ids() -> None:
    match = REGISTRY.match_shape("/restapi/v1.0/account/~/extension/{extensionId}/presence")

    assert match is not None
    assert match.values == {"accountId": "~", "extensionId": "{extensionId}"}


@given(st.text(max_size=300))
def test_any_text_is_matched_or_not_without_an_error(text: str) -> None:
    assert REGISTRY.match(text) is None or text in PATHS


class TestTopics:
    def announced(self, path: str) -> list[str]:
        match = REGISTRY.match(path)
        assert match is not None
        return REGISTRY.topics_of(match, ACCOUNT, Directory())

    def test_session_of_an_extension_is_one_of_the_account_too(self) -> None:
        assert self.announced("/restapi/v1.0/account/1/extension/7/telephony/sessions") == [
            "/restapi/v1.0/account/1/extension/7/telephony/sessions",
            "/restapi/v1.0/account/1/telephony/sessions",
        ]

    def test_session_published_for_the_account_stays_there(self) -> None:
        assert self.announced("/restapi/v1.0/account/1/telephony/sessions") == [
            "/restapi/v1.0/account/1/telephony/sessions"
        ]

    def test_batch_is_one_of_the_accounts_batches(self) -> None:
        assert self.announced("/restapi/v1.0/account/1/a2p-sms/batches/b-1") == [
            "/restapi/v1.0/account/1/a2p-sms/batches/b-1",
            "/restapi/v1.0/account/1/a2p-sms/batches",
        ]

    def test_presence_is_told_to_account_watchers_and_admirers_once_each(self) -> None:
        assert self.announced("/restapi/v1.0/account/1/extension/7/presence") == [
            "/restapi/v1.0/account/1/extension/7/presence",
            "/restapi/v1.0/account/1/presence",
            "/restapi/v1.0/account/1/extension/8/presence/line/presence",
            "/restapi/v1.0/account/1/extension/9/presence/line/presence",
            "/restapi/v1.0/account/1/extension/9/favorite/presence",
            "/restapi/v1.0/account/1/extension/10/favorite/presence",
        ]

    def test_presence_of_an_extension_that_nobody_watches(self) -> None:
        assert self.announced("/restapi/v1.0/account/1/extension/8/presence") == [
            "/restapi/v1.0/account/1/extension/8/presence",
            "/restapi/v1.0/account/1/presence",
        ]

    def test_post_has_one_topic(self) -> None:
        assert self.announced("/restapi/v1.0/glip/posts") == ["/team-messaging/v1/posts"]


class TestKeys:
    def test_topic_that_names_the_account_is_its_own_key(self) -> None:
        match = REGISTRY.match("/restapi/v1.0/account/1/presence")
        assert match is not None

        assert REGISTRY.topic_key(ACCOUNT, match.topic, match.template) == match.topic

    def test_topic_without_account_gets_it(self) -> None:
        match = REGISTRY.match("/team-messaging/v1/posts")
        assert match is not None

        assert REGISTRY.topic_key(ACCOUNT, match.topic, match.template) == "1 /team-messaging/v1/posts"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        (
            "/restapi/v1.0/account/~/extension/~/message-stores",
            "/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store",
        ),
        ("/restapi/v1.0/account/405/telephony/session", "/restapi/v1.0/account/{accountId}/telephony/sessions"),
        ("/team-messaging/v1/post", "/team-messaging/v1/posts"),
        ("/webinar/runtime/v1/company/session/state", "/webinar/runtime/v1/company/sessions/state"),
    ],
)
def test_nearest_template_is_found_for_a_slip(wrong: str, meant: str) -> None:
    assert REGISTRY.nearest(wrong) == meant


@given(st.text(max_size=3000))
def test_nearest_is_a_template_whatever_the_text(text: str) -> None:
    assert REGISTRY.nearest(text) in PATHS


def test_family_is_found_by_name() -> None:
    found = REGISTRY.by_name("presence")

    assert found is not None
    assert found.name == "presence"
    assert REGISTRY.by_name("absence") is None


class TestDeclarationsThatContradictEachOther:
    def test_two_families_of_one_name_are_refused(self) -> None:
        with pytest.raises(ValueError, match="same name"):
            Registry([family("a", "/a"), family("a", "/b")])

    def test_two_templates_of_one_path_are_refused(self) -> None:
        with pytest.raises(ValueError, match="two templates have the path /a"):
            Registry([family("a", "/a"), family("b", "/a")])

    def test_alias_that_is_another_template_is_refused(self) -> None:
        aliased = family("b", "/b")
        aliased = replace(aliased, templates=(replace(aliased.templates[0], aliases=("/a",)),))

        with pytest.raises(ValueError, match="two templates"):
            Registry([family("a", "/a"), aliased])

    @pytest.mark.parametrize(("first", "second"), [("/x/{id}", "/x/y"), ("/x/y", "/x/{id}"), ("/x/{a}", "/x/{b}/z")])
    def test_placeholder_beside_another_segment_is_refused(self, first: str, second: str) -> None:
        with pytest.raises(ValueError, match="beside"):
            Registry([family("a", first), family("b", second)])

    def test_family_of_which_only_some_templates_name_the_account_is_refused(self) -> None:
        with pytest.raises(ValueError, match="only some templates"):
            Registry([family("a", "/a/{accountId}", "/b")])
