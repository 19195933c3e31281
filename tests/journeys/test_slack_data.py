"""Choosing data in Slack: files of the thread, uploads, pasted rows, sets used before; and what is refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from tests.slack_bot import MODEL, RunningBot, launch, open_form, open_surface, running_bot
from tests.slack_person import chosen
from tests.slack_server import Payload, SlackServer

ROWS = "text,label\n" + "".join(f"question {n},{'billing' if n % 2 else 'refund'}\n" for n in range(20))


def workbook() -> bytes:
    """The rows as an Excel file."""
    book = openpyxl.Workbook()
    for line in ROWS.splitlines():
        book.active.append(line.split(","))
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def options(view: Payload) -> dict[str, str]:
    """Label -> value of all that the menu of data offers."""
    menu = next(block["element"] for block in view["blocks"] if block["block_id"] == "dataset")
    return {one["text"]["text"]: one["value"] for group in menu["option_groups"] for one in group["options"]}


def note(bot: RunningBot, view: Payload) -> str:
    """The line below the data, as the form stands now."""
    bot.settle()
    blocks = bot.slack.workspace.views[view["id"]]["blocks"]
    return "".join(str(block["elements"]) for block in blocks if block["block_id"] == "dataset_note")


def test_file_of_the_channel_can_be_chosen_and_is_what_the_job_reads(
    tmp_path: Path, slack: SlackServer
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.post_file("mine.csv", ROWS.encode())
        view = open_form(bot, "/evaluate", MODEL)
        launch(bot, view, dataset=chosen(options(view)["mine.csv"]))
        bot.settle()
        (job,) = bot.surface.jobs.list()

    assert (job.spec.dataset.name, job.spec.dataset.rows) == ("mine.csv", 20)


def test_file_of_the_thread_comes_first_and_once(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        question = bot.ana.mention("which model?")
        (answer,) = bot.posts()
        bot.ana.post_file("thread.csv", ROWS.encode(), thread_ts=question["ts"])
        bot.ana.post_file("channel.csv", ROWS.encode())
        label = {"type": "plain_text", "text": "Evaluate"}
        button = {"type": "button", "action_id": "shortlist_evaluate", "value": "{}", "text": label}
        answer["blocks"].append({"type": "actions", "elements": [button]})
        bot.ana.press(answer, "shortlist_evaluate")
        bot.settle()
        (view,) = slack.workspace.views.values()

    assert list(options(view))[:2] == ["thread.csv", "channel.csv"]


def test_choosing_data_says_at_once_what_was_recognised(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen("name:tickets"))
        said = note(bot, view)

    assert "tickets: 480 rows for classification" in said


def test_rows_can_be_pasted(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/finetune", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen("paste"))
        bot.settle()
        launch(bot, slack.workspace.views[view["id"]], rows=ROWS)
        bot.settle()
        (job,) = bot.surface.jobs.list()

    assert (job.spec.dataset.name, job.spec.dataset.rows) == ("pasted rows.csv", 20)


@pytest.mark.parametrize(
    ("rows", "complaint"), [("", "paste the rows"), ("text,label\na,b", "row"), ("hello", "no rows")]
)
def test_pasted_rows_that_are_none_are_explained_at_the_rows(
    tmp_path: Path, slack: SlackServer, rows: str, complaint: str
) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen("paste"))
        bot.settle()
        verdict = bot.ana.submit(slack.workspace.views[view["id"]], rows=rows)

    assert list(verdict["errors"]) == ["rows"]
    assert complaint in verdict["errors"]["rows"]


def test_excel_file_is_uploaded_in_the_form_and_read(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        file = bot.ana.post_file("rows.xlsx", workbook(), channel="D0ANA")
        view = open_form(bot, "/evaluate", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen("upload"))
        bot.settle()
        launch(bot, slack.workspace.views[view["id"]], upload={"files": [{"id": file["id"]}]})
        bot.settle()
        (job,) = bot.surface.jobs.list()

    assert (job.spec.dataset.name, job.spec.dataset.rows) == ("rows.xlsx", 20)


@pytest.mark.parametrize(
    ("name", "facts", "complaint"),
    [
        ("big.csv", {"size": 1024**3}, "1,024 MiB"),
        ("lies.csv", {"size": 10}, "at most 1 MiB"),
        ("old.xls", {}, "Save it as .xlsx or CSV"),
        ("gone.csv", {"mode": "tombstone"}, "was deleted meanwhile"),
        ("gone2.csv", {"mode": "deleted"}, "was deleted meanwhile"),
        ("closed.csv", {"file_access": "access_denied"}, "a conversation that I am not in"),
        ("drive.csv", {"is_external": True}, "only linked in Slack"),
        ("evil.csv", {"url_private_download": "https://files.example.com/x.csv"}, "only linked in Slack"),
        ("no_rows.csv", {}, "no rows"),
    ],
)
def test_file_that_cannot_be_used_is_explained_in_a_line_and_nothing_starts(
    tmp_path: Path,
    slack: SlackServer,
    name: str,
    facts: Payload,
    complaint: str,
) -> None:
    content = {"lies.csv": ROWS.encode() * 4_000, "no_rows.csv": b"text,label\n"}.get(name, ROWS.encode())
    with running_bot(open_surface(tmp_path), slack) as bot:
        file = bot.ana.post_file(name, content, **facts)
        view = open_form(bot, "/evaluate", MODEL)
        bot.ana.choose(view, "dataset", dataset=chosen(f"file:{file['id']}"))
        said = note(bot, view)
        verdict = bot.ana.submit(view, dataset=chosen(f"file:{file['id']}"))
        jobs = bot.surface.jobs.list()

    assert complaint in said
    assert complaint in verdict["errors"]["dataset"]
    assert "\n" not in verdict["errors"]["dataset"].strip()
    assert jobs == []


def test_file_that_is_too_large_is_not_downloaded(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        file = bot.ana.post_file("big.csv", b"", size=1024**3, url_private_download=f"{slack.url}files/never")
        view = open_form(bot, "/evaluate", MODEL)
        verdict = bot.ana.submit(view, dataset=chosen(f"file:{file['id']}"))

    assert "did not download it" in verdict["errors"]["dataset"]


def test_private_channel_of_which_the_bot_is_no_member_is_said_in_the_form(
    tmp_path: Path, slack: SlackServer
) -> None:
    slack.workspace.without_bot.add("G0SECRET")
    with running_bot(open_surface(tmp_path), slack) as bot:
        view = open_form(bot, "/evaluate", MODEL, channel="G0SECRET")
        said = note(bot, view)

    assert "I am not in this channel" in said


def test_data_that_a_colleague_used_elsewhere_is_not_offered(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        launch(bot, open_form(bot, "/evaluate", f"{MODEL} on tickets", channel="G0THEIRS"))
        bot.settle()
        job = bot.surface.jobs.status("1")
        mine = open_form(bot, "/evaluate", MODEL)
        bot.ana.id = "U0BEN"
        theirs = open_form(bot, "/evaluate", MODEL)

    value = f"sha256:{job.spec.dataset.sha256}"
    assert value in options(mine).values()
    assert value not in options(theirs).values()
