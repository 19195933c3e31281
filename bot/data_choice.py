"""What data a form offers to choose from, and a choice -> a registered data set.

Choices are names of the team's sets (`name:tickets`), rows used before (`sha256:…`), files of Slack (`file:F1`),
and two that open a field of their own: `paste` and `upload`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import launch_wording as wording
from bot.files import FileShelf
from bot.inbound import Place
from bot.wording import say
from finetune.jobs import Jobs
from finetune.spec import DatasetRef, DatasetTask
from index.bilingual import Bilingual, Language
from index.errors import BadInput

PASTE = "paste"
UPLOAD = "upload"
_NAME, _FILE = "name:", "file:"
_SHOWN = 20
_LOOKED_AT = 200
_VALUE_CHARS = 150
_KINDS = frozenset({"csv", "tsv", "json", "jsonl", "ndjson", "xlsx", "xls", "parquet", "gz", "txt"})

Choice = tuple[str, str]
"""Value and label."""


@dataclass(frozen=True, slots=True)
class Group:
    """Choices under one heading."""

    heading: Bilingual
    choices: tuple[Choice, ...]


def known_data(jobs: Jobs, place: Place, person: str, language: Language) -> list[Group]:
    """What can be offered without asking Slack: what this person or this channel used, and the team's own."""
    used: dict[str, Choice] = {}
    where = f"{place.team}:{place.channel}"
    for job in jobs.list(limit=_LOOKED_AT):
        in_channel = (job.thread or "").startswith(where)
        data = job.spec.dataset
        if (job.owner == person or in_channel) and data.sha256 not in used:
            label = say(wording.USED_IN, language, name=data.name, job_id=job.id)
            used[data.sha256] = (f"sha256:{data.sha256}", label)
    names = jobs.dataset_names()
    own = [(f"{_NAME}{name}", name) for name in names[1:] if len(name) < _VALUE_CHARS - len(_NAME)]
    samples = [(f"{_NAME}{name}", say(wording.SAMPLE, language, name=name)) for name in names[:1]]
    return [
        Group(wording.USED_BEFORE, tuple(used.values())[:_SHOWN]),
        Group(wording.REGISTERED, (*samples, *own)[:_SHOWN]),
    ]


def files_here(client: WebClient, place: Place) -> tuple[list[Group], bool]:
    """The files of the thread and of the channel, the newest first; False when we may not look."""
    heading = wording.IN_MESSAGES if place.is_direct else wording.IN_CHANNEL
    groups, may_look, seen = [], True, set[str]()
    try:
        if place.thread_ts:
            replies = client.conversations_replies(channel=place.channel, ts=place.thread_ts, limit=100)
            groups.append(Group(wording.IN_THREAD, _files(reversed(replies["messages"]), seen)))
        history = client.conversations_history(channel=place.channel, limit=100)
        groups.append(Group(heading, _files(history["messages"], seen)))
    except SlackApiError:
        may_look = False
    return groups, may_look


def _files(messages: Iterable[Mapping[str, Any]], seen: set[str]) -> tuple[Choice, ...]:
    """Files that people posted and that may be tables; ours, such as reports, are none to choose."""
    found = []
    for message in messages:
        for file in () if message.get("bot_id") else message.get("files") or ():
            name = str(file.get("name") or "")
            if file["id"] not in seen and name.rsplit(".", 1)[-1].lower() in _KINDS:
                seen.add(file["id"])
                found.append((f"{_FILE}{file['id']}", name))
    return tuple(found[:_SHOWN])


def choice_of(name: str) -> str:
    """The choice that a name stands for, as somebody wrote it or a button carries it."""
    if not name or name in (PASTE, UPLOAD) or name.startswith(("sha256:", _NAME, _FILE)):
        return name
    return f"{_NAME}{name}"[:_VALUE_CHARS]


def label_of(choice: str) -> str:
    """What a person reads of a choice that no group offers."""
    return choice.removeprefix(_NAME).removeprefix(_FILE)[:75]


@dataclass(frozen=True, slots=True)
class DataDesk:
    """Turns choices into registered data sets."""

    jobs: Jobs
    shelf: FileShelf

    def register(
        self, client: WebClient, values: Mapping[str, Any], *, task: DatasetTask | None = None
    ) -> DatasetRef:
        """Register what was chosen, pasted or uploaded; BadInput says what is wrong with it."""
        choice = str(values.get("dataset") or "")
        if not choice:
            raise BadInput(wording.CHOOSE_DATA)
        if choice == PASTE:
            return self._pasted(str(values.get("rows") or ""), task)
        if choice == UPLOAD:
            files: Sequence[str] = values.get("upload") or ()
            if not files:
                raise BadInput(wording.UPLOAD_FILE)
            return self._fetched(client, files[0], task)
        if choice.startswith(_FILE):
            return self._fetched(client, choice.removeprefix(_FILE), task)
        return self.jobs.register_dataset(choice.removeprefix(_NAME), task=task)

    def _fetched(self, client: WebClient, file_id: str, task: DatasetTask | None) -> DatasetRef:
        with tempfile.TemporaryDirectory(prefix="shortlist-file-") as folder:
            return self.jobs.register_file(self.shelf.fetch(client, file_id, Path(folder)), task=task)

    def _pasted(self, text: str, task: DatasetTask | None) -> DatasetRef:
        if not text.strip():
            raise BadInput(wording.PASTE_ROWS)
        with tempfile.TemporaryDirectory(prefix="shortlist-rows-") as folder:
            path = Path(folder) / f"{wording.PASTED_NAME.en}.{_kind(text.strip())}"
            path.write_text(text.strip() + "\n", encoding="utf-8", errors="replace")
            return self.jobs.register_file(path, task=task)


def _kind(text: str) -> str:
    """How pasted rows are written, by how they begin."""
    first = text.split("\n", 1)[0]
    if first.startswith("{"):
        return "jsonl"
    if first.startswith("["):
        return "json"
    return "tsv" if "\t" in first else "csv"
