"""`bellwire listen`: a webhook receiver on this machine that shows what arrives."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from bellwire.cli.failure import EXIT_USAGE, CommandFailed, complain

if TYPE_CHECKING:  # the receiver and its parser are imported when the command runs
    from bellwire.testing.receiver import ReceivedRequest, WebhookReceiver


def listen(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8711,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    status: Annotated[int, typer.Option(help="Status to answer notifications with.", min=200, max=599)] = 200,
    delay: Annotated[float, typer.Option(help="Seconds before each notification is answered.", min=0, max=3600)] = 0.0,
    verification_token: Annotated[
        str | None, typer.Option(help="What Verification-Token has to say; others are answered 401.")
    ] = None,
    signing_secret: Annotated[
        str | None, typer.Option(help="whsec_…: requests that it did not sign are answered 401.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Stop after so many notifications.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each request.")] = False,
) -> None:
    """Receive webhooks: answer the handshake, check token and signature, print what arrives.

    Handshakes are answered rightly and at once; --status and --delay are for notifications.
    """
    from bellwire.testing.receiver import ACCEPTED, Reply, WebhookReceiver

    show = _show_json if as_json else _show
    reply = ACCEPTED if status == 200 and not delay else Reply(status=status, delay_seconds=delay)
    try:
        receiver = WebhookReceiver(
            host=host,
            port=port,
            answer=lambda _: reply,
            verification_token=verification_token,
            signing_secret=signing_secret,
            keep=False,
            on_notification=show,
            on_handshake=show,
        )
    except ValueError as error:
        raise CommandFailed(f"--signing-secret is not `whsec_` and base64: {error}", EXIT_USAGE) from None
    asyncio.run(_receive(receiver, count, quiet=as_json))


async def _receive(receiver: WebhookReceiver, count: int | None, *, quiet: bool) -> None:
    try:
        await receiver.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandFailed(
                f"port {receiver.port} is in use by another program; `--port 0` takes a free one"
            ) from None
        raise CommandFailed(f"can't listen on port {receiver.port}: {error.strerror}") from None
    complain(f"listening on {receiver.url} (Ctrl-C stops)") if quiet else typer.echo(
        f"Listening on {receiver.url}\nUse it as deliveryMode.address; Ctrl-C stops.\n"
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(kind, stopped.set)
    enough = asyncio.create_task(receiver.wait_until(lambda: count is not None and _answered(receiver) >= count, None))
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({enough, stop}, return_when=asyncio.FIRST_COMPLETED)
    enough.cancel()
    stop.cancel()
    await receiver.stop()
    if not quiet:
        typer.echo(f"{receiver.count} notifications received")


def _answered(receiver: WebhookReceiver) -> int:
    return receiver.answered - len(receiver.handshakes)


def _show(request: ReceivedRequest) -> None:
    if request.validation_token is not None:
        typer.echo(f"handshake  {request.method} {request.target}  Validation-Token: {request.validation_token}")
    else:
        typer.echo(f"notification  {request.method} {request.target}")
        try:
            typer.echo(json.dumps(request.json(), indent=2, ensure_ascii=False))
        except ValueError:
            typer.echo(request.body.decode("utf-8", "replace"))
    for problem in request.problems:
        typer.secho(f"  refused: {problem}", fg="red")
    if not request.problems:
        checked = [name for name in ("verification-token", "webhook-signature") if name in request.headers]
        if checked:
            typer.echo("  with " + " and ".join(checked))
    typer.echo("")


def _show_json(request: ReceivedRequest) -> None:
    try:
        body = request.json() if request.body else None
    except ValueError:
        body = request.body.decode("utf-8", "replace")
    shown = {
        "kind": "notification" if request.validation_token is None else "handshake",
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": body,
        "problems": request.problems,
    }
    typer.echo(json.dumps(shown, ensure_ascii=False))
