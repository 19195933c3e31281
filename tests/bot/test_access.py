from __future__ import annotations

from dataclasses import replace

import pytest

from bot.access import Access, Limits, NotAllowed
from finetune.device import Device
from finetune.effort import Effort
from finetune.state import Job
from tests.slack_bot import evaluation

JOB = Job(id="7", spec=evaluation(), owner="U0ANA", thread=None, state="running")


def test_everybody_may_launch_when_no_runners_are_listed() -> None:
    assert Access().may_launch("U0ANYBODY")


def test_only_listed_runners_may_launch() -> None:
    access = Access(frozenset({"U0BEN"}))

    assert access.may_launch("U0BEN")
    assert not access.may_launch("U0ANA")


def test_refusal_names_who_can_help() -> None:
    with pytest.raises(NotAllowed) as refusal:
        Access(frozenset({"U0BEN"})).require_launch("U0ANA")

    assert "<@U0BEN>" in refusal.value.to("en")
    assert "<@U0BEN>" in refusal.value.to("zh")


def test_owner_may_stop_their_job_without_being_a_runner() -> None:
    Access(frozenset({"U0BEN"})).require_stop("U0ANA", JOB)


def test_runner_may_stop_the_job_of_another() -> None:
    Access(frozenset({"U0BEN"})).require_stop("U0BEN", JOB)


def test_others_may_not_stop_a_job_when_runners_are_listed() -> None:
    with pytest.raises(NotAllowed, match="Job 7 belongs to <@U0ANA>"):
        Access(frozenset({"U0BEN"})).require_stop("U0EVE", JOB)


def test_owner_at_a_terminal_is_named_not_mentioned() -> None:
    with pytest.raises(NotAllowed, match="belongs to ana:"):
        Access(frozenset({"U0BEN"})).require_stop("U0EVE", replace(JOB, owner="ana"))


def test_only_administrators_may_change_the_order_of_jobs() -> None:
    access = Access(admins=frozenset({"U0BEN"}))

    access.require_admin("U0BEN")
    with pytest.raises(NotAllowed, match="SHORTLIST_ADMINS"):
        access.require_admin("U0ANA")
    with pytest.raises(NotAllowed):
        Access().require_admin("U0ANA")


def takes(*, seconds: float | None = 7_200.0, usd: float | None = 0.0) -> Effort:
    gpu = Device(name="NVIDIA L4", free_gib=22.0, is_gpu=True)
    return Effort(device=gpu, seconds=seconds, memory_gib=1.0, api_usd=usd, device_usd=0.0)


@pytest.mark.parametrize(
    ("limits", "effort", "is_asked"),
    [
        (Limits(), takes(), False),
        (Limits(gpu_hours=2), takes(), False),
        (Limits(gpu_hours=1), takes(), True),
        (Limits(gpu_hours=1), takes(seconds=None), True),
        (Limits(usd=5), takes(usd=4.99), False),
        (Limits(usd=5), takes(usd=5.01), True),
        (Limits(usd=5), takes(usd=None), True),
    ],
)
def test_approvers_are_asked_above_a_limit_and_where_nobody_can_tell(
    limits: Limits, effort: Effort, is_asked: bool
) -> None:
    access = Access(approvers=frozenset({"U0MIRA"}), limits=limits)

    assert access.must_approve("U0ANA", effort) == (("U0MIRA",) if is_asked else ())
    assert access.must_approve("U0MIRA", effort) == ()


def test_administrators_approve_where_nobody_else_is_named() -> None:
    access = Access(admins=frozenset({"U0ADA"}), limits=Limits(gpu_hours=1))

    assert access.must_approve("U0ANA", takes()) == ("U0ADA",)


def test_job_above_a_limit_that_nobody_could_approve_is_refused() -> None:
    with pytest.raises(NotAllowed, match="SHORTLIST_APPROVERS"):
        Access(limits=Limits(gpu_hours=1)).must_approve("U0ANA", takes())
