"""Launching from Slack: the forms behind commands and buttons, what they refuse, and what they start."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from bot.listeners import views
from finetune.selections import Selections
from finetune.spec import Candidate, EvaluationSpec
from skills.conversation.answer import Action, Recommendation
from skills.conversation.request import EvaluationWish, Turn
from tests.finetune import tiny_models as tiny
from tests.slack_bot import (
    MODEL,
    answer_to,
    launch,
    open_form,
    open_surface,
    running_bot,
    shown,
    with_more_options,
)
from tests.slack_person import Person, chosen
from tests.slack_server import Payload, SlackServer


def initial(view: Payload, field: str) -> object:
    """What a form's field starts with."""
    (element,) = [block["element"] for block in view["blocks"] if block["block_id"] == field]
    return element.get("initial_value") or (element.get("initial_option") or {}).get("value")


def test_evaluate_command_opens_a_form_with_the_words_after_it(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")

    assert view["title"]["text"] == "Evaluate models"
    assert initial(view, "candidates") == MODEL
    assert initial(view, "dataset") == "name:tickets"


def test_form_starts_with_what_the_person_was_recommended_last(tmp_path: Path, slack: SlackServer) -> None:
    def say(turn: Turn) -> object:
        return answer_to(turn, skill="recommend", recommendations=(recommendation(MODEL),))

    with running_bot(open_surface(tmp_path, say=say), slack) as bot:
        bot.ana.say("哪个模型适合 tickets？", channel="D0ANA")
        bot.posts()
        view = open_form(bot, "/evaluate", channel="C0TEAM")

    assert initial(view, "candidates") == MODEL
    assert initial(view, "dataset") == "name:tickets"
    assert view["title"]["text"] == "评测模型"


def test_submitted_form_starts_the_job_and_posts_its_card(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        launch(bot, view, candidates=f"{MODEL}@int8\n{MODEL}", limit="64")
        (card,) = bot.posts()
        (job,) = bot.surface.jobs.list()

    assert isinstance(job.spec, EvaluationSpec)
    assert job.spec.candidates == (Candidate(model=MODEL, quantization="int8"), Candidate(model=MODEL))
    assert (job.spec.limit, job.owner, card["channel"]) == (64, "U0ANA", "C0TEAM")
    assert "*Evaluation #1*" in shown(card)


def test_words_after_the_command_fill_in_how_it_is_to_be_done(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    wish = EvaluationWish(
        metric="f1_macro", data_task="classification", full=True, examples=3, instruction="Say it.", max_usd=5
    )
    read = surface.read
    surface = replace(
        surface, read=lambda turn: read(turn).model_copy(update={"evaluation": wish, "rows": 64})
    )

    with running_bot(surface, slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        launch(bot, view)
        bot.settle()
        (job,) = bot.surface.jobs.list()

    assert isinstance(job.spec, EvaluationSpec)
    assert (job.spec.metric, job.spec.full, job.spec.examples, job.spec.limit) == ("f1_macro", True, 3, 64)
    assert (job.spec.instruction, job.spec.dataset.task, job.spec.max_usd) == ("Say it.", "classification", 5)


def test_form_left_as_it_opens_asks_for_nothing_unusual(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.settle()
        (job,) = bot.surface.jobs.list()

    assert job.spec == EvaluationSpec(candidates=(Candidate(model=MODEL),), dataset=job.spec.dataset)


def test_form_submitted_twice_is_one_job_with_one_card(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        confirmed = launch(bot, view)
        bot.ana.submit(confirmed)
        launch(bot, view)
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert len(jobs) == 1
    assert len(slack.calls("chat.postMessage")) == 1


def test_finetune_form_starts_a_tuning_job(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/finetune", f"{MODEL} on tickets")
        launch(bot, view, epochs="1.5")
        (card,) = bot.posts()
        (job,) = bot.surface.jobs.list()

    assert job.spec.kind == "tuning"
    assert job.spec.epochs == 1.5
    assert "*Fine-tune #1*" in shown(card)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("candidates", "no such model", "no such model"),
        ("candidates", f"{MODEL}@int3", "int3"),
        ("candidates", "", "fill this in"),
        ("candidates", f"{MODEL} + job 7", "7"),
        ("dataset", chosen("name:nowhere.csv"), "nowhere.csv"),
        ("dataset", chosen(""), "choose the data"),
        ("limit", "0", "0"),
        ("metric", chosen("bleu"), "bleu"),
        ("examples", "40", "give 0 to 32"),
        ("examples", "some", "some"),
        ("task", chosen("chat"), "judge"),
        ("judge", "openai:gpt-4.1-mini", "task Chat"),
        ("max_usd", "-1", "-1"),
    ],
)
def test_wrong_field_is_told_at_the_field_and_nothing_starts(
    tmp_path: Path, slack: SlackServer, field: str, value: object, complaint: str
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = with_more_options(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        verdict = bot.ana.submit(view, **{field: value})
        jobs = bot.surface.jobs.list()

    assert verdict["response_action"] == "errors"
    assert list(verdict["errors"]) == ["judge" if field == "task" else field]
    assert complaint in str(verdict["errors"])
    assert jobs == []


def test_look_up_that_takes_long_is_waited_for_in_a_view_and_starts_nothing_when_it_fails(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    surface, hub_answers = open_surface(tmp_path), Event()
    resolve = surface.jobs.resolve_model
    monkeypatch.setattr(surface.jobs, "resolve_model", lambda name: hub_answers.wait() and resolve(name))
    monkeypatch.setattr(views, "VERDICT_S", 0)

    with running_bot(surface, slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        waiting = bot.ana.submit(view, candidates="no such model")["view"]
        hub_answers.set()
        bot.settle()
        told = slack.workspace.views[waiting["id"]]
        jobs = bot.surface.jobs.list()

    assert "Looking at models" in str(waiting["blocks"])
    assert "no such model" in str(told["blocks"])
    assert "submit" not in told
    assert jobs == []


def test_look_up_that_takes_long_ends_in_the_view_with_the_start_button(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "VERDICT_S", 0)

    with running_bot(open_surface(tmp_path), slack) as bot:
        waiting = bot.ana.submit(open_form(bot, "/evaluate", f"{MODEL} on tickets"))["view"]
        bot.settle()
        bot.ana.submit(slack.workspace.views[waiting["id"]])
        bot.settle()
        jobs = bot.surface.jobs.list()

    assert len(jobs) == 1


def test_form_that_slack_would_no_longer_open_is_explained(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.command("/evaluate", trigger_id="long-gone")
        (told,) = bot.told()

    assert "try once more" in told["text"]


def test_evaluate_button_opens_the_form_with_its_models(tmp_path: Path, slack: SlackServer) -> None:
    button = Action(id="evaluate", label="评测前 2 名", value={"models": [MODEL, "Qwen/Qwen3-0.6B"]})

    with running_bot(
        open_surface(tmp_path, say=lambda turn: answer_to(turn, actions=(button,))), slack
    ) as bot:
        bot.ana.mention("哪个模型？")
        (answer,) = bot.posts()
        bot.ana.press(answer, "shortlist_evaluate")
        bot.settle()
        (view,) = slack.workspace.views.values()

    assert initial(view, "candidates") == f"{MODEL}\nQwen/Qwen3-0.6B"
    assert view["title"]["text"] == "评测模型"


def test_card_of_a_form_opened_in_a_thread_is_posted_in_the_thread(
    tmp_path: Path, slack: SlackServer
) -> None:
    button = Action(id="finetune", label="Fine-tune 1", value={"model": MODEL, "dataset": "tickets"})

    with running_bot(
        open_surface(tmp_path, say=lambda turn: answer_to(turn, actions=(button,))), slack
    ) as bot:
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()
        bot.ana.press(answer, "shortlist_finetune")
        bot.settle()
        launch(bot, *slack.workspace.views.values())
        card = bot.posts()[1]

    assert card["thread_ts"] == question["ts"]


def test_only_runners_may_open_a_form_once_there_are_runners(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0BEN"})), slack) as bot:
        bot.ana.command("/evaluate")
        (told,) = bot.told()
        bot.settle()

    assert "<@U0BEN>" in told["text"]
    assert slack.calls("views.open") == []


def test_form_that_somebody_without_the_role_submits_starts_nothing(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0ANA"})), slack) as bot:
        view = open_form(bot, "/evaluate", f"{MODEL} on tickets")
        verdict = Person(slack, bot.port, id="U0BEN").submit(view)
        jobs = bot.surface.jobs.list()

    assert "Nothing was started." in str(verdict["view"]["blocks"])
    assert "submit" not in verdict["view"]
    assert jobs == []


def recommendation(model: str) -> Recommendation:
    return Recommendation.model_validate(
        {
            "rank": 1, "model": model, "quantization": "none", "score": 0.1,
            "cost": {"value": 0.1, "unit": "USD per million tokens", "basis": "…"},
            "loss": {"value": 0.2, "se": 0.1}, "p_best": 0.6, "vram_gib": 1.0, "licence": "apache-2.0",
            "context_tokens": 8192, "params_b": 0.1, "reasons": (), "evidence": (),
        }
    )  # fmt: skip


def test_data_that_a_fine_tune_cannot_learn_from_is_told_at_the_data(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = with_more_options(bot, open_form(bot, "/finetune", f"{MODEL} on tickets"))
        verdict = bot.ana.submit(view, task=chosen("language-modelling"))
        jobs = bot.surface.jobs.list()

    assert list(verdict["errors"]) == ["dataset"]
    assert jobs == []


def test_confirmed_form_of_somebody_else_starts_nothing(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        verdict = bot.ana.submit(open_form(bot, "/evaluate", f"{MODEL} on tickets"))
        bot.settle()
        confirmed = slack.workspace.views[verdict["view"]["id"]]
        Person(slack, bot.port, id="U0BEN").submit(confirmed)
        (told,) = bot.posts()
        jobs = bot.surface.jobs.list()

    assert "open it again" in told["text"]
    assert jobs == []


def two_bases(folder: Path) -> tuple[str, str]:
    """Two models that can be tuned without a network."""
    small, large = (str(tiny.saved(folder / name, tiny.bare_encoder())) for name in ("small", "large"))
    return small, large


def test_several_bases_lead_from_the_form_over_an_estimate_to_their_race(
    tmp_path: Path, slack: SlackServer
) -> None:
    bases = two_bases(tmp_path)
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/finetune", f"{' '.join(bases)} on tickets")
        assert initial(view, "base_model") == "\n".join(bases)
        view = with_more_options(bot, view)
        confirmed = launch(bot, view, budget_hours="2")
        bot.ana.submit(confirmed)
        plan, *cards = bot.posts()
        races = Selections(bot.surface.engine, bot.surface.jobs)
        (race,) = races.newest()

    seen = json.dumps(confirmed)
    assert "best once tuned on tickets: small, large?" in seen
    assert "2.0 h of device time" in seen
    assert (race.owner, race.spec.budget_s, race.state) == ("U0ANA", 7200, "running")
    assert race.spec.names == bases
    assert "*Selection 1*" in shown(plan).replace("**", "*")
    assert len(cards) == len(race.runs) == 2
    assert {card["thread_ts"] for card in cards} == {plan["ts"]}


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"base_model": "{0}\n{0}"}, "base_model", "named twice"),
        ({"base_model": "{0}\nno-such-model"}, "base_model", "no-such-model"),
        ({"base_model": "{0}\n{1}", "search": "3"}, "search", "none are searched"),
        ({"base_model": "{0}\n{1}", "limit": "10"}, "base_model", "too few"),
    ],
)
def test_race_that_makes_no_sense_is_told_at_its_field(
    tmp_path: Path, slack: SlackServer, values: dict[str, str], field: str, said: str
) -> None:
    bases = two_bases(tmp_path)
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = with_more_options(bot, open_form(bot, "/finetune", f"{MODEL} on tickets"))
        verdict = bot.ana.submit(view, **{name: value.format(*bases) for name, value in values.items()})
        bot.settle()

    assert said in verdict["errors"][field]
    assert bot.surface.jobs.list() == []


def test_form_with_several_bases_of_who_may_not_is_refused(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path, runners=frozenset({"U0BEN"})), slack) as bot:
        bot.ana.command("/finetune", f"{MODEL} Qwen/Qwen2.5-0.5B-Instruct on tickets")
        told = bot.told()

    assert "runner" in json.dumps(told)
