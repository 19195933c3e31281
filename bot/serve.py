"""`shortlist serve`: settings -> the Slack app, connected by Socket Mode or listening for signed HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import SecretStr

from bot.app import build_desk, configure_logging
from bot.settings import Settings, read_settings
from index.bilingual import Bilingual
from index.errors import BadSetting


def serve(*, mode: Literal["socket", "http"] | None, port: int) -> None:
    """Run the Slack app until it is stopped."""
    settings = read_settings()
    configure_logging(settings)
    is_socket = settings.slack_app_token and not settings.slack_client_id
    chosen = mode or ("socket" if is_socket else "http")
    require_tokens(settings, chosen)
    from bot.slack import run  # noqa: PLC0415  no Slack import before the settings are known to be good

    # People in Slack name files of the server, so only those in one folder may be read.
    datasets = settings.folder / "data"
    datasets.mkdir(parents=True, exist_ok=True)
    with only_bot_of(settings):
        run(settings, build_desk(settings, datasets=datasets), mode=chosen, port=port)


@contextmanager
def only_bot_of(settings: Settings) -> Iterator[None]:
    """Refuse to be the second bot of a home. Bots that share a PostgreSQL store are meant to be several."""
    if not settings.is_alone:
        yield
        return
    lock = FileLock(settings.folder / "serve.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BadSetting(
            Bilingual(
                f"A bot already serves {settings.folder}. Stop it first, or give this one a home of its own "
                "(SHORTLIST_HOME). Several bots may share one PostgreSQL store (SHORTLIST_DATABASE_URL).",
                f"已有一个机器人在使用 {settings.folder}。请先停止它，或用 SHORTLIST_HOME 给本机器人单独的目录。"
                "多个机器人可以共用一个 PostgreSQL 库（SHORTLIST_DATABASE_URL）。",
            )
        ) from None
    try:
        yield
    finally:
        lock.release()


def require_tokens(settings: Settings, mode: Literal["socket", "http"]) -> None:
    """Raise BadSetting naming the first variable that is missing."""
    needed: dict[str, SecretStr | None] = {}
    if settings.slack_client_id:
        needed |= {
            "SLACK_CLIENT_SECRET": settings.slack_client_secret,
            "SHORTLIST_TOKEN_KEY": settings.token_key,
        }
    else:
        needed["SLACK_BOT_TOKEN"] = settings.slack_bot_token
    if mode == "socket":
        needed["SLACK_APP_TOKEN"] = settings.slack_app_token
    else:
        needed["SLACK_SIGNING_SECRET"] = settings.slack_signing_secret
    for name, value in needed.items():
        if value is None or not value.get_secret_value():
            raise BadSetting(
                Bilingual(
                    f"{name} is not set, so I cannot connect to Slack. docs/slack.md says where to find it.",
                    f"未设置 {name}，无法连接 Slack。docs/slack.md 说明了在哪里获取。",
                )
            )
