from __future__ import annotations

import pytest

from bellwire.wire.gateway.codes import BAD_RECOVERY_TOKEN, GOING_AWAY, TOO_MANY
from bellwire.wire.gateway.effects import Outcome
from bellwire.wire.gateway.session import Owner
from tests.unit.wire.gateway.stage import OWNER, ANotification, Stage


def kinds(frames: list[list[object]]) -> list[str]:
    return [frame[0]["type"] for frame in frames]  # type: ignore[index]


def test_a_subscription_s_notifications_wait_for_the_answer_and_then_for_the_pong() -> None:
    stage = Stage()
    client = stage.connect()
    client.take()
    call = stage.request(client)
    subscription = stage.new_id()
    stage.gateway.begin(call, subscription)
    stage.publish(subscription, "while it is stored")
    stage.gateway.activate(call, subscription)
    stage.publish(subscription, "before the answer")
    assert client.take() == []
    stage.run(stage.gateway.answered(call, 200, {}, b'{"id":"x"}'))
    stage.publish(subscription, "before the pong")
    (answer,) = client.take()
    assert answer[0]["headers"]["WSG-SubscriptionId"] == subscription
    stage.pong(client)
    assert client.notified == ["while it is stored", "before the answer", "before the pong"]
    stage.publish(subscription, "at once")
    assert client.notified[-1] == "at once"


def test_a_pong_that_answers_an_earlier_ping_does_not_lift_the_barrier() -> None:
    stage = Stage()
    client = stage.connect()
    stage.pass_time(30)
    stage.sweep()
    subscription = stage.subscribe(client, pong=False)
    stage.publish(subscription, "held")
    earlier, barrier = client.pings
    for payload in (earlier, b"bw99", b"bw", b"bwx", b"", b"bw1" * 40):
        stage.run(stage.gateway.pong(client.connection, payload))
    assert client.notified == []
    stage.run(stage.gateway.pong(client.connection, barrier))
    assert client.notified == ["held"]


def test_a_failed_subscribe_has_no_header_and_raises_no_barrier() -> None:
    stage = Stage()
    client = stage.connect()
    call = stage.request(client)
    subscription = stage.new_id()
    stage.gateway.begin(call, subscription)
    stage.gateway.abandon(call, subscription)
    stage.run(stage.gateway.answered(call, 400, {}, b""))
    meta, body = client.take()[-1]
    assert "WSG-SubscriptionId" not in meta["headers"]
    assert body["message"]
    assert client.pings == []
    assert not stage.gateway.holds(subscription)


def test_a_second_subscription_drops_what_waits_for_the_first() -> None:
    stage = Stage()
    client = stage.connect()
    first = stage.subscribe(client, pong=False)
    stage.publish(first, "of the first")
    second = stage.subscribe(client, pong=False)
    stage.publish(first, "too late")
    stage.pong(client)
    stage.publish(second, "of the second")
    assert client.notified == ["of the second"]


def test_sequences_rise_within_a_session_and_over_its_recoveries() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.publish(subscription, "a", "b")
    sequences = [frame[0]["wsc"]["sequence"] for frame in client.take() if "wsc" in frame[0]]
    stage.drop(client)
    stage.publish(subscription, "c")
    again = stage.connect(wsc=client.wsc)
    stage.pong(again)
    sequences += [frame[0]["wsc"]["sequence"] for frame in again.take() if "wsc" in frame[0]]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 5


def test_a_token_of_an_earlier_notification_brings_back_what_came_after_it() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.publish(subscription, "read")
    token = client.wsc
    stage.publish(subscription, "lost on the way", "lost too")
    stage.drop(client)
    stage.publish(subscription, "missed")
    again = stage.connect(wsc=token)
    assert again.details["recoveryState"] == "Successful"
    stage.pong(again)
    assert again.notified == ["lost on the way", "lost too", "missed"]


def test_a_recovery_whose_details_are_lost_can_be_made_again() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.publish(subscription, "read")
    stage.drop(client)
    stage.publish(subscription, "missed")
    lost = stage.connect(wsc=client.wsc)
    stage.pong(lost)  # what is written reaches nobody
    stage.drop(lost)
    again = stage.connect(wsc=client.wsc)
    stage.pong(again)
    assert again.notified == ["missed"]


def test_of_what_is_kept_the_newest_stay() -> None:
    stage = Stage(recovery_messages=3)
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.publish(subscription, "sent")
    stage.drop(client)
    stage.publish(subscription, "a", "b", "c", "d", "e")
    again = stage.connect(wsc=client.wsc)
    stage.pong(again)
    assert again.notified == ["c", "d", "e"]
    assert [uuid for uuid, outcome in stage.told if outcome is Outcome.OVERFLOWED] == ["a", "b"]


def test_a_session_that_nobody_comes_back_to_ends_with_its_subscription() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.drop(client)
    stage.publish(subscription, "missed")
    stage.pass_time(179)
    stage.sweep()
    assert stage.ended == []
    stage.pass_time(1)
    stage.sweep()
    assert stage.ended == [subscription]
    assert stage.told == [("missed", Outcome.KEPT), ("missed", Outcome.EXPIRED)]
    assert stage.gateway.sessions == 0
    again = stage.connect(wsc=client.wsc)
    assert (again.details["recoveryState"], again.details["recoveryErrorCode"]) == ("Failed", "WSG-1005")


def test_a_session_that_was_recovered_and_lost_again_has_its_whole_time_again() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.drop(client)
    stage.pass_time(179)
    again = stage.connect(wsc=client.wsc)
    stage.drop(again)
    stage.pass_time(179)
    stage.sweep()
    assert stage.gateway.holds(subscription)


def test_a_session_without_subscription_ends_with_its_connection() -> None:
    stage = Stage()
    client = stage.connect()
    stage.drop(client)
    assert stage.gateway.sessions == 0
    assert stage.connect(wsc=client.wsc).details["recoveryErrorCode"] == "WSG-1005"


def test_a_subscription_whose_answer_was_not_written_ends_with_the_connection() -> None:
    stage = Stage()
    client = stage.connect()
    call = stage.request(client)
    subscription = stage.new_id()
    stage.gateway.begin(call, subscription)
    stage.gateway.activate(call, subscription)
    stage.drop(client)
    assert stage.ended == [subscription]
    stage.run(stage.gateway.answered(call, 200, {}, b"{}"))


def test_a_subscription_that_is_made_after_the_connection_was_lost_is_given_back() -> None:
    stage = Stage()
    client = stage.connect()
    call = stage.request(client)
    subscription = stage.new_id()
    stage.gateway.begin(call, subscription)
    stage.drop(client)
    assert stage.gateway.activate(call, subscription) == subscription
    assert not stage.gateway.holds(subscription)


def test_a_subscription_that_is_made_after_its_session_was_recovered_elsewhere_is_given_back() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    call = stage.request(client)
    replacement = stage.new_id()
    stage.gateway.begin(call, replacement)
    again = stage.connect(wsc=client.wsc)
    assert stage.gateway.activate(call, replacement) == replacement
    stage.run(stage.gateway.answered(call, 503, {}, b"{}"))
    stage.pong(again)
    stage.publish(subscription, "to the one that its client knows")
    assert again.notified == ["to the one that its client knows"]


def test_a_subscription_that_no_client_was_told_of_is_not_recovered() -> None:
    stage = Stage()
    client = stage.connect()
    stage.subscribe(client)
    call = stage.request(client)
    replacement = stage.new_id()
    stage.gateway.begin(call, replacement)
    stage.gateway.activate(call, replacement)
    again = stage.connect(wsc=client.wsc)
    assert again.details["recoveryErrorCode"] == "WSG-1005"
    stage.drop(client)
    assert stage.ended == [replacement]


def test_another_login_can_t_take_a_session_over() -> None:
    stage = Stage()
    client = stage.connect()
    stage.subscribe(client)
    stage.drop(client)
    stranger = stage.connect(Owner("login-2", "user-1"), wsc=client.wsc)
    assert stranger.details["recoveryErrorCode"] == "WSG-1003"
    assert stage.connect(wsc=client.wsc).details["recoveryState"] == "Successful"


def test_a_connection_that_only_the_server_takes_for_open_is_superseded() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    again = stage.connect(wsc=client.wsc)
    assert client.close_code == 1000
    stage.pong(again)
    stage.drop(client)
    stage.publish(subscription, "to the new one")
    assert again.notified == ["to the new one"]
    assert client.notified == []


def test_what_is_no_recovery_token_is_refused() -> None:
    stage = Stage()
    for token in ("", "nonsense", "a.b.c.d", "session-key-000001.1.0", "session-key-000001.1.0.0.0", "x" * 5000):
        assert stage.gateway.refusal(OWNER, token) is BAD_RECOVERY_TOKEN
    assert stage.gateway.refusal(OWNER, "session-key-000001.1.0.0") is None


def test_too_many_connections_of_a_login_a_user_and_in_all_are_refused() -> None:
    stage = Stage(connections_per_session=1, connections_per_user=2, connections=3)
    first = stage.connect(Owner("login-1", "user-1"))
    assert stage.gateway.refusal(Owner("login-1", "user-1"), None) is TOO_MANY
    stage.connect(Owner("login-2", "user-1"))
    assert stage.gateway.refusal(Owner("login-3", "user-1"), None) is TOO_MANY
    stage.connect(Owner("login-4", "user-2"))
    assert stage.gateway.refusal(Owner("login-5", "user-3"), None) is TOO_MANY
    stage.drop(first)
    assert stage.gateway.refusal(Owner("login-1", "user-1"), None) is None


def test_more_requests_than_may_be_under_way_are_answered_429() -> None:
    stage = Stage(active_requests=2)
    client = stage.connect()
    client.take()
    first = stage.request(client, "m-1")
    stage.request(client, "m-2")
    stage.send(client, {"type": "ClientRequest", "messageId": "m-3", "method": "GET", "path": "/restapi/v1.0"})
    ((meta, body),) = client.take()
    assert (meta["messageId"], meta["status"], body["errorCode"]) == ("m-3", 429, "CMN-304")
    stage.run(stage.gateway.answered(first, 204, {}, b""))
    stage.request(client, "m-4")
    assert len(client.calls) == 3


def test_pings_come_each_half_minute_and_a_late_pong_ends_the_connection() -> None:
    stage = Stage()
    client = stage.connect()
    for _ in range(3):
        stage.pass_time(30)
        stage.sweep()
        stage.pong(client)
    assert len(client.pings) == 3
    stage.pass_time(30)
    stage.sweep()
    stage.pass_time(9.9)
    stage.sweep()
    assert client.close_code is None
    stage.pass_time(0.2)
    stage.sweep()
    assert client.close_code == 1006


def test_a_clock_that_is_moved_makes_no_pong_late() -> None:
    stage = Stage()
    client = stage.connect()
    stage.pass_time(30)
    stage.sweep()
    stage.now += 600
    stage.sweep()
    assert client.close_code is None


@pytest.mark.parametrize("limits", [{"idle_seconds": 100.0}, {"absolute_seconds": 100.0}])
def test_idle_and_old_connections_get_an_error_frame_and_a_close(limits: dict[str, float]) -> None:
    stage = Stage(**limits)
    client = stage.connect()
    client.take()
    stage.now += 99
    stage.sweep()
    assert client.close_code is None
    stage.now += 1
    stage.sweep()
    ((meta, body),) = client.take()
    assert meta["type"] == "Error"
    assert body["errorCode"] == ("WSG-902" if "idle_seconds" in limits else "WSG-903")
    assert client.close_code == 1000


def test_frames_either_way_and_pings_of_clients_are_activity() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    for active in (
        lambda: stage.publish(subscription, "x"),
        lambda: stage.gateway.client_ping(client.connection),
        lambda: stage.send(client, {"type": "Heartbeat", "messageId": "h"}),
    ):
        stage.now += 1799
        active()
        stage.sweep()
    assert client.close_code is None


def test_a_revoked_login_loses_its_sockets_and_sessions_and_others_do_not() -> None:
    stage = Stage()
    here, away = stage.connect(), stage.connect()
    other = stage.connect(Owner("login-2", "user-1"))
    subscriptions = [stage.subscribe(client) for client in (here, away)]
    kept = stage.subscribe(other)
    stage.drop(away)
    stage.run(stage.gateway.revoke("login-1"))
    assert here.take()[-1][1]["errorCode"] == "WSG-904"
    assert here.close_code == 1008
    assert sorted(stage.ended) == sorted(subscriptions)
    assert stage.gateway.holds(kept)
    assert other.close_code is None


def test_a_client_that_reads_slowly_waits_and_gets_all_in_order() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.gateway.congested(client.connection)
    stage.publish(subscription, "a", "b")
    assert client.notified == []
    stage.run(stage.gateway.drained(client.connection))
    stage.publish(subscription, "c")
    assert client.notified == ["a", "b", "c"]


def test_a_client_that_does_not_read_is_cut_and_may_recover() -> None:
    stage = Stage(waiting_bytes=1000, recovery_messages=5)
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.gateway.congested(client.connection)
    stage.publish(subscription, *(f"n-{number}" for number in range(11)))
    assert client.close_code == 1006
    again = stage.connect(wsc=client.wsc)
    stage.pong(again)
    assert again.notified == [f"n-{number}" for number in range(6, 11)]


@pytest.mark.parametrize("is_superseded", [False, True])
def test_what_waited_for_a_client_is_not_held_against_it_when_it_comes_back(is_superseded: bool) -> None:
    stage = Stage(waiting_bytes=1000)
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.gateway.congested(client.connection)
    stage.publish(subscription, *(f"n-{number}" for number in range(10)))
    if not is_superseded:
        stage.drop(client)
    again = stage.connect(wsc=client.wsc)
    stage.publish(subscription, "while it waits for the pong")
    assert again.close_code is None
    stage.pong(again)
    assert again.notified == [*(f"n-{number}" for number in range(10)), "while it waits for the pong"]


def test_nothing_is_dropped_while_a_client_only_waits_for_its_barrier() -> None:
    stage = Stage(recovery_messages=3)
    client = stage.connect()
    subscription = stage.subscribe(client, pong=False)
    stage.publish(subscription, *"abcdef")
    stage.pong(client)
    assert client.notified == list("abcdef")


def test_a_notification_that_no_frame_can_hold_is_given_up() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)

    class Huge(ANotification):
        def envelope(self) -> bytes:
            return b'{"body":"' + b"x" * (1 << 20) + b'"}'

    stage.run(stage.gateway.notify(subscription, Huge("huge", 1)))
    stage.publish(subscription, "fits")
    assert client.notified == ["fits"]
    assert stage.told == [("huge", Outcome.TOO_LARGE), ("fits", Outcome.SENT)]


def test_going_away_says_so_and_keeps_the_session() -> None:
    stage = Stage()
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.run(stage.gateway.close(client.connection, GOING_AWAY))
    assert client.take()[-1][1]["errorCode"] == "WSG-901"
    assert client.close_code == 1001
    assert stage.gateway.holds(subscription)


def test_a_session_is_read_from_the_log_where_that_is_how_it_is_kept() -> None:
    stage = Stage(reads_log=True)
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.publish(subscription, "read")
    position = client.connection.session.position
    stage.drop(client)
    missed = stage.publish(subscription, "missed-1", "missed-2")
    again = stage.connect(wsc=client.wsc)
    (wanted,) = stage.reads
    assert (wanted.subscription, wanted.position, wanted.ordinal) == (subscription, position, 0)
    stage.publish(subscription, "in the log as well")
    stage.gateway.read_from_here(again.connection)
    stage.publish(subscription, "after the reading began")
    stage.pong(again)
    assert again.notified == []
    stage.run(stage.gateway.found(wanted.connection, [*missed, ANotification("in the log as well", 9)]))
    assert again.notified == ["missed-1", "missed-2", "in the log as well", "after the reading began"]


def test_what_is_found_for_a_connection_that_was_superseded_is_not_the_next_one_s() -> None:
    stage = Stage(reads_log=True)
    client = stage.connect()
    subscription = stage.subscribe(client)
    _first, second = stage.publish(subscription, "first", "second")
    early, late = f"{client.connection.session.key}.2.1.0", client.wsc
    stage.drop(client)
    stage.connect(wsc=early)
    again = stage.connect(wsc=late)
    stage.pong(again)
    older, newer = stage.reads
    stage.gateway.read_from_here(older.connection)
    stage.run(stage.gateway.found(older.connection, [second]))
    assert again.notified == []
    stage.run(stage.gateway.found(newer.connection, []))
    stage.publish(subscription, "third")
    assert again.notified == ["third"]


def test_a_client_is_cut_off_to_recover_once_more_where_the_log_could_not_be_read() -> None:
    stage = Stage(reads_log=True)
    client = stage.connect()
    subscription = stage.subscribe(client)
    stage.drop(client)
    again = stage.connect(wsc=client.wsc)
    stage.run(stage.gateway.not_found(stage.reads[0].connection))
    assert again.close_code == 1006
    once_more = stage.connect(wsc=again.wsc)
    assert once_more.details["recoveryState"] == "Successful"
    stage.run(stage.gateway.not_found(stage.reads[0].connection))  # late, and of a connection that is no more
    assert once_more.close_code is None
    assert stage.gateway.holds(subscription)


def test_a_session_of_an_earlier_process_is_recovered_by_a_token_that_it_gave_out() -> None:
    before, stage = Stage(reads_log=True), Stage(reads_log=True)
    client = before.connect()
    subscription = before.subscribe(client)
    before.publish(subscription, "read")
    stage.gateway.restore(client.connection.session.key, OWNER, subscription)
    again = stage.connect(wsc=client.wsc)
    assert again.details["recoveryState"] == "Successful"
    assert again.take()[0][0]["wsc"]["sequence"] > 2
    assert stage.reads[0].position == 1
