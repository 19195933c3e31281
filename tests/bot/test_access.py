from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.access import Access, Limits, NotAllowed, RulesFile
from bot.administration import Administration
from bot.grants import Grants
from bot.roles import Quota, Role
from finetune.device import Device
from finetune.effort import Effort
from finetune.state import Job
from index.audit import Trail
from index.caller import Caller, calling
from index.errors import BadInput, BadSetting
from index.store import open_store, sqlite_url
from tests.slack_bot import evaluation

JOB = Job(id="7", spec=evaluation(), owner="U0ANA", thread=None, state="running")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """An access file with this text."""

    def write(text: str) -> Path:
        path = tmp_path / "access.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def stored(tmp_path: Path, **more: object) -> Access:
    engine = open_store(sqlite_url(tmp_path))
    return Access(grants=Grants(engine), trail=Trail(engine), **more)  # type: ignore[arg-type]


def test_everybody_may_ask_and_nobody_may_launch_when_nothing_is_configured() -> None:
    Access().require_ask("U0ANYBODY")
    with pytest.raises(NotAllowed) as refusal:
        Access().require_launch("U0ANYBODY")

    for language in ("en", "zh"):
        assert "SHORTLIST_RUNNERS=U0ANYBODY" in refusal.value.to(language)
        assert "shortlist access grant U0ANYBODY runner" in refusal.value.to(language)


def test_star_lets_everybody_launch() -> None:
    assert Access(frozenset({"*"})).may_launch("U0ANYBODY")


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


def test_approver_may_stop_the_job_of_another_and_a_runner_may_not(tmp_path: Path) -> None:
    access = stored(tmp_path, runners=frozenset({"U0BEN"}))
    assert access.grants is not None
    access.grants.give("U0MIRA", Role.APPROVER, by="os:root")

    access.require_stop("U0MIRA", JOB)
    with pytest.raises(NotAllowed, match="Job 7 belongs to <@U0ANA>"):
        access.require_stop("U0BEN", JOB)


def test_owner_at_a_terminal_is_named_not_mentioned() -> None:
    with pytest.raises(NotAllowed, match="belongs to ana:"):
        Access(frozenset({"U0BEN"})).require_stop("U0EVE", replace(JOB, owner="ana"))


def test_only_administrators_may_change_the_order_of_jobs() -> None:
    access = Access(admins=frozenset({"U0BEN"}))

    access.require_admin("U0BEN")
    with pytest.raises(NotAllowed, match="<@U0BEN>"):
        access.require_admin("U0ANA")
    with pytest.raises(NotAllowed, match="SHORTLIST_ADMINS"):
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


def test_file_gives_roles_to_people_groups_and_channels(written: Callable[[str], Path]) -> None:
    path = written("roles:\n  runner: [U0BEN, S0LEADS, C0ML]\n  administrator: [U0MIRA]\n")
    access = Access(file=RulesFile(path), members=lambda _group: frozenset({"U0LEA"}))

    assert access.role_of("U0BEN") == Role.RUNNER
    assert access.role_of("U0LEA") == Role.RUNNER
    assert access.role_of("U0MIRA") == Role.ADMINISTRATOR
    assert access.role_of("U0ANA") == Role.ASKER
    assert access.role_of("U0ANA", "C0ML") == Role.RUNNER
    assert access.role_of("U0ANA", "C0TEAM") == Role.ASKER


def test_role_of_a_channel_holds_where_the_person_is_asking(written: Callable[[str], Path]) -> None:
    access = Access(file=RulesFile(written("roles: {runner: [C0ML]}")))

    with calling(Caller(person="U0ANA", surface="mention", channel="C0ML")):
        assert access.may_launch("U0ANA")
        assert not access.may_launch("U0BEN"), "who asks in a channel lends its role to nobody else"
    with calling(Caller(person="U0ANA", surface="mention", channel="D0ANA")):
        assert not access.may_launch("U0ANA")


def test_asking_can_be_limited_by_the_file(written: Callable[[str], Path]) -> None:
    access = Access(file=RulesFile(written("roles: {asker: [C0ML], runner: [U0BEN]}")))

    access.require_ask("U0BEN")
    with pytest.raises(NotAllowed):
        access.require_ask("U0ANA")


def test_file_is_read_again_when_it_changes_and_a_bad_change_keeps_the_last_rules(
    written: Callable[[str], Path],
) -> None:
    access = Access(file=RulesFile(written("roles: {runner: [U0BEN]}")))
    written("roles: {runner: [U0BEN, U0ANA]}")
    assert access.may_launch("U0ANA")

    written("roles: {runner: [U0BEN")
    assert access.may_launch("U0ANA")
    assert not access.may_launch("U0EVE")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("roles: {owner: [U0BEN]}", "there is no role 'owner'"),
        ("roles: [U0BEN]", "roles"),
        ("quotas: {person: {usd: -1}}", "quotas.person.usd"),
        ("quota: {}", "quota"),
        ("roles: {", "is no YAML"),
        ("roles: !!python/object/apply:os.system [id]", "is no YAML"),
    ],
)
def test_file_that_cannot_be_used_is_told_with_the_place(
    written: Callable[[str], Path], text: str, told: str
) -> None:
    with pytest.raises(BadSetting, match=told):
        RulesFile(written(text))


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cannot be read"):
        RulesFile(tmp_path / "none.yaml")


def test_grant_holds_at_once_and_can_be_taken_back(tmp_path: Path) -> None:
    access = stored(tmp_path, admins=frozenset({"U0MIRA"}))
    assert access.grants is not None
    assert access.trail is not None
    administration = Administration(access, access.grants, access.trail)

    administration.grant("<@U0ANA|ana>", "runner", by="U0MIRA")
    assert access.may_launch("U0ANA")
    administration.revoke("U0ANA", by="U0MIRA")
    assert not access.may_launch("U0ANA")

    assert [(row.action, row.subject, row.decision) for row in access.trail.newest()] == [
        ("change roles", "nothing U0ANA", "allowed"),
        ("change roles", "runner U0ANA", "allowed"),
    ]


def test_nobody_gives_themselves_a_role(tmp_path: Path) -> None:
    access = stored(tmp_path, runners=frozenset({"U0ANA"}))
    assert access.grants is not None
    assert access.trail is not None
    administration = Administration(access, access.grants, access.trail)

    for attempt in (
        lambda: administration.grant("U0ANA", "administrator", by="U0ANA"),
        lambda: administration.revoke("U0MIRA", by="U0ANA"),
        lambda: administration.limit("U0ANA", Quota(), by="U0ANA"),
    ):
        with pytest.raises(NotAllowed):
            attempt()

    assert access.role_of("U0ANA") == Role.RUNNER
    assert {row.decision for row in access.trail.newest()} == {"denied"}


@pytest.mark.parametrize("subject", ["", "ana", "U0ANA; DROP TABLE grants", "<!channel>", "U0 ANA", "os:"])
def test_role_for_nobody_is_refused(tmp_path: Path, subject: str) -> None:
    access = stored(tmp_path, admins=frozenset({"U0MIRA"}))
    assert access.grants is not None
    assert access.trail is not None

    with pytest.raises(BadInput):
        Administration(access, access.grants, access.trail).grant(subject, "runner", by="U0MIRA")


def test_role_that_a_setting_gives_is_not_revoked_but_explained(tmp_path: Path) -> None:
    access = stored(tmp_path, admins=frozenset({"U0MIRA"}), runners=frozenset({"U0BEN"}))
    assert access.grants is not None
    assert access.trail is not None

    with pytest.raises(BadInput, match="SHORTLIST_RUNNERS"):
        Administration(access, access.grants, access.trail).revoke("U0BEN", by="U0MIRA")
