"""What can go wrong, as one tree. Every message is safe to show and says what to do next.

ShortlistError
├── BadInput            the person can mend it: exit code 2
│   ├── UnknownModel    no such model in the catalogue or at the place named
│   ├── BadDataset      empty, wrong shape, not UTF-8, one label only        (finetune.data)
│   ├── BadDocument     a file that cannot become passages                   (index.ingest)
│   ├── BadSetting      an environment variable is missing or wrong          (bot.settings, index.store)
│   └── UnknownJob      no job with this number
└── JobFailed           a job ended without a result: exit code 1
    ├── DiskFull, DiskShort, NotWritable   what a disk refuses                (index.disk)
    └── Unavailable     something outside does not answer (Slack, the model hub, the store)
"""

from __future__ import annotations

from index.bilingual import Bilingual, Language


class ShortlistError(Exception):
    """Safe to show: says what happened, with which value, and what to do next."""

    def __init__(self, message: Bilingual) -> None:
        super().__init__(message.en)
        self.message = message

    def to(self, language: Language) -> str:
        """Return the message in the reader's language."""
        return self.message.to(language)


class BadInput(ShortlistError):
    """The person can mend it by changing what they gave."""


class UnknownModel(BadInput):
    """The name fits no model that we know or can load."""


class BadDataset(BadInput):
    """The data set cannot be used as it is."""


class BadDocument(BadInput):
    """The document cannot become passages."""


class BadSetting(BadInput):
    """A setting is missing or has a value that cannot be used."""


class UnknownJob(BadInput):
    """There is no job with this number."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            Bilingual(
                en=f"There is no job {job_id!r}. `shortlist jobs list` shows the ones there are.",
                zh=f"没有编号为 {job_id!r} 的任务。用 `shortlist jobs list` 查看现有任务。",
            )
        )


class JobFailed(ShortlistError):
    """A job or a question ended without a result."""


class Unavailable(JobFailed):
    """Something outside this program does not answer."""
