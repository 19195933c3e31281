"""Every view and message of launching, in both languages, against Slack's limits and two libraries of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.access import Access, Limits
from bot.approvals import NeedsApproval
from bot.data_choice import PASTE, UPLOAD, Group
from bot.drafts import Draft
from bot.failures import error_message
from bot.inbound import Place
from bot.launches import Launch
from bot.render.approvals import asked_message, decided_message
from bot.render.cards import card, result_message
from bot.render.confirm import checking_view, confirm_race_view, confirm_view, problem_view
from bot.render.fields import AFTER_DATA, BEFORE_DATA, ON_DEMAND, Kind
from bot.render.jobs import jobs_message
from bot.render.modals import FormOrigin, form, logs_view
from finetune.device import Device
from finetune.effort import Effort
from finetune.jobs import Wanted
from finetune.selections import SelectionSpec
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import ACTIVE, TERMINAL, EventKind, Job, JobEvent
from index.bilingual import Bilingual, Language
from tests.slack_bot import candidate_row, evaluation, evaluation_result, tuning
from tests.slack_limits import message_problems, view_problems
from tests.slack_rebuilt import refused_by_others

NASTY = "<!channel> <@U0BEN> & <b> | `x` *y* " + "长" * 40
PLACE = Place(team="T1", channel="C1", thread_ts="1.0")
LONG = "word " * 3_000
GPU = Device(name="NVIDIA L4", free_gib=22.0, is_gpu=True)
WIDE = DatasetRef(name=NASTY, sha256="0" * 64, rows=9_999, labels=tuple(f"label {n}" for n in range(100)))
MANY = evaluation(
    candidates=tuple(Candidate(model=f"organisation/{'a' * 60}-{n}") for n in range(32)), dataset=WIDE
)
GROUPS = [
    Group(Bilingual(NASTY, NASTY), tuple((f"file:F{n}", f"{NASTY} {n}") for n in range(20))),
    Group(Bilingual("Used", "用过"), tuple((f"sha256:{n:064d}", "tickets") for n in range(20))),
]
FIGURE = {"accuracy": {"value": 0.5, "ci95": [0.4, 0.6], "n": 100}}
TUNED = {
    "before": FIGURE, "after": FIGURE, "comparison": {"difference": 0.0, "ci95": [-0.1, 0.1], "p_value": 0.9},
    "merge_check": {"passed": True, "max_abs_logit_difference": 5e-5}, "adapter": "jobs/42/adapter",
    "loss_curve": [[1, 9.0, None], [2, 0.5, 0.4]], "steps": 2, "dataset": {"name": NASTY},
}  # fmt: skip
EFFORTS = [
    Effort(device=GPU, seconds=9_000.0, memory_gib=11.2, api_usd=1.0, device_usd=7.1, was_measured=True),
    Effort(device=GPU, seconds=None, memory_gib=None, api_usd=None, device_usd=None),
    Effort(device=Device(name=NASTY, free_gib=8.0), seconds=3.0, memory_gib=0.0),
    Effort(
        device=GPU, seconds=1.0, memory_gib=1.0, n_candidates=40,
        refusals=tuple((f"{NASTY} {n}", Bilingual(LONG, LONG)) for n in range(32)),
    ),
]  # fmt: skip


RACES = [
    SelectionSpec(
        candidates=tuple(tuning(base_model=f"{'m' * length}{n}") for n in range(count)), budget_s=budget
    )
    for length, count, budget in ((5, 2, None), (200, 32, 7200.0))
]


def drafts(kind: Kind) -> Iterator[Draft]:
    """Empty, filled to the brim, and each choice of data."""
    fields = (*BEFORE_DATA[kind], *AFTER_DATA[kind], *ON_DEMAND[kind])
    full: dict[str, Any] = {
        field.name: tuple(field.names) if field.kind == "boxes" else next(iter(field.names), LONG)
        for field in fields
    }
    yield Draft(kind=kind)
    yield Draft(kind=kind, values=full | {"dataset": f"name:{NASTY}"}, repeats="12")
    yield Draft(kind=kind, values={"dataset": PASTE, "rows": LONG})
    yield Draft(kind=kind, values={"dataset": UPLOAD})
    yield Draft(kind=kind, values={"limit": "many", "seed": "-1", "epochs": "1e9", "max_usd": "nan"})


def views(language: Language) -> Iterator[dict[str, Any]]:
    """Every view that launching can show."""
    notes = {"dataset": LONG, "candidates": NASTY}
    for kind in ("evaluation", "tuning"):
        for draft in drafts(kind):  # type: ignore[arg-type]
            for more in (False, True):
                origin = FormOrigin(team="T1", channel="C1", thread_ts=None, language=language, more=more)
                yield form(draft, origin, GROUPS, notes)
                yield form(draft, origin, [])
    for spec in (evaluation(), MANY, tuning(), tuning(dataset=WIDE)):
        for effort in EFFORTS:
            for approvers in ((), ("U0MIRA", "U0BEN")):
                yield confirm_view(
                    "view:V1", spec, effort, recognised=[Bilingual(LONG, LONG)] * 12,
                    limits=Limits(gpu_hours=1, usd=5), approvers=approvers, language=language,
                )  # fmt: skip
    for race in RACES:
        for effort in EFFORTS:
            seen = [Bilingual(LONG, LONG)] * 12
            yield confirm_race_view("view:V1", race, effort, recognised=seen, language=language)
    yield checking_view(language)
    yield problem_view({f"field {n}": LONG for n in range(25)}, language)
    yield logs_view("Evaluation #42", "<log> " * 5_000, language)
    yield logs_view("Evaluation #42", "", language)


def jobs() -> Iterator[Job]:
    """Jobs of both kinds in every state."""
    for spec in (evaluation(), MANY, tuning(), tuning(dataset=WIDE, base_model="m" * 200)):
        for state in sorted(ACTIVE | TERMINAL):
            yield Job(
                id="42", spec=spec, owner="U0ANA", thread=None, state=state,
                reason=Bilingual(LONG, LONG) if state == "failed" else None,
                started_at_utc="2026-11-30T23:00:00+00:00", ended_at_utc="2026-12-01T00:00:00+00:00",
            )  # fmt: skip


def events() -> list[JobEvent]:
    """All that a recipe may tell, more of it than a card has room for."""
    told: list[tuple[EventKind, dict[str, Any]]] = [
        ("progress", {"done": 5, "total": 10, "stage": "evaluate", "spent_usd": 0.42}),
        *(("candidate", candidate_row(model=f"organisation/{'a' * 200}-{n}")) for n in range(15)),
        ("candidate", candidate_row(stopped="eliminated")),
        ("candidate", candidate_row(stopped="failed")),
        ("loss", {"step": 3, "train": 1.2, "eval": 1.1}),
        ("note", {"en": LONG, "zh": LONG}),
    ]
    return [JobEvent(id=n, job_id="42", kind=k, data=d, at_utc="") for n, (k, d) in enumerate(told)]


def messages(language: Language) -> Iterator[dict[str, Any]]:
    """Every message that launching can post."""
    for job in jobs():
        for happened in ([], events(), events()[1:]):
            yield card(job, happened, owner=NASTY, outlook=None, language=language).arguments()
        is_evaluation = isinstance(job.spec, EvaluationSpec)
        found = evaluation_result() if is_evaluation else TUNED
        result = {"job_id": "42", "state": job.state, "reason": None, **found}
        yield result_message(job, result, language=language).arguments()
    yield jobs_message(list(jobs()), language).arguments()
    yield jobs_message([], language).arguments()
    for spec in (evaluation(), MANY, tuning(dataset=WIDE)):
        wanted = Wanted(spec=spec, dedupe_key="view:V1", owner="U0ANA", thread=None)
        launch = Launch(wanted=wanted, place=PLACE, language=language)
        for effort in EFFORTS:
            limits = Limits(gpu_hours=1, usd=5)
            yield asked_message(launch, effort, limits, ("U0MIRA",) * 9, name=NASTY).arguments()
            need = NeedsApproval(wanted, effort, ("U0MIRA",), Access(limits=limits))
            yield error_message(need, language).arguments()
        for state in ("approved", "declined"):
            decided = replace(launch, state=state)
            yield decided_message(decided, by=NASTY, name="name", job_id="42").arguments()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slack_takes_every_view_of_launching(language: Language) -> None:
    refused = [(view_problems(view) + refused_by_others(view), view["title"]) for view in views(language)]

    assert len(refused) > 60
    assert [problem for problem in refused if problem[0]] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slack_takes_every_message_of_launching(language: Language) -> None:
    all_messages = list(messages(language))
    refused = [message_problems(message) + refused_by_others(message) for message in all_messages]

    assert len(all_messages) > 80
    assert [problem for problem in refused if problem] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_notification_of_launching_reads_well(language: Language) -> None:
    texts = [message["text"] for message in messages(language)]

    assert all(text and len(text) <= 600 for text in texts)
    assert not any("**" in text or "`█" in text for text in texts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_from_data_notify_nobody(language: Language) -> None:
    shown = [str(message) for message in messages(language)] + [str(view) for view in views(language)]

    assert not any("<!channel>" in text for text in shown if "mrkdwn" in text and "plain_text" not in text)
    assert not any("<@U0BEN>" in str(message) for message in messages(language))


@pytest.mark.parametrize("kind", ["evaluation", "tuning"])
def test_first_view_of_a_form_is_short_and_more_options_shows_everything(kind: Kind) -> None:
    origin = FormOrigin.at(PLACE, "en")
    short = form(Draft(kind=kind), origin, [])
    long = form(Draft(kind=kind), origin.model_copy(update={"more": True}), [])

    assert sum(block["type"] == "input" for block in short["blocks"]) <= 5
    names = {block["block_id"] for block in long["blocks"]}
    assert {field.name for field in ON_DEMAND[kind]} <= names


def test_option_that_a_draft_fills_in_is_never_hidden() -> None:
    draft = Draft(kind="evaluation", values={"instruction": "Say it."})

    names = {block["block_id"] for block in form(draft, FormOrigin.at(PLACE, "en"), [])["blocks"]}

    assert "instruction" in names
