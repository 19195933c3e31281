"""`shortlist serve`: settings -> the Slack app, connected by Socket Mode or listening for signed HTTP."""

from __future__ import annotations

from typing import Literal

from bot.app import build_desk, configure_logging
from bot.settings import Settings, read_settings
from index.bilingual import Bilingual
from index.errors import BadSetting


def serve(*, mode: Literal["socket", "http"] | None, port: int) -> None:
    """Run the Slack app until it is stopped."""
    settings = read_settings()
    configure_logging(settings)
    chosen = mode or ("socket" if settings.slack_app_token else "http")
    require_tokens(settings, chosen)
    from bot.slack import run  # noqa: PLC0415  no Slack import before the settings are known to be good

    # People in Slack name files of the server, so only those in one folder may be read.
    datasets = settings.folder / "data"
    datasets.mkdir(parents=True, exist_ok=True)
    run(settings, build_desk(settings, datasets=datasets), mode=chosen, port=port)


def require_tokens(settings: Settings, mode: Literal["socket", "http"]) -> None:
    """Raise BadSetting naming the first variable that is missing."""
    needed = {"SLACK_BOT_TOKEN": settings.slack_bot_token}
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
