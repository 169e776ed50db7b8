"""Bellwire's extension: Standard Webhooks signatures, for who gives `deliveryMode.signingSecret` (design.md, Delivery).

The clock of this module's server is hardly moved: receivers refuse signatures that are five minutes old.
"""

from __future__ import annotations

import base64

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from bellwire.testing.receiver import Reply
from tests.e2e.conformance.stage import GENERAL, Stage, assert_refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret key").decode()
ANOTHER = "whsec_" + base64.b64encode(b"thirty-two bytes of another key!").decode()


async def test_a_delivery_is_signed_as_receivers_libraries_verify_it(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, mode={"signingSecret": SECRET})
    await stage.publish(stage.presence())
    (delivery,) = await stage.receiver.wait_for(1)
    assert Webhook(SECRET).verify(delivery.body, delivery.headers) == delivery.json()
    assert delivery.headers["webhook-id"] == delivery.json()["uuid"]
    with pytest.raises(WebhookVerificationError):
        Webhook(ANOTHER).verify(delivery.body, delivery.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(delivery.body + b" ", delivery.headers)


async def test_a_retry_is_signed_anew_under_the_same_id(stage: Stage) -> None:
    await stage.subscribe(PRESENCE, mode={"signingSecret": SECRET})
    stage.receiver.answer = lambda _: Reply(status=503)
    await stage.publish(stage.presence())
    await stage.outcomes(1)
    stage.receiver.answer = lambda _: Reply()
    stage.advance(seconds=2)
    first, second = await stage.receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 2
    for delivery in (first, second):
        Webhook(SECRET).verify(delivery.body, delivery.headers)


async def test_the_secret_is_never_shown_again(stage: Stage) -> None:
    answer = await stage.create(PRESENCE, mode={"signingSecret": SECRET})
    path = f"{GENERAL}/{answer.json()['id']}"
    answers = [answer] + [
        await stage.call(method, at)
        for method, at in (("GET", GENERAL), ("GET", path), ("PUT", path), ("POST", path + "/renew"))
    ]
    for each in answers:
        assert each.status_code == 200
        assert "whsec_" not in each.text
        assert "signing" not in each.text


async def test_each_subscription_signs_with_its_own_secret_or_not_at_all(stage: Stage) -> None:
    secrets = {}
    for secret in (SECRET, ANOTHER, None):
        made = await stage.subscribe(PRESENCE, mode={} if secret is None else {"signingSecret": secret})
        secrets[made["id"]] = secret
    await stage.publish(stage.presence())
    for delivery in await stage.receiver.wait_for(3):
        secret = secrets.pop(delivery.json()["subscriptionId"])
        if secret is None:
            assert not any(name.startswith("webhook-") for name in delivery.headers)
        else:
            Webhook(secret).verify(delivery.body, delivery.headers)


@pytest.mark.parametrize(
    "secret", ["", "thirty-two bytes of a secret key", SECRET[6:], "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", 7]
)
async def test_what_is_no_secret_is_refused_and_not_repeated(stage: Stage, secret: object) -> None:
    answer = await stage.create(PRESENCE, mode={"signingSecret": secret})
    assert_refused(answer, 400, "CMN-101", "deliveryMode.signingSecret")
    if len(str(secret)) > 6:
        assert str(secret) not in answer.text
    assert stage.receiver.handshakes == []
