"""Who is next: pure decisions on plain values."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from finetune.devices import Device
from finetune.fair import Forecast, Grant, Waiting, in_order, in_turns, next_grant


def waiting(job_id: int, owner: str = "ana", **more: Any) -> Waiting:
    return Waiting(**{"job_id": job_id, "owner": owner, "state": "queued", **more})


def gpu(number: int, gib: float = 24.0) -> Device:
    return Device(
        key=f"host/gpu{number}", name=f"gpu{number}", kind="gpu", memory_gib=gib, visible=str(number)
    )


def ids(jobs: Sequence[Waiting]) -> list[int]:
    return [job.job_id for job in jobs]


def test_people_take_turns_however_many_jobs_one_has_and_each_is_served_first_come() -> None:
    left = [waiting(number) for number in range(1, 6)] + [waiting(6, "bo"), waiting(7, "bo")]
    served: dict[str, int] = {}
    order = []
    for turn in range(1, 8):
        first = in_order(left, running={}, served=served)[0]
        served[first.owner] = turn
        left.remove(first)
        order.append(first.job_id)

    assert order == [1, 6, 2, 7, 3, 4, 5]


def test_who_has_nothing_running_goes_before_who_has() -> None:
    jobs = [waiting(1, "ana"), waiting(2, "bo")]

    assert ids(in_order(jobs, running={"ana": 1}, served={"bo": 9})) == [2, 1]


def test_a_priority_goes_before_turns_and_what_had_begun_before_everything() -> None:
    jobs = [waiting(1), waiting(2, priority=1), waiting(3, "bo", priority=-1), waiting(4, state="running")]

    assert ids(in_order(jobs, running={}, served={})) == [4, 2, 1, 3]


def test_a_job_gets_the_smallest_device_that_holds_it() -> None:
    devices = (gpu(0, 80), gpu(1, 24))

    def granted(gib: float | None) -> Grant | None:
        return next_grant([waiting(1, memory_gib=gib)], devices=devices, free=devices, running={})

    assert [device.name for device in granted(16).devices] == ["gpu1"]  # type: ignore[union-attr]
    assert [device.name for device in granted(60).devices] == ["gpu0"]  # type: ignore[union-attr]
    assert [device.name for device in granted(None).devices] == ["gpu1"]  # type: ignore[union-attr]
    assert granted(100) is None


def test_small_jobs_do_not_starve_one_that_waits_for_two_devices() -> None:
    devices = (gpu(0), gpu(1))
    ordered = [waiting(1, gpus=2), waiting(2, "bo")]

    assert next_grant(ordered, devices=devices, free=devices[1:], running={}) is None
    both = next_grant(ordered, devices=devices, free=devices, running={})
    assert both is not None
    assert (both.job.job_id, len(both.devices)) == (1, 2)


def test_a_small_device_is_not_kept_for_a_job_that_needs_the_large_one() -> None:
    devices = (gpu(0, 80), gpu(1, 24))
    ordered = [waiting(1, memory_gib=60), waiting(2, "bo", memory_gib=10)]

    grant = next_grant(ordered, devices=devices, free=devices[1:], running={})

    assert grant is not None
    assert grant.job.job_id == 2


def test_a_person_at_the_limit_waits_and_the_next_goes() -> None:
    ordered = [waiting(1, "ana"), waiting(2, "bo")]

    grant = next_grant(ordered, devices=(gpu(0),), free=(gpu(0),), running={"ana": 2}, most_running=2)

    assert grant is not None
    assert grant.job.owner == "bo"


def test_a_job_that_is_to_be_cancelled_needs_no_device_to_end() -> None:
    grant = next_grant([waiting(1, state="cancelling")], devices=(gpu(0),), free=(), running={})

    assert grant == Grant(waiting(1, state="cancelling"), ())


@given(st.lists(st.sampled_from(["ana", "bo", "chen"]), min_size=1, max_size=12))
def test_the_line_is_told_in_the_order_in_which_it_is_served(owners: list[str]) -> None:
    left = [waiting(number, owner) for number, owner in enumerate(owners, start=1)]
    lines = {owner: [job.job_id for job in left if job.owner == owner] for owner in dict.fromkeys(owners)}
    told = [number for _owner, number in in_turns(lines, list(lines))]
    served = dict.fromkeys(lines, 0)
    for turn in range(1, len(owners) + 1):
        first = in_order(left, running={}, served=served)[0]
        served[first.owner] = turn
        left.remove(first)
        assert told[turn - 1] == first.job_id


def starts(
    *jobs: tuple[str, int], free_at_s: Sequence[float], typical_s: float = 100.0, **more: Any
) -> list[Any]:
    forecast = Forecast(typical_s, list(free_at_s), **({"ends_s": {}} | more))
    return [forecast.starts_in_s(owner, gpus) for owner, gpus in jobs]


def test_a_job_is_expected_to_begin_when_those_before_have_had_their_time() -> None:
    assert starts(*[("ana", 1)] * 3, free_at_s=[40.0]) == [40.0, 140.0, 240.0]
    assert starts(*[("ana", 1)] * 4, free_at_s=[0.0, 10.0]) == [0.0, 10.0, 100.0, 110.0]


def test_a_job_that_needs_two_devices_waits_for_both_and_holds_both() -> None:
    assert starts(("ana", 2), ("bo", 1), free_at_s=[40.0, 10.0]) == [40.0, 140.0]


def test_a_person_at_the_limit_waits_for_the_end_of_an_own_job() -> None:
    told = starts(("ana", 1), ("bo", 1), free_at_s=[0.0, 0.0, 70.0], ends_s={"ana": [70.0]}, most_running=1)

    assert told == [70.0, 0.0]


def test_no_start_is_expected_while_nothing_was_measured_or_nobody_works() -> None:
    assert starts(("ana", 1), ("ana", 1), free_at_s=[0.0], typical_s=inf) == [0.0, None]
    assert starts(("ana", 1), free_at_s=[inf]) == [None]
    assert starts(("ana", 1), free_at_s=[]) == [None]
