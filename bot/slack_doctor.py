"""Tokens -> what Slack says about them: whether they are good, what they allow, and what would not work without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Literal

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot.scopes import SCOPES
from bot.settings import Settings
from index.bilingual import Bilingual

_TIMEOUT_S = 10
_WHERE = {
    "SLACK_BOT_TOKEN": ("xoxb-", "OAuth & Permissions, Bot User OAuth Token"),
    "SLACK_APP_TOKEN": ("xapp-", "Basic Information, App-Level Tokens, scope connections:write"),
}


@dataclass(frozen=True, slots=True)
class SlackFinding:
    """What was found about one variable."""

    name: str
    state: Literal["ok", "missing", "wrong"]
    message: Bilingual


def examine_slack(settings: Settings) -> list[SlackFinding]:
    """Ask Slack about everything that is set."""
    if settings.slack_client_id:
        return [*_installable(settings), _signing_secret(settings)]
    found = [_bot_token(settings, settings.slack_bot_token)]
    is_socket = settings.slack_app_token is not None or settings.slack_signing_secret is None
    found.append(_app_token(settings, settings.slack_app_token) if is_socket else _signing_secret(settings))
    return found


def _bot_token(settings: Settings, token: SecretStr | None) -> SlackFinding:
    name = "SLACK_BOT_TOKEN"
    if not _revealed(token):
        return _unset(name)
    response = _asked(name, settings, token, WebClient.auth_test)
    if isinstance(response, SlackFinding):
        return response
    who = f"@{response.get('user')} · {response.get('team')}"
    missing = sorted(set(SCOPES) - _scopes(response))
    if not missing:
        message = Bilingual(f"{who}, all {len(SCOPES)} scopes", f"{who}，{len(SCOPES)} 项权限齐全")
        return SlackFinding(name, "ok", message)
    lost_en = "; ".join(f"{scope} ({SCOPES[scope].en})" for scope in missing)
    lost_zh = "；".join(f"{scope}（{SCOPES[scope].zh}）" for scope in missing)
    message = Bilingual(
        f"{who}, but without {lost_en}. Update the app's manifest from manifest.yaml, then reinstall it.",
        f"{who}，但缺少权限：{lost_zh}。请用 manifest.yaml 更新应用清单，然后重新安装。",
    )
    return SlackFinding(name, "wrong", message)


def _app_token(settings: Settings, token: SecretStr | None) -> SlackFinding:
    name = "SLACK_APP_TOKEN"
    if not _revealed(token):
        return _unset(name)

    def connect(client: WebClient) -> SlackResponse:
        return client.apps_connections_open(app_token=_revealed(token))

    response = _asked(name, settings, token, connect)
    if isinstance(response, SlackFinding):
        return response
    return SlackFinding(
        name, "ok", Bilingual("Slack opens a connection for it", "Slack 允许用它建立 Socket Mode 连接")
    )


def _signing_secret(settings: Settings) -> SlackFinding:
    name = "SLACK_SIGNING_SECRET"
    secret = _revealed(settings.slack_signing_secret)
    if not secret:
        return _unset(name)
    if secret.startswith("xox") or len(secret) < 16:
        message = Bilingual(
            "does not look like a signing secret. Copy it from Basic Information, App Credentials.",
            "看起来不是签名密钥。请从 Basic Information 的 App Credentials 复制。",
        )
        return SlackFinding(name, "wrong", message)
    message = Bilingual(
        "set; only a request of Slack can show that it is the right one",
        "已设置；只有收到 Slack 的请求才能确认是否正确",
    )
    return SlackFinding(name, "ok", message)


def _installable(settings: Settings) -> list[SlackFinding]:
    """Where every workspace that installs the app is served."""
    from bot.installations import TokenCipher  # noqa: PLC0415
    from index.errors import BadSetting  # noqa: PLC0415

    found = []
    set_ = Bilingual("set", "已设置")
    for name, value in (
        ("SLACK_CLIENT_SECRET", settings.slack_client_secret),
        ("SHORTLIST_TOKEN_KEY", settings.token_key),
    ):
        found.append(SlackFinding(name, "ok", set_) if _revealed(value) else _unset(name))
    if key := _revealed(settings.token_key):
        try:
            TokenCipher(key)
        except BadSetting as error:
            found[-1] = SlackFinding("SHORTLIST_TOKEN_KEY", "wrong", error.message)
    return found


def _asked(
    name: str, settings: Settings, token: SecretStr | None, ask: Callable[[WebClient], SlackResponse]
) -> SlackResponse | SlackFinding:
    """Slack's answer, or what is wrong when there is none."""
    begin, where = _WHERE[name]
    client = WebClient(
        token=_revealed(token), base_url=settings.slack_api_url.rstrip("/") + "/", timeout=_TIMEOUT_S
    )
    try:
        return ask(client)
    except SlackApiError as error:
        code = error.response["error"]
        kind = Bilingual("", "")
        if not _revealed(token).startswith(begin):
            kind = Bilingual(f" It does not begin with {begin}.", f"它不是以 {begin} 开头。")
        message = Bilingual(
            f"Slack refuses it ({code}).{kind.en} Copy it again: {where}.",
            f"Slack 拒绝了它（{code}）。{kind.zh}请重新复制：{where}。",
        )
        return SlackFinding(name, "wrong", message)
    except (OSError, HTTPException, SlackClientError) as error:
        reason = str(getattr(error, "reason", None) or type(error).__name__)
        message = Bilingual(
            f"Slack does not answer at {client.base_url} ({reason}). Check the network, HTTPS_PROXY and SLACK_API_URL.",
            f"{client.base_url} 上的 Slack 没有响应（{reason}）。请检查网络、HTTPS_PROXY 和 SLACK_API_URL。",
        )
        return SlackFinding(name, "wrong", message)


def _scopes(response: SlackResponse) -> set[str]:
    headers = {str(name).lower(): value for name, value in dict(response.headers).items()}
    stated = headers.get("x-oauth-scopes", "")
    text = stated if isinstance(stated, str) else ",".join(stated)
    return {scope.strip() for scope in text.split(",") if scope.strip()}


def _unset(name: str) -> SlackFinding:
    message = Bilingual(
        "not set; docs/slack.md says where to find it", "未设置；docs/slack.md 说明了在哪里获取"
    )
    return SlackFinding(name, "missing", message)


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
