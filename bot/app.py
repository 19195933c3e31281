"""Composition root: Settings -> store, Desk, and the Slack app. The only place that builds collaborators."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from bot.access import Access, Limits, Members, RulesFile, no_groups
from bot.grants import Grants
from bot.settings import Settings
from bot.worker_command import worker_command
from finetune.jobs import Jobs
from index import logs
from index.audit import Trail
from index.catalogue.home import open_catalogue
from index.retrieve import KnowledgeBase
from index.store import open_store
from skills.chat_model import ChatModel, ConfiguredChat
from skills.conversation.threads import Threads
from skills.desk import Desk


def build_desk(settings: Settings, *, datasets: Path | None = None) -> Desk:
    """Open everything that the skills may touch; `datasets` is the one folder to read data sets from."""
    home = settings.folder
    home.mkdir(parents=True, exist_ok=True)
    engine = open_store(settings.store_url)
    return Desk(
        engine=engine,
        home=home,
        catalogue=open_catalogue(home, jobs_home=settings.policy.shared),
        knowledge=open_knowledge(settings),
        jobs=Jobs(
            engine,
            home=home,
            database_url=settings.store_url,
            worker_command=worker_command(settings),
            datasets=datasets,
            policy=settings.policy,
        ),
        threads=Threads(engine),
        chat_model=open_chat_model(settings),
    )


def open_knowledge(settings: Settings) -> KnowledgeBase:
    """The knowledge base of the home, with the embedding model that is configured, or the embedded one."""
    if settings.embedding_model is None:
        return KnowledgeBase.open(settings.folder)
    from index.embed import configured_embeddings  # noqa: PLC0415 - takes long, and is seldom wanted

    embeddings = configured_embeddings(settings.embedding_model, settings.embedding_base_url)
    return KnowledgeBase.open(settings.folder, embeddings=embeddings)


def open_chat_model(settings: Settings) -> ChatModel | None:
    """The chat model that is configured; it is loaded when it is first asked."""
    if settings.chat_model is None:
        return None
    return ConfiguredChat(settings.chat_model, settings.chat_base_url, settings.chat_timeout_s)


def configure_logging(settings: Settings) -> None:
    """Log to standard error: standard output belongs to answers."""
    logs.configure(settings.log_level, settings.log_format)


def open_access(
    settings: Settings, engine: Engine, *, members: Members = no_groups, owner: str | None = None
) -> Access:
    """Who may do what, by all that gives a role. `owner` is an administrator at their own terminal."""
    return Access(
        runners=settings.runner_ids,
        admins=settings.admin_ids,
        file=RulesFile(settings.access_file and settings.access_file.expanduser()),
        grants=Grants(engine),
        members=members,
        trail=Trail(engine),
        owner=owner,
        approvers=settings.approver_ids,
        limits=Limits(gpu_hours=settings.approve_gpu_hours, usd=settings.approve_usd),
    )
