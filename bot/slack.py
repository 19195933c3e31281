"""Turn settings and a desk into the running Slack app: signed HTTP or Socket Mode, the same listeners."""

from __future__ import annotations

import logging
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
    ServerErrorRetryHandler,
)
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.web import SlackResponse

from bot import approvals, wording
from bot.access import Access
from bot.answering import STARTING_SKILLS
from bot.app import open_access
from bot.callers import CallerPool, tell_caller
from bot.console import Output
from bot.data_choice import DataDesk
from bot.files import FileShelf
from bot.groups import SlackGroups
from bot.guard import Guard
from bot.health import Health, store_answers
from bot.http_server import HttpServer
from bot.installations import AppCredentials, StoreAuthorize, installation_flow, open_installations
from bot.launches import Launches
from bot.listeners import (
    actions,
    choices,
    commands,
    events,
    feedback,
    follow_ups,
    home,
    installs,
    sessions,
    shortcuts,
    stale,
    views,
)  # fmt: skip
from bot.people import Names
from bot.progress import CardPoller, JobCards
from bot.quotas import channel_of
from bot.race_news import RaceNews
from bot.receiving import Sweeper, resume
from bot.settings import Settings
from bot.surface import Surface
from finetune.workspaces import team_of
from index.audit import Trail
from index.bilingual import Bilingual
from index.caller import Caller, calling, current_caller
from index.errors import Unavailable
from skills import pipeline
from skills.conversation.answer import Answer
from skills.conversation.request import Request, Turn
from skills.desk import Desk
from skills.jobs import changes_priority, stops_a_job
from skills.select_base import only_asks
from skills.wording_by_model import Said

if TYPE_CHECKING:
    from bot.metrics import Metrics

logger = logging.getLogger(__name__)

LISTENER_THREADS = 32
"""An answer may take seconds: with Bolt's default of 5 threads the sixth asker would wait unacknowledged."""
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the app shows to Slack, and how it knows that a request is Slack's."""

    bot_token: str = ""
    app: AppCredentials | None = None
    """Where every workspace that installs the app is served, in place of one token."""
    signing_secret: str | None = None
    """None where requests come by Socket Mode only."""
    api_url: str = "https://slack.com/api/"


def run(settings: Settings, desk: Desk, *, mode: Literal["socket", "http"], port: int) -> None:
    """Serve Slack until SIGINT or SIGTERM; answers under way are finished first."""
    from bot.metrics import Metrics  # noqa: PLC0415 - only who serves has figures

    credentials = Credentials(
        bot_token=_revealed(settings.slack_bot_token),
        app=_app_credentials(settings),
        signing_secret=_revealed(settings.slack_signing_secret),
        api_url=settings.slack_api_url,
    )
    groups = WebClient(token=credentials.bot_token)
    _configure(groups, credentials.api_url)
    metrics = Metrics(desk.engine)
    checks = {"store": store_answers(desk.engine)}
    access = open_access(settings, desk.engine, members=SlackGroups(groups))
    surface = replace(
        surface_of(desk, access, FileShelf(max_mib=settings.slack_file_mib), metrics),
        questions_per_minute=settings.questions_per_minute,
    )
    app = build_bolt_app(credentials, surface)
    pipeline.warm_up(desk)
    races = RaceNews(desk.engine, desk.selections)
    poller = CardPoller(surface.cards, app.client, interval_s=settings.card_interval_s, races=races)
    with ExitStack() as running:
        stopped = running.enter_context(_signals())
        running.callback(surface.lines.close)
        running.callback(app.listener_runner.listener_executor.shutdown)
        if mode == "http":
            server = running.enter_context(serve_http(app, port, Health(metrics, checks)))
            how = wording.filled(wording.BY_HTTP, port=server.port)
        else:
            client = running.enter_context(serve_socket(app, _revealed(settings.slack_app_token)))
            if settings.health_port is not None:
                health = Health(metrics, {**checks, "slack": client.is_connected})
                running.enter_context(serve_http(None, settings.health_port, health))
            how = wording.BY_SOCKET
        if settings.is_alone:
            surface.cards.reopen_untold()
        client_of = clients_of(app, credentials)
        surface.cards.client_of = client_of
        resume(surface, client_of, is_alone=settings.is_alone)
        sweeper = Sweeper(partial(resume, surface, client_of, is_alone=False))
        sweeper.start()
        running.callback(sweeper.stop)
        poller.start()
        running.callback(poller.stop)
        if desk.jobs.list(unfinished_only=True):
            desk.jobs.ensure_worker()
        Output(json=False).note(_serving_many(how) if credentials.app else _connected(app.client, how))
        stopped.wait()


def _app_credentials(settings: Settings) -> AppCredentials | None:
    if not settings.slack_client_id:
        return None
    return AppCredentials(
        client_id=settings.slack_client_id,
        client_secret=_revealed(settings.slack_client_secret),
        token_key=_revealed(settings.token_key),
        redirect_url=settings.redirect_url,
        shares_workspaces=settings.shared_workspaces,
    )


def surface_of(
    desk: Desk, access: Access, shelf: FileShelf | None = None, metrics: Metrics | None = None
) -> Surface:
    """The desk as the listeners see it: a guard before its jobs, and an approver before those above the limits."""
    jobs = desk.jobs.gated(approvals.gate(access, desk.jobs.effort))
    desk = replace(desk, jobs=jobs)
    names = Names()
    trail = access.trail or Trail(desk.engine)
    access.trail = trail
    desk.jobs.gate = Guard(access, desk.jobs, trail)
    return Surface(
        reply=partial(_counted_reply, desk=desk, access=access, metrics=metrics),
        # By rules alone: a form opens within the three seconds that Slack gives, however slow a chat model is.
        read=partial(_read, desk=replace(desk, chat_model=None)),
        jobs=desk.jobs,
        threads=desk.threads,
        engine=desk.engine,
        access=access,
        names=names,
        cards=JobCards(desk.engine, desk.jobs, names),
        launches=Launches(desk.engine),
        data=DataDesk(desk.jobs, shelf or FileShelf()),
        desk=desk,
    )


def _counted_reply(
    turn: Turn, said: Said | None = None, *, desk: Desk, access: Access, metrics: Metrics | None
) -> Answer:
    with calling(_caller_of(turn)), metrics.turn() if metrics else nullcontext():
        return _reply(turn, said, desk=desk, access=access)


def _caller_of(turn: Turn) -> Caller:
    """Whoever said it, wherever it is answered: a turn may be taken up by another thread, or after a restart."""
    caller, channel, team = current_caller(), channel_of(turn.thread), team_of(turn.thread)
    if caller is not None and caller.person == turn.person:
        return replace(caller, channel=channel or caller.channel, team=team or caller.team)
    return Caller(person=turn.person, surface="message", channel=channel, team=team)


def _reply(turn: Turn, said: Said | None = None, *, desk: Desk, access: Access) -> Answer:
    """Answer a turn; one that would start or stop a job only to who may do so."""
    access.require_ask(turn.person)
    turn = _placed(turn)
    request = pipeline.read(turn, desk)
    if request.skill in STARTING_SKILLS and not (request.skill == "select-base" and only_asks(turn.text)):
        access.require_launch(turn.person)
    if request.skill == "jobs" and request.job_id is not None and stops_a_job(request):
        access.require_stop(turn.person, desk.jobs.status(request.job_id))
    if request.skill == "jobs" and request.job_id is not None and changes_priority(request):
        access.require_admin(turn.person)
    return pipeline.reply(turn, desk, said)


def _read(turn: Turn, *, desk: Desk) -> Request:
    return pipeline.read(_placed(turn), desk)


def _placed(turn: Turn) -> Turn:
    """The turn with the channel that it was said in, which decides which documents it may see."""
    if turn.channel is not None:
        return turn
    caller = current_caller()
    channel = channel_of(turn.thread) or (caller.channel if caller else None)
    return turn.model_copy(update={"channel": channel})


def build_bolt_app(credentials: Credentials, surface: Surface) -> App:
    """Build the app with all its listeners; Unavailable when Slack is out of reach or refuses the token."""
    app = App(
        # Without a secret of Slack's, one that nobody knows: HTTP requests are refused, never believed.
        signing_secret=credentials.signing_secret or secrets.token_hex(),
        token_verification_enabled=False,
        listener_executor=CallerPool(LISTENER_THREADS, thread_name_prefix="slack-listener"),
        **_authorized(credentials, surface),
    )
    _configure(app.client, credentials.api_url)
    if credentials.app is None:
        _auth_test(app.client)
    surface.jobs.keeps_workspaces_apart = credentials.app is not None
    app.use(tell_caller)
    app.error(_log_error)
    register_listeners(app, surface)
    return app


def _authorized(credentials: Credentials, surface: Surface) -> dict[str, Any]:
    """How Bolt finds the token of an event: the one there is, or that of the workspace in the store."""
    if credentials.app is None:
        return {"token": credentials.bot_token}
    client = WebClient()
    _configure(client, credentials.api_url)
    installations = open_installations(credentials.app, surface.engine)
    flow = installation_flow(credentials.app, installations, client)
    return {"client": client, "oauth_flow": flow, "authorize": StoreAuthorize(installations)}


def clients_of(app: App, credentials: Credentials) -> Callable[[str], WebClient | None]:
    """The client for what is done in a workspace without an event of it; None where the app is not installed."""
    authorize = app._authorize
    if not isinstance(authorize, StoreAuthorize):
        return lambda _team: app.client

    def client_of(team: str) -> WebClient | None:
        token = authorize.token(team)
        if token is None:
            return None
        client = WebClient(token=token)
        _configure(client, credentials.api_url)
        return client

    return client_of


def register_listeners(app: App, surface: Surface) -> None:
    """Register everything that the manifest promises."""
    for listeners in (
        events, sessions, commands, follow_ups, feedback, shortcuts, actions, choices, views, home, installs, stale,
    ):  # fmt: skip
        listeners.register(app, surface)


@contextmanager
def serve_http(app: App | None, port: int, health: Health | None = None) -> Iterator[HttpServer]:
    """Listen for signed requests at /slack/events, in threads of their own. Port 0 takes a free one."""
    server = HttpServer(app, port, health)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def serve_socket(app: App, app_token: str) -> Iterator[SocketModeClient]:
    """Receive requests over a WebSocket that we open, which needs no public address."""
    client = SocketModeHandler(app, app_token, concurrency=LISTENER_THREADS).client
    try:
        client.connect()
        yield client
    except SlackApiError as error:
        raise _refused("SLACK_APP_TOKEN", app.client, error) from None
    finally:
        client.close()


def _configure(client: WebClient, api_url: str) -> None:
    """Set up the app's client, after which Bolt models the client of each request."""
    client.base_url = api_url.rstrip("/") + "/"
    client.timeout = _TIMEOUT_S
    client.retry_handlers = [
        ConnectionErrorRetryHandler(),
        RateLimitErrorRetryHandler(max_retry_count=10),
        ServerErrorRetryHandler(max_retry_count=2),
    ]


def _auth_test(client: WebClient) -> SlackResponse:
    try:
        return client.auth_test()
    except SlackApiError as error:
        raise _refused("SLACK_BOT_TOKEN", client, error) from None
    except (OSError, HTTPException, SlackClientError) as error:
        raise _unreachable(client, str(getattr(error, "reason", None) or type(error).__name__)) from None


def _refused(variable: str, client: WebClient, error: SlackApiError) -> Unavailable:
    """Slack says no; or something answers there that is not Slack."""
    try:
        code = error.response["error"]
    except (KeyError, TypeError, ValueError):
        return _unreachable(client, "not an answer of Slack")
    return Unavailable(wording.filled(wording.TOKEN_REFUSED, variable=variable, error=code))


def _unreachable(client: WebClient, reason: str) -> Unavailable:
    return Unavailable(wording.filled(wording.SLACK_UNREACHABLE, url=client.base_url, error=reason))


def _log_error(error: Exception, body: dict[str, object]) -> None:
    """What a listener could not tell anybody. The body holds message text, so only its type is logged."""
    logger.error("listener failed", extra={"payload": body.get("type") or "command"}, exc_info=error)


def _connected(client: WebClient, how: Bilingual) -> Bilingual:
    who = _auth_test(client)
    team, bot = who.get("team", "?"), who.get("user", "?")
    return Bilingual(
        en=wording.CONNECTED.en.format(team=team, bot=bot, how=how.en),
        zh=wording.CONNECTED.zh.format(team=team, bot=bot, how=how.zh),
    )


def _serving_many(how: Bilingual) -> Bilingual:
    return Bilingual(
        en=wording.SERVING_MANY.en.format(how=how.en), zh=wording.SERVING_MANY.zh.format(how=how.zh)
    )


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


@contextmanager
def _signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set, so that both end the bot in the same orderly way."""
    stopped = Event()
    before = {
        number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
