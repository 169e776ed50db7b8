"""Get notifications over a WebSocket with RingCentral's own Python SDK, unmodified: `pip install ringcentral`.

python python_sdk_websocket.py [EVENT_FILTER…]

The SDK does not come back by itself when its connection is lost, and does not go on where it stopped: this program has
it connect and subscribe again. What was published meanwhile is not sent to it; a program that must not miss anything
takes a webhook, or one of the JavaScript packages, which recover.
"""

import asyncio
import json
import os
import sys

from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

filters = sys.argv[1:] or ["/restapi/v1.0/account/~/extension/~/presence"]
sdk = SDK(os.environ["RC_APP_CLIENT_ID"], os.environ["RC_APP_CLIENT_SECRET"], os.environ["RC_SERVER_URL"])


def subscribed(subscription):  # type: ignore[no-untyped-def]
    print("subscribed to", *subscription.get_subscription_info()[1]["eventFilters"], flush=True)


def notified(frame):  # type: ignore[no-untyped-def]
    print(json.dumps(frame[1]), flush=True)


async def stay_connected() -> None:
    while True:
        client = sdk.create_web_socket_client()
        client.on(WebSocketEvents.subscriptionCreated, subscribed)
        client.on(WebSocketEvents.receiveSubscriptionNotification, notified)
        connection = asyncio.create_task(client.create_new_connection())
        subscription = asyncio.create_task(client.create_subscription(filters))  # waits for the connection
        try:
            await connection
        except Exception as lost:  # noqa: BLE001 - whatever it was, the answer is to connect again
            print("connection lost:", lost, file=sys.stderr, flush=True)
        subscription.cancel()
        await asyncio.sleep(2)


sdk.platform().login(jwt=os.environ["RC_USER_JWT"])
asyncio.run(stay_connected())
