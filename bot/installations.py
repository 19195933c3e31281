"""Workspaces that installed the app -> their tokens, encrypted in our store; the key is in the environment only.

Built on slack_sdk's SQLAlchemy stores. A stolen database without the key opens no workspace.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from slack_bolt import BoltContext, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.authorize import Authorize
from slack_bolt.error import BoltError
from slack_bolt.oauth import OAuthFlow
from slack_bolt.oauth.callback_options import FailureArgs
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk import WebClient
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore
from sqlalchemy import Engine, select

from bot import wording
from bot.scopes import SCOPES
from index.errors import BadSetting
from index.schema import slack_bots

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

logger = logging.getLogger(__name__)
_librarys = logging.getLogger("slack_sdk.oauth")
"""What Slack's own code logs at lower levels holds codes and states, so it is not logged under our name."""

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

_SECRETS = ("bot_token", "bot_refresh_token", "user_token", "user_refresh_token")
_SEALED = "gAAAA"
"""How every Fernet token begins; no token of Slack's does."""
_KNOWN_FOR_S = 60.0
_STATE_LIVES_S = 600

T = TypeVar("T", Bot, Installation)


class TokenCipher:
    """Seals and opens tokens. Several keys, separated by commas: the first seals, all open."""

    def __init__(self, keys: str) -> None:
        self._fernet = _fernet(keys)

    def seal(self, token: str) -> str:
        """The token, encrypted; as it is when it is encrypted already."""
        return token if token.startswith(_SEALED) else str(self._fernet.encrypt(token.encode()).decode())

    def open(self, sealed: str) -> str | None:
        """The token; None when no key opens it."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            return str(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken:
            return None


class NotShared(BoltError):
    """A second workspace wants in, and nobody said that workspaces may share what lies here."""


class Installations(SQLAlchemyInstallationStore):
    """slack_sdk's store of workspaces, in our database, with every token sealed."""

    def __init__(
        self, client_id: str, engine: Engine, cipher: TokenCipher, *, shares_workspaces: bool = False
    ) -> None:
        super().__init__(client_id=client_id, engine=engine, logger=_librarys)
        self._cipher = cipher
        self._shares_workspaces = shares_workspaces

    def save(self, installation: Installation) -> None:
        """Keep a workspace; NotShared for another one than the first, unless workspaces may share."""
        if not self._shares_workspaces and self._others(installation):
            logger.warning("a second workspace was refused", extra={"team": installation.team_id})
            raise NotShared
        super().save(self._sealed(installation))

    def _others(self, installation: Installation) -> bool:
        """Whether another workspace than this one has installed the app."""
        query = select(slack_bots.c.enterprise_id, slack_bots.c.team_id).where(
            slack_bots.c.client_id == self.client_id
        )
        with self.engine.connect() as connection:
            known = {(row.enterprise_id, row.team_id) for row in connection.execute(query)}
        return bool(known - {(installation.enterprise_id, installation.team_id)})

    def save_bot(self, bot: Bot) -> None:
        """Keep the bot of a workspace."""
        super().save_bot(self._sealed(bot))

    def find_bot(self, **where: Any) -> Bot | None:
        """The bot of a workspace; None when it has none, or when no key opens its token."""
        found = super().find_bot(**where)
        return self._opened(found) if found else None

    def find_installation(self, **where: Any) -> Installation | None:
        """The newest installation in a workspace; None when there is none, or when no key opens its token."""
        found = super().find_installation(**where)
        return self._opened(found) if found else None

    def _sealed(self, item: T) -> T:
        sealed = copy(item)
        for name in _SECRETS:
            if token := getattr(sealed, name, None):
                setattr(sealed, name, self._cipher.seal(token))
        return sealed

    def _opened(self, item: T) -> T | None:
        for name in _SECRETS:
            if not (sealed := getattr(item, name, None)):
                continue
            token = self._cipher.open(sealed)
            if token is None:
                logger.error(
                    "no key of SHORTLIST_TOKEN_KEY opens the token of a workspace: install the app there again, or "
                    "give the key of then", extra={"team": item.team_id},
                )  # fmt: skip
                return None
            setattr(item, name, token)
        return item


@dataclass
class StoreAuthorize(Authorize):
    """Whose bot an event is for, from the store, without asking Slack each time."""

    installations: Installations
    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[str | None, str | None], tuple[float, AuthorizeResult | None]] = field(
        default_factory=dict
    )
    _lock: Lock = field(default_factory=Lock)

    def __call__(
        self, *, context: BoltContext, enterprise_id: str | None, team_id: str | None, **_: Any
    ) -> AuthorizeResult | None:
        """The bot of this workspace; None when the app is not installed there."""
        where = (enterprise_id, None if context.is_enterprise_install else team_id)
        with self._lock:
            at, known = self._known.get(where, (float("-inf"), None))
            if known is not None and self.clock() - at < _KNOWN_FOR_S:
                return known
        found = self._find(context, enterprise_id, team_id)
        with self._lock:
            self._known[where] = (self.clock(), found)
        return found

    def _find(
        self, context: BoltContext, enterprise_id: str | None, team_id: str | None
    ) -> AuthorizeResult | None:
        bot = self.installations.find_bot(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=context.is_enterprise_install
        )
        if bot is None:
            return None
        return AuthorizeResult(
            enterprise_id=bot.enterprise_id,
            team_id=bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
            bot_token=bot.bot_token,
            bot_scopes=bot.bot_scopes,
        )

    def forget(self, enterprise_id: str | None, team_id: str | None) -> None:
        """Know nothing of a workspace any more: it removed the app."""
        self.installations.delete_all(enterprise_id=enterprise_id, team_id=team_id)
        with self._lock:
            self._known.pop((enterprise_id, team_id), None)

    def token(self, team_id: str) -> str | None:
        """The token of a workspace, for what is not an answer to an event of it."""
        bot = self.installations.find_bot(enterprise_id=None, team_id=team_id, is_enterprise_install=False)
        return bot.bot_token if bot else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppCredentials:
    """What the app is to Slack when workspaces install it by themselves."""

    client_id: str
    client_secret: str
    token_key: str
    redirect_url: str | None = None
    shares_workspaces: bool = False
    """Whether a second workspace may install the app."""


def open_installations(credentials: AppCredentials, engine: Engine) -> Installations:
    """The workspaces in the store; BadSetting when the key is none."""
    cipher = TokenCipher(credentials.token_key)
    return Installations(
        credentials.client_id, engine, cipher, shares_workspaces=credentials.shares_workspaces
    )


def installation_flow(
    credentials: AppCredentials, installations: Installations, client: WebClient
) -> OAuthFlow:
    """The pages by which a workspace installs the app."""
    settings = OAuthSettings(
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        scopes=sorted(SCOPES),
        redirect_uri=credentials.redirect_url,
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        installation_store=installations,
        installation_store_bot_only=True,
        state_store=SQLAlchemyOAuthStateStore(_STATE_LIVES_S, installations.engine, _librarys),
        state_expiration_seconds=_STATE_LIVES_S,
    )
    flow = OAuthFlow(client=client, settings=settings, logger=_librarys)
    usual = flow.failure_handler

    def failed(args: FailureArgs) -> BoltResponse:
        return _not_shared_page() if isinstance(args.error, NotShared) else usual(args)

    flow.failure_handler = failed
    return flow


def _not_shared_page() -> BoltResponse:
    """What a person reads whose workspace was refused."""
    words = wording.NOT_SHARED
    body = f"<html><body><p>{escape(words.en)}</p><p>{escape(words.zh)}</p></body></html>"
    return BoltResponse(status=403, headers={"Content-Type": "text/html; charset=utf-8"}, body=body)


def _fernet(keys: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  only where several workspaces are served

    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
    except ValueError:
        raise BadSetting(wording.BAD_TOKEN_KEY) from None
