"""The parcel desk's own tests: `pip install ../.. ringcentral pytest`, and `pytest`.

The fixture `bellwire` comes from Bellwire's pytest plugin; each test has a server as at its first start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from parcel_desk import ParcelDesk, webhook_server

from bellwire.testing import Bellwire

CUSTOMER = "+16505550142"
TOKEN = "a-token-of-our-own"  # noqa: S105 - for tests


@dataclass
class Running:
    desk: ParcelDesk
    address: str

    def until(self, is_so: Callable[[ParcelDesk], bool], seconds: float = 30.0) -> None:
        """Wait for what the desk does when a text has arrived."""
        deadline = time.monotonic() + seconds
        while not is_so(self.desk):
            assert time.monotonic() < deadline, f"it came to no more than {self.desk.tickets}"
            time.sleep(0.01)


@pytest.fixture
def running(bellwire: Bellwire) -> Iterator[Running]:
    desk = ParcelDesk()
    server = webhook_server(desk, TOKEN)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    address = f"http://127.0.0.1:{server.server_port}/texts"
    desk.subscribe(address, TOKEN, bellwire.env)
    yield Running(desk, address)
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_text_becomes_a_ticket(bellwire: Bellwire, running: Running) -> None:
    bellwire.sms.inbound("Is my parcel here?", sender=CUSTOMER)

    running.until(lambda desk: CUSTOMER in desk.tickets)

    assert running.desk.tickets[CUSTOMER].texts == ["Is my parcel here?"]


def test_stop_is_heeded(bellwire: Bellwire, running: Running) -> None:
    bellwire.sms.inbound("STOP", sender=CUSTOMER)

    running.until(lambda desk: CUSTOMER in desk.tickets)

    assert running.desk.tickets[CUSTOMER].wants_no_texts
    assert running.desk.tickets[CUSTOMER].texts == []


def test_texts_to_another_number_are_none_of_ours(bellwire: Bellwire, running: Running) -> None:
    bellwire.sms.inbound("Wrong number?", sender=CUSTOMER, to="+18885550190")

    bellwire.settle()

    assert running.desk.tickets == {}


def test_a_notification_that_comes_twice_is_taken_once(bellwire: Bellwire, running: Running) -> None:
    bellwire.faults.deliveries(status=503, reaches=True, count=1)
    watching = bellwire.webhook()
    bellwire.subscribe(watching, "/restapi/v1.0/account/~/a2p-sms/messages")

    bellwire.sms.inbound("Hello?", sender=CUSTOMER)
    bellwire.sms.inbound("Anybody there?", sender=CUSTOMER)

    watching.wait(2, timeout=30)
    running.until(lambda desk: CUSTOMER in desk.tickets and len(desk.tickets[CUSTOMER].texts) == 2)
    assert sorted(running.desk.tickets[CUSTOMER].texts) == ["Anybody there?", "Hello?"]


def test_the_subscription_is_gone_after_its_week(bellwire: Bellwire, running: Running) -> None:
    listed = bellwire.admin("GET", "/bellwire/v1/subscriptions")["records"]
    assert [one["id"] for one in listed] == [running.desk.subscription]

    bellwire.clock.advance(8 * 86_400)

    running.until(lambda _desk: not bellwire.admin("GET", "/bellwire/v1/subscriptions")["records"])
