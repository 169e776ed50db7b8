from __future__ import annotations

from bellwire.storage.embedded.group_sizes import GroupSizes


def test_commits_are_counted_up_to_each_bound_inclusively() -> None:
    sizes = GroupSizes()

    for events in (1, 2, 3, 512, 513, 100_000):
        sizes.add(events)

    buckets = dict(sizes.buckets())
    assert [buckets[bound] for bound in ("1", "2", "4", "512", "1024", "4096", "+Inf")] == [1, 2, 3, 4, 5, 5, 6]
    assert sizes.events == 101_031
