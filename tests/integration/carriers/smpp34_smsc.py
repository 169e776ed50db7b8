"""An SMSC by smpp34's server, as a process of its own: `python smpp34_smsc.py PORT [--auto]`.

What happens is written to standard output and what to do read from standard input, a JSON object a line. With `--auto`
every submit_sm is taken by itself, and a receipt follows; to a recipient that ends with 9 the receipt says UNDELIV, and
with 8 it comes before the response.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import smpp34

MESSAGE_PAYLOAD = 0x0424


class Smsc:
    def __init__(self, port: int, *, auto: bool) -> None:
        self._server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
        self._auto = auto
        self._esmes: dict[str, smpp34.Esme] = {}
        self._last = ""
        self._submits: dict[int, smpp34.SubmitSmEvent] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await self._server.start()
        say({"event": "listening"})
        self._spawn(self._obey())
        while True:
            event = await self._server.next()
            match event:
                case smpp34.Esme():
                    self._esmes[event.session_id] = event
                    self._last = event.session_id
                    say({"event": "bound", "system_id": event.system_id})
                case smpp34.SubmitSmEvent():
                    self._count += 1
                    say({"event": "submit", "number": self._count} | shown(event))
                    if self._auto:
                        self._spawn(self._take(event, f"{self._count:x}"))
                    else:
                        self._submits[self._count] = event
                case smpp34.Unbound():
                    self._esmes.pop(event.session_id, None)
                    say({"event": "unbound"})

    async def _take(self, event: smpp34.SubmitSmEvent, message_id: str) -> None:
        if event.destination_addr.endswith("8"):
            await self._report(event, message_id)
            event.accept(message_id)
        else:
            event.accept(message_id)
            await self._report(event, message_id)

    async def _report(self, event: smpp34.SubmitSmEvent, message_id: str) -> None:
        state = "UNDELIV" if event.destination_addr.endswith("9") else "DELIVRD"
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611270612 done date:2611270613 stat:{state} err:000 text:"
        )
        await self._deliver(event.destination_addr, event.source_addr, text.encode(), esm_class=4)

    async def _deliver(
        self, source: str, destination: str, text: bytes, *, esm_class: int, data_coding: int = 0
    ) -> None:
        """Until somebody acknowledges it, over whichever bind there is: as an SMSC does."""
        while True:
            esme = self._esmes.get(self._last)
            if esme is not None:
                try:
                    answer = await esme.deliver_sm(
                        destination,
                        text,
                        source_addr=source,
                        source_addr_ton=1,
                        source_addr_npi=1,
                        dest_addr_ton=1,
                        dest_addr_npi=1,
                        esm_class=esm_class,
                        data_coding=data_coding,
                    )
                    say({"event": "delivered", "text": text.hex(), "status": answer.command_status})
                    if answer.is_success:
                        return
                except smpp34.SmppError as problem:
                    say({"event": "not_delivered", "text": text.hex(), "reason": str(problem)})
            await asyncio.sleep(0.05)

    async def _obey(self) -> None:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            told: dict[str, Any] = json.loads(line)
            match told.pop("do"):
                case "accept":
                    self._submits.pop(told["number"]).accept(told["id"])
                case "reject":
                    self._submits.pop(told["number"]).reject(told["status"])
                case "deliver":
                    text = bytes.fromhex(told.pop("text"))
                    self._spawn(self._deliver(told.pop("source"), told.pop("destination"), text, **told))
                case "unbind":
                    self._spawn(self._esmes[self._last].unbind())
        sys.exit()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def shown(event: smpp34.SubmitSmEvent) -> dict[str, object]:
    payload = next((tlv.value for tlv in event.tlvs if tlv.tag == MESSAGE_PAYLOAD), b"")
    return {
        "source": event.source_addr,
        "destination": event.destination_addr,
        "text": (event.short_message or payload).hex(),
        "esm_class": event.esm_class,
        "data_coding": event.data_coding,
        "registered_delivery": event.registered_delivery,
    }


def say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Smsc(int(sys.argv[1]), auto="--auto" in sys.argv).run())
