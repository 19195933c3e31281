"""Composition root: Settings -> store, Desk, and the Slack app. The only place that builds collaborators."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from bot.settings import Settings, read_settings
from finetune.jobs import Jobs
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
            engine, home=home, database_url=settings.store_url, datasets=datasets, policy=settings.policy
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
    handler = logging.StreamHandler(sys.stderr)
    # On the handler too: some libraries set the level of their own loggers.
    handler.setLevel(settings.log_level)
    logging.basicConfig(
        handlers=[handler],
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def open_jobs() -> Jobs:
    """Open only what commands about jobs need."""
    settings = read_settings()
    configure_logging(settings)
    home = settings.folder
    home.mkdir(parents=True, exist_ok=True)
    engine = open_store(settings.store_url)
    return Jobs(engine, home=home, database_url=settings.store_url, policy=settings.policy)
