"""The Home tab opened -> what to ask first, and the person's jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt import App
from slack_sdk import WebClient

from bot.render.home import home_view
from bot.surface import Surface


def register(app: App, surface: Surface) -> None:
    """Listen for the Home tab."""

    @app.event("app_home_opened")
    def on_home(event: Mapping[str, Any], client: WebClient) -> None:
        if event.get("tab") != "home":
            return
        person = event["user"]
        last = surface.threads.last_by(person)
        language = last.request.language if last else "en"
        view = home_view(surface.jobs.list(owner=person), language)
        client.views_publish(user_id=person, view=view)
