"""Wire contract, 3.6, against the whole server: cases 47 to 51, and the rules that have no case."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import trustme

from bellwire.testing.receiver import Answer, ReceivedRequest, Reply, WebhookReceiver
from tests.e2e.conformance.stage import GENERAL, WEBINAR, Stage, assert_refused, conforming_server, set_stage
from tests.e2e.in_process import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
WEBINAR_SESSIONS = "/webinar/configuration/v1/company/sessions"
JSON_TYPE = ("Content-Type", "application/json")
ADDRESS = "deliveryMode.address"


def echo(request: ReceivedRequest) -> tuple[str, str]:
    return ("Validation-Token", request.validation_token or "")


def sized(total: int, *, body: bytes = b"") -> Answer:
    """A right answer whose header lines and body have so many bytes together."""

    def answer(request: ReceivedRequest) -> Reply:
        headers = f"Validation-Token: {request.validation_token}\r\nContent-Type: application/json\r\n"
        headers += f"Content-Length: {len(body)}\r\n"
        filler = "x" * (total - len(body) - len(headers) - len("X: \r\n"))
        return Reply(raw=f"HTTP/1.1 200 OK\r\n{headers}X: {filler}\r\n\r\n".encode() + body)

    return answer


@pytest.mark.parametrize(("path", "wanted"), [(GENERAL, PRESENCE), (WEBINAR, WEBINAR_SESSIONS)])
async def test_case_47_one_empty_post_with_a_token_comes_before_the_subscription_exists(
    stage: Stage, path: str, wanted: str
) -> None:
    stage.receiver.handshake = lambda request: Reply(headers=(echo(request), JSON_TYPE), delay_seconds=0.2)
    creating = asyncio.create_task(stage.create(wanted, path=path, mode={"verificationToken": "t0ken"}))
    await stage.receiver.wait_until(lambda: bool(stage.receiver.handshakes))
    assert await stage.listed(path) == []
    assert (await creating).is_success
    assert len(await stage.listed(path)) == 1
    (handshake,) = stage.receiver.handshakes
    assert (handshake.method, handshake.target, handshake.body) == ("POST", "/webhook", b"")
    assert handshake.headers["content-length"] == "0"
    assert handshake.headers["verification-token"] == "t0ken"
    assert len(handshake.validation_token or "") >= 16
    assert stage.receiver.notifications == []


async def test_each_handshake_has_its_own_token_and_none_to_verify_unless_one_was_given(stage: Stage) -> None:
    await stage.subscribe(PRESENCE)
    await stage.subscribe(PRESENCE)
    first, second = stage.receiver.handshakes
    assert first.validation_token != second.validation_token
    assert "verification-token" not in first.headers


@pytest.mark.parametrize(
    "answer",
    [
        Reply(),
        Reply(headers=(("Validation-Token", ""), JSON_TYPE)),
        Reply(headers=(("Validation-Token", "another"), JSON_TYPE)),
        Reply(headers=(("Verification-Token", "another"), JSON_TYPE)),
    ],
)
async def test_case_48_without_the_right_echo_it_is_sub_520_and_nothing_is_stored(stage: Stage, answer: Reply) -> None:
    stage.receiver.handshake = lambda _: answer
    assert_refused(await stage.create(PRESENCE), 400, "SUB-520", ADDRESS)
    assert len(stage.receiver.handshakes) == 1
    assert await stage.listed() == []
    await stage.publish(stage.presence())
    await stage.settle()
    assert stage.receiver.notifications == []


async def test_an_echo_of_another_letter_case_is_no_echo(stage: Stage) -> None:
    stage.receiver.handshake = lambda request: Reply(
        headers=((echo(request)[0], echo(request)[1].swapcase()), JSON_TYPE)
    )
    assert_refused(await stage.create(PRESENCE), 400, "SUB-520", ADDRESS)


async def test_case_49_an_answer_after_three_seconds_is_too_late_and_one_just_before_is_not(stage: Stage) -> None:
    async with WebhookReceiver() as punctual:
        punctual.handshake = lambda request: Reply(headers=(echo(request), JSON_TYPE), delay_seconds=2.6)
        stage.receiver.handshake = lambda request: Reply(headers=(echo(request), JSON_TYPE), delay_seconds=3.2)
        late, in_time = await asyncio.gather(
            stage.create(PRESENCE), stage.create(PRESENCE, mode={"address": punctual.url})
        )
    assert_refused(late, 400, "SUB-521", ADDRESS)
    assert in_time.status_code == 200
    assert [record["deliveryMode"]["address"] for record in await stage.listed()] == [punctual.url]


async def test_an_address_where_nobody_listens_or_that_hangs_up_is_sub_521(stage: Stage) -> None:
    stage.receiver.handshake = lambda _: Reply(raw=b"", hangs_up=True)
    assert_refused(await stage.create(PRESENCE), 400, "SUB-521", ADDRESS)
    await stage.receiver.stop()
    assert_refused(await stage.create(PRESENCE), 400, "SUB-521", ADDRESS)


@pytest.mark.parametrize("status", [201, 202, 204, 301, 307, 400, 404, 500, 503])
async def test_case_50_every_status_but_200_is_sub_525(stage: Stage, status: int) -> None:
    stage.receiver.handshake = lambda request: Reply(status=status, headers=(echo(request), JSON_TYPE))
    message = assert_refused(await stage.create(PRESENCE), 400, "SUB-525", ADDRESS)
    assert str(status) in message
    assert await stage.listed() == []


@pytest.mark.parametrize("body", [b"", b"{}", b" " * 500])
async def test_case_50_1024_bytes_of_headers_and_body_are_accepted_and_1025_are_not(stage: Stage, body: bytes) -> None:
    stage.receiver.handshake = sized(1025, body=body)
    assert_refused(await stage.create(PRESENCE), 400, "SUB-525", ADDRESS)
    stage.receiver.handshake = sized(1024, body=body)
    assert (await stage.create(PRESENCE)).status_code == 200


async def test_a_redirect_is_not_followed(stage: Stage) -> None:
    async with WebhookReceiver() as elsewhere:
        stage.receiver.handshake = lambda _: Reply(status=302, headers=(("Location", elsewhere.url),))
        assert_refused(await stage.create(PRESENCE), 400, "SUB-525", ADDRESS)
        assert elsewhere.handshakes == []


async def test_the_content_type_of_the_answer_is_not_insisted_upon(stage: Stage) -> None:
    """Official sample handlers in PHP and Ruby do not set it (3.6)."""
    stage.receiver.handshake = lambda request: Reply(headers=(echo(request),))
    assert (await stage.create(PRESENCE)).status_code == 200


async def test_neither_update_nor_renewal_calls_the_address_of_an_active_subscription(stage: Stage) -> None:
    made = await stage.subscribe(PRESENCE)
    stage.receiver.handshake = lambda _: Reply(status=500)
    assert (await stage.call("PUT", made["uri"], json={"eventFilters": [PRESENCE]})).status_code == 200
    assert (await stage.call("POST", made["uri"] + "/renew")).status_code == 200
    assert len(stage.receiver.handshakes) == 1


# As in production: https alone, by the certificates of known authorities; and strict about the content type.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def production(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> AsyncIterator[Running]:
    directory = tmp_path_factory.mktemp("production")
    trusted = directory / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    environment = {
        "BELLWIRE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "BELLWIRE_WEBHOOK_CA_FILE": str(trusted),
        "BELLWIRE_WEBHOOK_STRICT_CONTENT_TYPE": "true",
    }
    async with conforming_server(directory / "data", dev=False, environment=environment) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def strict(production: Running) -> AsyncIterator[Stage]:
    async with set_stage(production) as stage:
        yield stage


def serving(certificate: trustme.LeafCert, *, chain: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if chain:
        certificate.configure_cert(context)
    else:
        with certificate.cert_chain_pems[0].tempfile() as leaf, certificate.private_key_pem.tempfile() as key:
            context.load_cert_chain(leaf, key)
    return context


async def test_case_51_an_http_address_in_production_is_sub_523_and_is_not_called(strict: Stage) -> None:
    assert_refused(await strict.create(PRESENCE), 400, "SUB-523", ADDRESS)
    assert strict.receiver.handshakes == []


async def test_case_51_a_broken_chain_is_sub_524(strict: Stage, authority: trustme.CA) -> None:
    certificate = authority.create_child_ca().issue_cert("127.0.0.1")
    async with WebhookReceiver(tls=serving(certificate, chain=False)) as receiver:
        answer = await strict.create(PRESENCE, mode={"address": receiver.url})
        assert_refused(answer, 400, "SUB-524", ADDRESS)
        assert receiver.handshakes == []
    async with WebhookReceiver(tls=serving(certificate)) as receiver:
        made = await strict.subscribe(PRESENCE, mode={"address": receiver.url})
        await strict.publish(strict.presence())
        (notification,) = await receiver.wait_for(1)
        assert notification.json()["subscriptionId"] == made["id"]


@pytest.mark.parametrize("fault", ["unknown authority", "another host", "TLS 1.1"])
async def test_a_certificate_or_protocol_that_proves_nothing_is_sub_524(
    strict: Stage, authority: trustme.CA, fault: str
) -> None:
    issuer = trustme.CA() if fault == "unknown authority" else authority
    context = serving(issuer.issue_cert("hooks.example.com" if fault == "another host" else "127.0.0.1"))
    if fault == "TLS 1.1":
        with pytest.warns(DeprecationWarning):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with WebhookReceiver(tls=context) as receiver:
        answer = await strict.create(PRESENCE, mode={"address": receiver.url})
        assert_refused(answer, 400, "SUB-524", ADDRESS)


async def test_strict_about_it_an_answer_that_is_not_json_is_sub_525(strict: Stage, authority: trustme.CA) -> None:
    async with WebhookReceiver(tls=serving(authority.issue_cert("127.0.0.1"))) as receiver:
        receiver.handshake = lambda request: Reply(headers=(echo(request), ("Content-Type", "text/plain")))
        answer = await strict.create(PRESENCE, mode={"address": receiver.url})
        assert_refused(answer, 400, "SUB-525", ADDRESS)
        receiver.handshake = lambda request: Reply(headers=(echo(request), ("Content-Type", "Application/JSON; a=b")))
        assert (await strict.create(PRESENCE, mode={"address": receiver.url})).status_code == 200
