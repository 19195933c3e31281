"""A workspace removes the app or takes back its token -> we know nothing of it any more."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt import App, BoltContext

from bot.installations import StoreAuthorize
from bot.surface import Surface

logger = logging.getLogger(__name__)


def register(app: App, surface: Surface) -> None:  # noqa: ARG001  as the others
    """Listen for both."""

    @app.event("app_uninstalled")
    def on_uninstall(context: BoltContext) -> None:
        _forget(app, context)

    @app.event("tokens_revoked")
    def on_revocation(event: Mapping[str, Any], context: BoltContext) -> None:
        if (event.get("tokens") or {}).get("bot"):
            _forget(app, context)


def _forget(app: App, context: BoltContext) -> None:
    logger.warning("the app was removed from a workspace", extra={"team": context.team_id})
    authorize = app._authorize
    if isinstance(authorize, StoreAuthorize):
        authorize.forget(context.enterprise_id, context.team_id)
