from __future__ import annotations

import pytest

from bellwire.engine.seed_document import MAX_SEED_BYTES, read_seed
from bellwire.errors import InvalidRequest
from bellwire.model.directory import Status


def places_of(text: str) -> list[str | None]:
    with pytest.raises(InvalidRequest) as refused:
        read_seed(text.encode())
    return [entry.parameter for entry in refused.value.entries]


def why_refused(text: bytes) -> str:
    with pytest.raises(InvalidRequest) as refused:
        read_seed(text)
    return refused.value.message


def test_plain_values_are_texts_so_that_numbers_need_no_quotes() -> None:
    document = read_seed(
        b"""
        accounts: [{id: 0042, companyName: 2026-11-23, mainNumber: +12025550100, status: Disabled}]
        extensions: [{id: 7, accountId: 0042, extensionNumber: 010, firstName: No, lastName: ~, isAdmin: true}]
        """.replace(b", lastName: ~", b"")
    )

    [account], [extension] = document.accounts, document.extensions
    assert (account.id, account.company_name, account.main_number) == ("0042", "2026-11-23", "+12025550100")
    assert account.status is Status.DISABLED
    assert (extension.extension_number, extension.first_name, extension.is_admin) == ("010", "No", True)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "~", "accounts: []\n", "{}"])
def test_an_empty_file_has_no_records(text: str) -> None:
    assert read_seed(text.encode()).accounts == ()


def test_json_is_read_too() -> None:
    [account] = read_seed(b'{"accounts": [{"id": "1", "companyName": "A", "mainNumber": null}]}').accounts

    assert (account.id, account.main_number) == ("1", None)


def test_every_problem_of_form_is_named_by_its_place() -> None:
    text = """
    accounts:
      - {id: "a b", companyName: Tern}
      - {companyName: "", colour: red}
    extensions: [{id: 1, accountId: 2, extensionNumber: 12345678901, firstName: Ida, isAdmin: perhaps}]
    numbers: [{accountId: 1, phoneNumber: 12025550100, features: [CallerId, Psychic]}]
    subscriptions: [{ownerId: 1, clientId: c, address: x, eventFilters: [], id: not-a-uuid, expiresIn: 0}]
    weather: [rain]
    """

    assert places_of(text) == [
        "accounts[0].id",
        "accounts[1].id",
        "accounts[1].companyName",
        "accounts[1].colour",
        "extensions[0].extensionNumber",
        "extensions[0].isAdmin",
        "numbers[0].phoneNumber",
        "numbers[0].features[1]",
        "subscriptions[0].id",
        "subscriptions[0].expiresIn",
        "weather",
    ]


def test_of_very_many_problems_the_first_hundred_are_named_and_the_others_counted() -> None:
    text = "accounts:\n" + "  - {id: 1}\n" * 150

    with pytest.raises(InvalidRequest) as refused:
        read_seed(text.encode())

    assert len(refused.value.entries) == 101
    assert refused.value.entries[-1].message == "There are 50 more problems"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"accounts: [", "line 1, column"),
        (b"accounts:\n  - {id: 1\n", "line "),
        (b"- accounts", "is a mapping"),
        (b"accounts: []\naccounts: []", "accounts is given twice (line 2, column 1)"),
        (b"a: &x [1]\nb: *x", "aliases are not allowed (line 2, column 4)"),
        (b"a: !!python/object/apply:os.system [true]", "could not determine a constructor for the tag"),
        (b"accounts: \xff", "is not UTF-8"),
        (b"[" * 5_000, "nested too deeply"),
        (b"#" * (MAX_SEED_BYTES + 1), f"at most {MAX_SEED_BYTES} bytes"),
    ],
)
def test_what_is_not_understood_is_refused_with_where_and_why(text: bytes, said: str) -> None:
    assert said in why_refused(text)


def test_a_password_is_not_repeated_where_it_is_refused() -> None:
    text = b"extensions: [{id: 1, accountId: 2, extensionNumber: 1, firstName: I, password: [hunter2]}]"

    assert "hunter2" not in why_refused(text)
