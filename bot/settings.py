"""Environment variables -> Settings. The one reader of the environment in the bot.

Every field is documented in README.md; a test fails when one is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from finetune.policy import DEVICES_PATTERN, Egress, PersonalData, Policy
from index.bilingual import Bilingual, Language
from index.errors import BadSetting
from index.sealing import require_usable
from index.store import sqlite_url


class Settings(BaseSettings):
    """What can be configured, all by environment variables."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_", frozen=True, extra="ignore")

    home: Path = Field(
        default=Path("~/.shortlist"), description="Where data sets, jobs, index and store lie."
    )
    database_url: SecretStr | None = Field(
        default=None, description="SQLAlchemy URL of the store; SQLite under the home when unset."
    )
    embedding_model: str | None = Field(
        default=None,
        description="LangChain embeddings in place of the embedded model, as `provider:name`; "
        "its key is read by the provider's own variable.",
    )
    embedding_base_url: str | None = Field(
        default=None, description="Server of the embedding model, when it is not the provider's own."
    )
    chat_model: str | None = Field(
        default=None,
        description="LangChain chat model that fills open questions and words answers, as `provider:name`; "
        "its key is read by the provider's own variable.",
    )
    chat_base_url: str | None = Field(
        default=None, description="Server of the chat model, when it is not the provider's own."
    )
    chat_timeout_s: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="Longest wait for the chat model; then the answer goes out without it.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="WARNING", description="Level of the log on standard error."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines for a person, or one JSON object a line."
    )
    health_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of /healthz, /readyz and /metrics in Socket Mode; over HTTP they are at its own port.",
    )
    runners: str = Field(
        default="",
        description="Slack user ids that may start jobs, separated by commas; `*`: everybody; empty: nobody in Slack.",
    )
    admins: str = Field(
        default="",
        description="Slack user ids of the administrators, separated by commas; empty: nobody in Slack.",
    )
    access_file: Path | None = Field(
        default=None, description="YAML file with roles, quotas and approval (docs/security.md)."
    )
    terminal: Literal["owner", "rules"] | None = Field(
        default=None,
        description="Whether a terminal is its owner's own, who may do all, or goes by the rules as os:NAME; "
        "unset: owner where the home and an SQLite store are theirs.",
    )
    approvers: str = Field(
        default="",
        description="Slack user ids that are asked when a job would take more than the limits, separated by "
        "commas; empty: the administrators.",
    )
    approve_gpu_hours: float | None = Field(
        default=None, gt=0, description="A job from Slack that would take more needs an approver's leave."
    )
    approve_usd: float | None = Field(
        default=None, gt=0, description="A job from Slack that would cost more needs an approver's leave."
    )
    slack_file_mib: float = Field(
        default=100.0, gt=0, le=200, description="Largest file that is taken from Slack as a data set."
    )
    egress: Egress = Field(
        default="allowed",
        description="`none`: nothing leaves; no chat model, embedding provider, hosted candidate or hub.",
    )
    models_allowed: str = Field(
        default="", description="Patterns of models that jobs may use, as `Qwen/*,openai:*`; empty: all."
    )
    models_denied: str = Field(
        default="", description="Patterns of models that no job may use, though they are allowed."
    )
    personal_data: PersonalData = Field(
        default="keep",
        description="Data sets with mail addresses, phone, ID and card numbers: kept, redacted or refused.",
    )
    devices: str = Field(
        default="auto",
        pattern=DEVICES_PATTERN,
        description="What jobs may lease: auto, cpu, cpu:16, or GPUs with their GiB as gpu0:24,gpu1:24.",
    )
    lease_s: float = Field(
        default=60.0, ge=5, description="A worker that shows no life for so long loses its jobs to others."
    )
    running_per_person: int | None = Field(
        default=None, ge=1, description="Most jobs of one person that run at a time."
    )
    queued_per_person: int | None = Field(
        default=None, ge=1, description="Most jobs of one person that wait at a time."
    )
    max_hours: float | None = Field(
        default=None, gt=0, description="Longest running time of a job that states none."
    )
    job_memory_gib: float | None = Field(
        default=None,
        gt=0,
        description="Main memory that one job may use; nine tenths of the machine's when unset.",
    )
    keep_days: float | None = Field(
        default=None,
        gt=0,
        description="Logs, checkpoints and events are deleted so long after a job's end; results are kept.",
    )
    shared: Path | None = Field(
        default=None,
        description="Where jobs and data sets lie when other machines run them: one path for all; the home when unset.",
    )
    ray_address: str | None = Field(
        default=None,
        alias="RAY_ADDRESS",
        description="Dashboard of the Ray cluster that runs the jobs, as http://head:8265; this machine when unset.",
    )
    ray_python: str | None = Field(
        default=None,
        description="Python of the cluster's nodes that has Shortlist installed; the path of this one when unset.",
    )
    ray_gpu_gib: float = Field(
        default=80.0, gt=0, description="Memory of one GPU of the cluster, which Ray does not tell."
    )
    questions_per_minute: int = Field(
        default=20, ge=1, description="Most questions of one person in Slack that are answered in a minute."
    )
    card_interval_s: float = Field(
        default=3.0, ge=0, description="Shortest time between two edits of one job card."
    )
    slack_bot_token: SecretStr | None = Field(
        default=None, alias="SLACK_BOT_TOKEN", description="Bot token, xoxb-…"
    )
    slack_app_token: SecretStr | None = Field(
        default=None, alias="SLACK_APP_TOKEN", description="App-level token for Socket Mode, xapp-…"
    )
    slack_signing_secret: SecretStr | None = Field(
        default=None, alias="SLACK_SIGNING_SECRET", description="Signing secret, for HTTP."
    )
    slack_client_id: str | None = Field(
        default=None,
        alias="SLACK_CLIENT_ID",
        description="Client id of the app, to serve every workspace that installs it, over HTTP.",
    )
    slack_client_secret: SecretStr | None = Field(
        default=None, alias="SLACK_CLIENT_SECRET", description="Client secret of the app, with the client id."
    )
    token_key: SecretStr | None = Field(
        default=None,
        description="Fernet key that encrypts the tokens of workspaces in the store; several, separated by commas: "
        "the first encrypts, all decrypt.",
    )
    data_key: SecretStr | None = Field(
        default=None,
        description="Fernet key that encrypts rows of data sets and answers; several, separated by commas: the first "
        "encrypts, all decrypt. `shortlist data encrypt` encrypts what was there before.",
    )
    redirect_url: str | None = Field(
        default=None,
        description="Where Slack sends people back to after an installation, as registered with the app: "
        "https://…/slack/oauth_redirect.",
    )
    shared_workspaces: bool = Field(
        default=False,
        description="Whether a second workspace may install the app: jobs, data sets, threads and defaults are each "
        "workspace's own, documents, measurements, roles and quotas are shared by all.",
    )
    slack_api_url: str = Field(
        default="https://slack.com/api/", alias="SLACK_API_URL", description="Base URL of the Slack Web API."
    )

    @field_validator("shared", mode="before")
    @classmethod
    def _is_a_folder(cls, value: object) -> object:
        """A bucket is no folder: recipes, logs and checkpoints need a file system."""
        if isinstance(value, str) and "://" in value.removeprefix("file://"):
            raise ValueError(f"mount {value} on every machine, and give the folder where it is mounted")
        return (value.removeprefix("file://") or None) if isinstance(value, str) else value

    @field_validator("ray_address")
    @classmethod
    def _is_a_dashboard(cls, value: str | None) -> str | None:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value} is no address of a dashboard, as http://head:8265")
        return value

    @property
    def folder(self) -> Path:
        """The home as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the store, with its password: never log it."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return sqlite_url(self.folder)

    @property
    def is_alone(self) -> bool:
        """True when there can be one bot only: SQLite is for one machine, and a home has one bot."""
        return self.store_url.startswith("sqlite")

    @property
    def policy(self) -> Policy:
        """The rules of the house for jobs."""
        return Policy(
            devices=self.devices,
            lease_s=self.lease_s,
            running_per_person=self.running_per_person,
            queued_per_person=self.queued_per_person,
            max_hours=self.max_hours,
            memory_gib=self.job_memory_gib,
            keep_days=self.keep_days,
            shared=self.shared and self.shared.expanduser().resolve(),
            ray_address=self.ray_address or None,
            ray_python=self.ray_python,
            ray_gpu_gib=self.ray_gpu_gib,
            egress=self.egress,
            models_allowed=tuple(sorted(_ids(self.models_allowed))),
            models_denied=tuple(sorted(_ids(self.models_denied))),
            personal_data=self.personal_data,
            log_format=self.log_format,
        )

    @property
    def admin_ids(self) -> frozenset[str]:
        """Slack user ids of the administrators."""
        return _ids(self.admins)

    @property
    def approver_ids(self) -> frozenset[str]:
        """Slack user ids that may let jobs take more than the limits."""
        return _ids(self.approvers)

    @property
    def runner_ids(self) -> frozenset[str]:
        """Slack user ids that may start jobs; `*` stands for everybody."""
        return _ids(self.runners)


def _ids(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def read_settings() -> Settings:
    """Read the environment, or say which variable has which wrong value."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        variable = name if name.startswith(("SLACK_", "RAY_ADDRESS")) else f"SHORTLIST_{name}"
        said = first["msg"].removeprefix("Value error, ")
        raise BadSetting(
            Bilingual(
                en=f"The environment variable {variable} cannot be used: {said[:1].lower()}{said[1:]}. "
                "README.md lists what each setting takes.",
                zh=f"环境变量 {variable} 的值不可用：{said}。README.md 列出了每项设置的取值。",
            )
        ) from None
    require_usable()  # a data key that is none
    return _nothing_leaves(settings)


def _nothing_leaves(settings: Settings) -> Settings:
    """The settings; BadSetting when they forbid that anything leaves and name somebody to send it to."""
    outside = {
        "SHORTLIST_CHAT_MODEL": settings.chat_model,
        "SHORTLIST_EMBEDDING_MODEL": settings.embedding_model,
    }
    for name, value in outside.items():
        if settings.egress == "none" and value is not None:
            raise BadSetting(
                Bilingual(
                    en=f"SHORTLIST_EGRESS is none, so nothing may leave, and {name} is {value!r}. Unset one of the two.",
                    zh=f"SHORTLIST_EGRESS 设为 none（任何内容都不得离开本机），而 {name} 的值是 {value!r}。请取消其中一项。",
                )
            )
    return settings


class _Terminal(BaseSettings):
    """The locale of the terminal, which says the language before a question does."""

    model_config = SettingsConfigDict(extra="ignore")

    lc_all: str = ""
    lc_messages: str = ""
    lang: str = ""


def read_language() -> Language:
    """The language of the terminal: Chinese for a Chinese locale, else English."""
    terminal = _Terminal()
    locale = terminal.lc_all or terminal.lc_messages or terminal.lang
    return "zh" if locale.lower().startswith("zh") else "en"
