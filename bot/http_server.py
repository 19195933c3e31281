"""Turn HTTP requests to /slack/events into Bolt requests. Bolt checks the signature; nothing is read before.
Where several workspaces are served, /slack/install and /slack/oauth_redirect let them install the app.

GET /healthz, /readyz and /metrics answer whoever runs the bot: let the proxy pass on /slack/events only.

A small threading server of the standard library: put a TLS proxy in front of it, as Slack needs https.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from slack_bolt import App, BoltRequest
from slack_bolt.oauth import OAuthFlow

from bot import wording
from bot.health import Health
from index.errors import BadInput

PATH = "/slack/events"
MAX_BODY_BYTES = 2_000_000
"""Slack's largest payload is a view of 250 kB; anything far above is not Slack's."""
_READ_TIMEOUT_S = 30

logger = logging.getLogger(__name__)


class HttpServer:
    """The endpoint that Slack posts to, and the pages of its health. Without an `app` only these."""

    def __init__(self, app: App | None, port: int, health: Health | None = None) -> None:
        """Bind at once: that a port is taken is told before anything runs. Port 0 takes a free one."""
        try:
            self._server = _Server(port, app, health)
        except OSError as error:
            raise BadInput(wording.filled(wording.PORT_TAKEN, port=port, error=error.strerror)) from None
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="slack-http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_address[1]

    def start(self) -> None:
        """Listen in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, app: App | None, health: Health | None) -> None:
        super().__init__(("", port), _Handler)
        self.app = app
        self.health = health

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  the parent's
        """A peer that hangs up is everyday life on the internet, not worth a traceback."""
        logger.info("request not finished", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _READ_TIMEOUT_S
    server: _Server

    def do_POST(self) -> None:
        """Hand a request to Bolt, which answers 401 unless the signature is Slack's and fresh."""
        length = self.headers.get("Content-Length", "")
        if self.server.app is None or self.path.partition("?")[0] != PATH:
            self._send(HTTPStatus.NOT_FOUND)
        elif not length.isdigit():
            self._send(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > MAX_BODY_BYTES:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._dispatch(self.server.app, self.rfile.read(int(length)))

    def do_GET(self) -> None:
        """A page of the health; or the two pages by which a workspace installs the app, where it is served to several."""
        path, _, query = self.path.partition("?")
        page = self.server.health.page(path) if self.server.health else None
        flow = self.server.app.oauth_flow if self.server.app else None
        if page is not None:
            self._send(page.status, page.body.decode(), {"Content-Type": page.content_type})
        elif flow is not None and path in {flow.install_path, flow.redirect_uri_path}:
            self._install(flow, path, query)
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def _install(self, flow: OAuthFlow, path: str, query: str) -> None:
        request = BoltRequest(body="", query=query, headers=dict(self.headers.items()))
        is_start = path == flow.install_path
        response = flow.handle_installation(request) if is_start else flow.handle_callback(request)
        cookies = [
            value for name, values in response.headers.items() if name == "set-cookie" for value in values
        ]
        self._send(
            response.status, response.body, response.first_headers_without_set_cookie(), cookies=cookies
        )

    def log_message(self, format: str, *_: object) -> None:  # noqa: ARG002  the parent's
        """Log that there was a request, and where: its query may hold a code that is as good as a token."""
        path = str(getattr(self, "path", "")).partition("?")[0]
        logger.debug("http request", extra={"method": getattr(self, "command", None), "path": path})

    def _dispatch(self, app: App, body: bytes) -> None:
        text = body.decode("utf-8", errors="replace")
        try:
            request = BoltRequest(body=text, headers=dict(self.headers.items()))
            json.dumps(
                request.body, ensure_ascii=False
            ).encode()  # half of a pair can be neither stored nor shown
            response = app.dispatch(request)
        except (
            Exception
        ) as error:  # Bolt reads the body before the signature, and trips over another shape than Slack's
            logger.warning("request not understood", extra={"error": type(error).__name__})
            self._send(HTTPStatus.BAD_REQUEST)
            return
        self._send(response.status, response.body, response.first_headers_without_set_cookie())

    def _send(
        self,
        status: int,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        cookies: Sequence[str] = (),
    ) -> None:
        content = body.encode()
        # What was not read of a refused request would be taken for the next one.
        self.close_connection = status >= HTTPStatus.BAD_REQUEST
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
