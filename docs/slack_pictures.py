"""Draw what the bot looks like in Slack, from the very blocks that it posts: answers, a form, a card, a result.

`python docs/slack_pictures.py [--rows 96]` asks real questions and runs a real evaluation, which takes some minutes, and
draws each picture in English and in Chinese with `block_kit`, which needs Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from block_kit import draw, message_html, said_html, view_html

from bot.access import Limits
from bot.app import build_desk
from bot.data_choice import known_data
from bot.drafts import from_value
from bot.inbound import Place
from bot.render.answers import answer_messages
from bot.render.cards import card, result_message
from bot.render.confirm import confirm_view
from bot.render.modals import FormOrigin, form
from bot.settings import Settings
from finetune.spec import Candidate, EvaluationSpec
from finetune.state import Job, JobEvent
from index.bilingual import Language
from skills.conversation.request import Turn
from skills.desk import Desk
from skills.pipeline import reply

IMAGES = Path(__file__).parent / "images"
LANGUAGES: tuple[Language, ...] = ("en", "zh")
QUESTIONS = {
    "en": "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only.",
    "zh": "单张 24 GB 显卡，中文客服摘要用哪个开源模型？只要 Apache 或 MIT。",
}
NAMES = {"en": "Ana", "zh": "小安"}
MODELS = ("smollm2", "smollm2@int8", "smollm2@nf4")
SHOWN_AT_FRAC = 0.55
"""The card is drawn as it was when about so much was done."""


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=96)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as home:
        desk = build_desk(Settings(home=Path(home)))
        for language in LANGUAGES:
            draw_answer(desk, language)
        spec = evaluation(desk, rows)
        for language in LANGUAGES:
            draw_form(desk, spec, language)
        job, events = run(desk, spec)
        for language in LANGUAGES:
            draw_card(job, events, language)
            draw_result(desk, job, language)


def draw_answer(desk: Desk, language: Language) -> None:
    """A question and its answer."""
    question = QUESTIONS[language]
    answer = reply(Turn(text=question, thread=f"picture {language}", person="U0ANA"), desk)
    parts = [said_html(NAMES[language], f"@Shortlist {question}")]
    parts += [message_html("Shortlist", message.blocks) for message in answer_messages(answer)]
    draw(parts, IMAGES / f"slack-answer-{language}.png")


def evaluation(desk: Desk, rows: int) -> EvaluationSpec:
    """The embedded model in three precisions on the sample tickets."""
    return EvaluationSpec(
        candidates=tuple(Candidate.parse(name) for name in MODELS),
        dataset=desk.jobs.register_dataset("tickets"),
        limit=rows,
        full=True,
    )


def draw_form(desk: Desk, spec: EvaluationSpec, language: Language) -> None:
    """The form as it opens, and the view before the start."""
    place = Place(team="T", channel="C", thread_ts=None)
    value = {"models": MODELS, "dataset": "tickets", "limit": spec.limit}
    groups = known_data(desk.jobs, place, "U0ANA", language)
    origin = FormOrigin.at(place, language)
    effort = desk.jobs.effort(spec)
    confirm = confirm_view(
        "key", spec, effort, recognised=desk.jobs.describe_dataset(spec.dataset), limits=Limits(), approvers=(),
        language=language,
    )  # fmt: skip
    draw(
        [view_html(form(from_value("evaluation", value), origin, groups))],
        IMAGES / f"slack-form-{language}.png",
    )
    draw([view_html(confirm)], IMAGES / f"slack-estimate-{language}.png")


def run(desk: Desk, spec: EvaluationSpec) -> tuple[Job, list[JobEvent]]:
    """Run the evaluation for real; all that it told."""
    events: list[JobEvent] = []
    job = desk.jobs.submit(spec, dedupe_key="picture", owner="U0ANA")
    return desk.jobs.wait(job.id, on_event=events.append), events


def draw_card(job: Job, events: list[JobEvent], language: Language) -> None:
    """The card as it was in the middle of the run."""
    until = next(
        number
        for number, event in enumerate(events)
        if event.kind == "progress" and event.data["done"] >= SHOWN_AT_FRAC * event.data["total"]
    )
    then = replace(job, state="running", ended_at_utc=None)
    message = card(then, events[: until + 1], owner=NAMES[language], language=language)
    draw([message_html("Shortlist", message.blocks)], IMAGES / f"slack-card-{language}.png")


def draw_result(desk: Desk, job: Job, language: Language) -> None:
    """How it ended."""
    message = result_message(job, desk.jobs.result(job.id), language=language)
    named = [dict(block) for block in message.blocks]
    for block in named:
        if block["type"] == "section":
            block["text"] = {**block["text"], "text": block["text"]["text"].replace("U0ANA", "ANA")}
    draw([message_html("Shortlist", named, time="10:47")], IMAGES / f"slack-result-{language}.png")


if __name__ == "__main__":
    main()
