"""What waits in memory, against queues that are nothing but lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bellwire.delivery.notification import Notification
from bellwire.delivery.waiting import Waiting
from bellwire.model.ids import Position

steps = st.lists(
    st.tuples(st.sampled_from(["add", "add", "start", "end", "take", "clear"]), st.sampled_from("abc")), max_size=60
)


@given(steps)
def test_each_key_s_notifications_come_in_order_and_one_at_a_time(steps: list[tuple[str, str]]) -> None:
    waiting = Waiting()
    queues: dict[str, list[Notification]] = {"a": [], "b": [], "c": []}
    for number, (step, key) in enumerate(steps):
        match step:
            case "add":
                notification = Notification(Position(number), "/t", key, 1, 0, None, number, 0.0)
                queues[key].append(notification)
                waiting.add(notification)
            case "start":
                started = waiting.start()
                startable = {key for key, queue in queues.items() if queue and key not in waiting.in_flight}
                if started is None:
                    assert not startable
                else:
                    assert queues[started.key].pop(0) is started
            case "end" if key in waiting.in_flight:
                del waiting.in_flight[key]
                waiting.free(key)
            case "take":
                assert list(waiting.take_key(key)) == queues[key]
                queues[key].clear()
            case "clear":
                waiting.clear()
                for queue in queues.values():
                    queue.clear()
        left = [notification for queue in queues.values() for notification in queue]
        assert sorted(waiting, key=lambda one: one.position) == sorted(left, key=lambda one: one.position)
        assert waiting.count == len(left)
        assert waiting.size_bytes == sum(notification.size_bytes for notification in left)
