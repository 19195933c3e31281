"""A file of Slack -> a file here, or the sentence that says why not. Its size is looked at before it is fetched."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import launch_wording as wording
from bot.wording import filled
from index.bilingual import Bilingual
from index.errors import BadInput

MIB = 1024**2
_TIMEOUT_S = 60
_CHUNK = 1 << 20
_NAME_CHARS = 60
"""Of which each may take four bytes, and a file system takes 255."""
_GONE = frozenset({"file_not_found", "file_deleted"})
_CLOSED = frozenset({"channel_not_found", "not_in_channel", "access_denied", "no_permission", "not_visible"})


class NoFile(BadInput):
    """The file cannot be had; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShelf:
    """Takes files from Slack, up to a size."""

    max_mib: float = 100.0

    def fetch(self, client: WebClient, file_id: str, folder: Path) -> Path:
        """Put the file into the folder under its own name; NoFile when it cannot be had."""
        info = _info(client, file_id)
        name = _safe_name(str(info.get("name") or file_id)) or "file"
        if info.get("mode") == "tombstone":
            raise _no(wording.FILE_GONE, name=name)
        if info.get("file_access") == "access_denied":
            raise _no(wording.FILE_CLOSED, name=name)
        if info.get("is_external") or not (
            url := info.get("url_private_download") or info.get("url_private")
        ):
            raise _no(wording.FILE_NOT_HERE, name=name)
        self._require_size(name, int(info.get("size") or 0))
        if name.lower().endswith(".xls"):
            raise _no(wording.OLD_EXCEL, name=name)
        path = folder / name
        self._download(client, str(url), path)
        return path

    def _require_size(self, name: str, size_bytes: int) -> None:
        if size_bytes > self.max_mib * MIB:
            raise _no(wording.FILE_TOO_LARGE, name=name, mib=size_bytes / MIB, limit=self.max_mib)

    def _download(self, client: WebClient, url: str, path: Path) -> None:
        """Fetch it in pieces; what Slack said of its size is not believed."""
        if not _is_slacks(url, client.base_url):
            raise _no(wording.FILE_NOT_HERE, name=path.name)
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {client.token}"})  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect)
        had_bytes = 0
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
                # A token that may not read the file is sent to a page for signing in.
                if answer.headers.get_content_type() == "text/html" and path.suffix not in (".html", ".htm"):
                    raise _no(wording.FILE_CLOSED, name=path.name)
                while piece := answer.read(_CHUNK):
                    had_bytes += len(piece)
                    self._require_size(path.name, had_bytes)
                    file.write(piece)
        except URLError as error:
            code = getattr(error, "code", None)
            if code in (301, 302, 303, 307, 401, 403):
                raise _no(wording.FILE_CLOSED, name=path.name) from None
            if code in (404, 410):
                raise _no(wording.FILE_GONE, name=path.name) from None
            raise _no(wording.FILE_UNREACHABLE, name=path.name, why=code or error.reason) from None
        except OSError as error:
            raise _no(wording.FILE_UNREACHABLE, name=path.name, why=type(error).__name__) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Our token goes to the address that Slack named, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
        return


def _info(client: WebClient, file_id: str) -> dict[str, Any]:
    try:
        info: dict[str, Any] = client.files_info(file=file_id)["file"]
    except SlackApiError as error:
        code = error.response["error"]
        if code in _GONE:
            raise _no(wording.FILE_GONE, name=file_id) from None
        if code in _CLOSED:
            raise _no(wording.FILE_CLOSED, name=file_id) from None
        if code == "missing_scope":
            raise NoFile(wording.FILE_NO_SCOPE) from None
        raise _no(wording.FILE_UNREACHABLE, name=file_id, why=code) from None
    return info


def _safe_name(name: str) -> str:
    """The last part of a name that people chose, as every file system takes it; its ending says how it is read."""
    last = PurePosixPath(name.replace("\\", "/")).name.encode("utf-8", "replace").decode("utf-8")
    plain = "".join(letter if letter.isprintable() else "_" for letter in last).strip()
    stem, dot, ending = plain.rpartition(".")
    shorter = f"{stem[:_NAME_CHARS]}{dot}{ending[:10]}" if dot else plain[:_NAME_CHARS]
    return "" if not shorter.strip(".") else shorter


def _is_slacks(url: str, api_url: str) -> bool:
    """True for an address that our token may be sent to: Slack's own, or that of the Web API in use."""
    host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
    api = urlsplit(api_url)
    is_slack = scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))
    return is_slack or (urlsplit(url).netloc == api.netloc and scheme == api.scheme)


def _no(sentence: Bilingual, **values: object) -> NoFile:
    return NoFile(filled(sentence, **values))
