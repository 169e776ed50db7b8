"""docs/smpp.md, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from smpplib import consts

from bellwire.carriers.smpp_codes import (
    CODE_OF_OTHER_STATUSES,
    CODE_OF_STATUS,
    Refusal,
    judge_refusal,
    status_of,
)
from bellwire.carriers.smpp_outbound import MAX_TEMPORARY_REFUSALS
from bellwire.compose_smpp import open_smpp_carrier
from bellwire.observe.metrics import Metrics
from bellwire.observe.system_clock import SystemClock
from bellwire.settings import Settings, declarations
from bellwire.wire.smpp.receipts import ReceiptState

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "smpp.md").read_text()


def rows_after(heading: str) -> list[tuple[str, str]]:
    lines = PAGE.partition(heading)[2].lstrip("\n").splitlines()
    rows = []
    for line in lines[2 if lines[1].startswith("| ---") else 1 :]:
        if not line.startswith("| "):
            break
        first, second = line.strip("| ").split(" | ")
        rows.append((first, second))
    return rows


def test_statuses_are_as_the_code_has_them() -> None:
    documented: dict[int, str] = {}
    for statuses, happens in rows_after("| `command_status` | what happens |"):
        for name, number in re.findall(r"`ESME_(\w+)` \((0x\w+)\)", statuses):
            assert getattr(consts, f"SMPP_ESME_{name}") == int(number, 16)
            documented[int(number, 16)] = happens

    assert {status for status, happens in documented.items() if happens.startswith("SMS-")} == set(CODE_OF_STATUS)
    for status, happens in documented.items():
        meaning = judge_refusal(status)
        if meaning is Refusal.THROTTLED:
            assert happens == "pause, sent again"
        elif meaning is Refusal.TEMPORARY:
            assert happens == f"sent again, after the tenth {CODE_OF_OTHER_STATUSES}"
            assert MAX_TEMPORARY_REFUSALS == 10
        elif meaning is Refusal.LINK:
            assert happens == "bound anew, sent again"
        else:
            assert happens == meaning
    assert ("any other", CODE_OF_OTHER_STATUSES) in rows_after("| `command_status` | what happens |")


def test_states_are_as_the_code_has_them() -> None:
    documented = {
        state: meaning
        for states, meaning in rows_after("| state of a receipt | status |")
        for state in re.findall(r"`(\w+)`", states)
    }

    assert documented.keys() == set(ReceiptState)
    for state, meaning in documented.items():
        status, code = status_of(ReceiptState(state))
        assert meaning.startswith(status if code is None else f"{status}, {code}")


async def test_metrics_are_those_that_are_offered(tmp_path: Path) -> None:
    metrics = Metrics()
    settings = Settings(data_dir=tmp_path, smpp_host="127.0.0.1", smpp_system_id="bellwire")
    carrier = open_smpp_carrier(settings, clock=SystemClock(), metrics=metrics, on_fatal=lambda _: None)
    await carrier.stop(drain_seconds=0)

    offered = set(re.findall(r"^# HELP (bellwire_\w+) ", metrics.render().decode(), re.MULTILINE))
    assert set(re.findall(r"`(bellwire_smpp_\w+)`", PAGE)) == offered


def test_settings_that_it_names_exist() -> None:
    named = set(re.findall(r"\b(smpp_[a-z_]+)\b", PAGE)) - {"smpp_"}

    assert {name for name in named if not name.endswith("_total")} <= declarations().keys()
    assert len(named) > 8
