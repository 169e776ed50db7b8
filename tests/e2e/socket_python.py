"""Drives a server's WebSocket gateway through the official package `ringcentral`, unmodified, for the tests beside it.

Takes RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and FILTERS (with commas) from the environment.
Subscribes, prints one JSON object a line for each step and notification, and ends with a line of input.

The package never comes back by itself when a connection is lost: it tells so, and the program has it recover, which
opens a plain new connection, and subscribes again (wire contract, 5.8 and 5.9).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from ringcentral import SDK
from ringcentral.websocket.events import WebSocketEvents

RETRY_SECONDS = 0.2


def say(step: str, **facts: Any) -> None:
    print(json.dumps({"step": step, **facts}), flush=True)


def noted(frame: list[Any]) -> None:
    body = frame[1]
    say("notification", uuid=body["uuid"], subscriptionId=body["subscriptionId"], body=body.get("body"))


async def main() -> None:
    environ = os.environ
    filters = environ["FILTERS"].split(",")
    sdk = SDK(environ["RC_APP_CLIENT_ID"], environ["RC_APP_CLIENT_SECRET"], environ["RC_SERVER_URL"])
    sdk.platform().login(jwt=environ["RC_USER_JWT"])
    client = sdk.create_web_socket_client()

    opened = asyncio.Event()
    subscriptions: list[Any] = []

    def subscribed(subscription: Any) -> None:
        subscriptions.append(subscription)
        say("subscribed", id=subscription.get_subscription_info()[1]["id"])

    client.on(WebSocketEvents.subscriptionCreated, subscribed)
    client.on(WebSocketEvents.receiveSubscriptionNotification, noted)
    client.on(WebSocketEvents.connectionCreated, lambda _client: opened.set())

    async def connected() -> None:
        """For ever; says when a connection was lost, and opens another."""
        connect = client.create_new_connection
        while True:
            opened.clear()
            reading = asyncio.ensure_future(connect())
            opening = asyncio.ensure_future(opened.wait())
            await asyncio.wait({reading, opening}, return_when=asyncio.FIRST_COMPLETED)
            if opened.is_set():
                for former in subscriptions:  # it listens on, and each notification would be told of twice
                    client.off(WebSocketEvents.receiveMessage, former.on_message)
                subscriptions.clear()
                await client.create_subscription(filters)
            opening.cancel()
            try:
                await reading
            except Exception as error:  # noqa: BLE001 - of whatever kind: requests', websockets' or the SDK's own
                say("lost", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            connect = client.recover_connection

    connection = asyncio.ensure_future(connected())
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait({connection, ended}, return_when=asyncio.FIRST_COMPLETED)
    if connection.done():
        connection.result()
    await client.close_connection()
    connection.cancel()
    await asyncio.gather(connection, return_exceptions=True)
    sdk.platform().logout()


if __name__ == "__main__":
    asyncio.run(main())
