from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bellwire.engine.faults import DeliveryFault, Faults, FaultySender, SocketFault, TokenFault
from bellwire.model.attempt import AttemptResult, FailureCode
from bellwire.model.ids import SubscriptionId
from bellwire.model.webhook import Answer, Endpoint
from bellwire.ports.webhook_sender import WebhookSender

HERE = Endpoint("https", "hooks.example.com", 443, "/a")
ELSEWHERE = Endpoint("https", "example.org", 443, "/")
TAKEN = AttemptResult(None, 204, "", 0.01)


def body(subscription: str, text: str = "") -> bytes:
    return (
        f'{{"uuid":"u","event":"/x","timestamp":"t","subscriptionId":"{subscription}","ownerId":"1","body":{{{text}}}}}'
    ).encode()


class Taking(WebhookSender):
    """A sender whose endpoints take everything; one that is told to hang answers nothing until it is abandoned."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.posted = 0
        self.asked = 0
        self._hangs = hangs

    def post(
        self, endpoint: Endpoint, head: bytes, body: bytes, done: Callable[[AttemptResult], None]
    ) -> Callable[[], None]:
        self.posted += 1
        if not self._hangs:
            asyncio.get_running_loop().call_soon(done, TAKEN)
        return lambda: done(AttemptResult(FailureCode.CANCELLED, 0, "abandoned", 0.0))

    async def ask(self, endpoint: Endpoint, head: bytes, body: bytes, *, timeout_seconds: float) -> Answer:
        self.asked += 1
        return Answer(None, "", status=200)


def faulty(fault: DeliveryFault, *, hangs: bool = False) -> tuple[FaultySender, Taking, Faults]:
    faults, taking = Faults(), Taking(hangs=hangs)
    faults.add(fault)
    return FaultySender(taking, faults), taking, faults


async def result_of(sender: FaultySender, *, endpoint: Endpoint = HERE, content: bytes = b"{}") -> AttemptResult:
    outcome: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
    sender.post(endpoint, b"", content, outcome.set_result)
    return await outcome


async def test_without_a_fault_all_goes_to_the_sender() -> None:
    taking = Taking()

    assert await result_of(FaultySender(taking, Faults())) == TAKEN
    assert taking.posted == 1


async def test_a_pretended_status_says_what_a_real_one_would_and_that_it_is_on_purpose() -> None:
    sender, taking, _ = faulty(DeliveryFault(kind="delivery", status=503, retry_after_seconds=7))

    result = await result_of(sender)

    assert (result.failure, result.status, result.retry_after_seconds) == (FailureCode.STATUS_5XX, 503, 7.0)
    assert result.detail == ("The endpoint failed to take the notification (status 503, fault-1, injected on purpose).")
    assert taking.posted == 0


async def test_a_fault_with_a_count_is_spent_and_gone() -> None:
    sender, taking, faults = faulty(DeliveryFault(kind="delivery", failure=FailureCode.DNS, count=2))

    codes = [(await result_of(sender)).failure for _ in range(3)]

    assert codes == [FailureCode.DNS, FailureCode.DNS, None]
    assert (taking.posted, len(faults)) == (1, 0)


@pytest.mark.parametrize(
    ("host", "suffers"),
    [("hooks.example.com", True), ("*.example.com", True), ("HOOKS.*", True), ("example.com", False), ("*", True)],
)
async def test_hosts_are_matched_whole_and_without_regard_to_case(host: str, suffers: bool) -> None:
    sender, _, _ = faulty(DeliveryFault(kind="delivery", status=500, host=host))

    assert ((await result_of(sender)).failure is not None) == suffers
    assert ((await result_of(sender, endpoint=ELSEWHERE)).failure is not None) == (host == "*")


async def test_a_subscription_is_told_by_the_envelope_and_not_by_what_the_event_says() -> None:
    sender, _, _ = faulty(DeliveryFault(kind="delivery", status=500, subscription_id=SubscriptionId("s-1")))

    mine = await result_of(sender, content=body("s-1"))
    other = await result_of(sender, content=body("s-2", '"subscriptionId":"s-1"'))
    longer = await result_of(sender, content=body("s-11"))
    handshake = await result_of(sender, content=b"")

    assert [one.failure for one in (mine, other, longer, handshake)] == [FailureCode.STATUS_5XX, None, None, None]


async def test_of_several_that_fit_the_first_counts() -> None:
    sender, _, faults = faulty(DeliveryFault(kind="delivery", status=500, count=1))
    faults.add(DeliveryFault(kind="delivery", status=429))

    assert [(await result_of(sender)).status for _ in range(3)] == [500, 429, 429]


async def test_a_delayed_notification_goes_out_later_and_its_delay_counts() -> None:
    sender, taking, _ = faulty(DeliveryFault(kind="delivery", delay_seconds=0.05))

    result = await result_of(sender)

    assert (result.failure, taking.posted) == (None, 1)
    assert result.duration_seconds >= 0.05


async def test_one_that_reaches_its_endpoint_fails_all_the_same() -> None:
    sender, taking, _ = faulty(DeliveryFault(kind="delivery", failure=FailureCode.RESET, reaches=True))

    assert (await result_of(sender)).failure is FailureCode.RESET
    assert taking.posted == 1


@pytest.mark.parametrize(
    ("fault", "hangs"),
    [
        (DeliveryFault(kind="delivery", delay_seconds=60), False),
        (DeliveryFault(kind="delivery", delay_seconds=0.001), True),
        (DeliveryFault(kind="delivery", status=500, reaches=True), True),
    ],
)
async def test_an_attempt_that_is_abandoned_is_cancelled_once(fault: DeliveryFault, hangs: bool) -> None:
    sender, _, _ = faulty(fault, hangs=hangs)
    results: list[AttemptResult] = []
    abandon = sender.post(HERE, b"", b"{}", results.append)
    await asyncio.sleep(0.02)

    abandon()
    told_within = list(results)
    await asyncio.sleep(0.01)
    abandon()
    await asyncio.sleep(0.01)

    assert [result.failure for result in results] == [FailureCode.CANCELLED]
    assert hangs or told_within == []


async def test_handshakes_suffer_where_that_is_asked_for() -> None:
    sender, taking, faults = faulty(DeliveryFault(kind="delivery", status=500))
    well = await sender.ask(HERE, b"", b"", timeout_seconds=1)
    faults.clear()
    faults.add(DeliveryFault(kind="delivery", status=500, handshakes=True, count=1))
    status = await sender.ask(HERE, b"", b"", timeout_seconds=1)
    faults.add(DeliveryFault(kind="delivery", failure=FailureCode.TLS, handshakes=True, count=1))
    failure = await sender.ask(HERE, b"", b"", timeout_seconds=1)
    faults.add(DeliveryFault(kind="delivery", delay_seconds=60, handshakes=True, count=1))
    late = await sender.ask(HERE, b"", b"", timeout_seconds=0.02)

    assert (well.status, status.status, taking.asked) == (200, 500, 1)
    assert (failure.failure, late.failure) == (FailureCode.TLS, FailureCode.RESPONSE_TIMEOUT)


def test_token_faults_are_apart_from_those_of_deliveries() -> None:
    faults = Faults()
    faults.add(DeliveryFault(kind="delivery", status=500))
    before = faults.refuses_tokens()
    faults.add(TokenFault(kind="token", status=400))
    during = faults.refuses_tokens()
    fault = faults.of_token_request()

    assert (before, during, faults.refuses_tokens()) == (False, True, False)
    assert fault is not None
    assert fault.status == 400
    assert faults.of_token_request() is None


def test_a_socket_fault_is_for_one_subscription_or_for_any_and_is_spent() -> None:
    faults = Faults()
    faults.add(SocketFault(kind="socket", subscription_id=SubscriptionId("one")))
    assert [faults.cuts_socket(SubscriptionId(id_)) for id_ in ("other", "one", "one")] == [False, True, False]
    faults.add(SocketFault(kind="socket", count=None))
    assert [faults.cuts_socket(SubscriptionId(id_)) for id_ in ("other", "one", "one")] == [True, True, True]
    assert not faults.refuses_tokens()


def test_one_fault_can_be_cleared_by_its_id_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bellwire.engine.faults.MAX_FAULTS", 2)
    faults = Faults()
    one, two = (faults.add(TokenFault(kind="token")) for _ in range(2))

    with pytest.raises(ValueError, match="there are 2 faults already"):
        faults.add(TokenFault(kind="token"))

    assert (faults.clear(one.id), faults.clear("fault-99")) == (1, 0)
    assert faults.all() == (two,)
    assert faults.clear() == 1
