"""An optional chat model, as LangChain knows it: text for a prompt, as a stream, and values for a question.

Opened on first use, never retried: whoever asks has an answer without it. `ChatFailed` is all that can go wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

from index.bilingual import Bilingual
from index.errors import BadSetting, ShortlistError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Values = TypeVar("Values", bound=BaseModel)
Item = TypeVar("Item")
_MOST_TOKENS = 700
_FOR_FILLING, _FOR_WORDING = 0.3, 0.7
"""Shares of the time-out, so that a turn that does both does not exceed it."""
_MOST_CHARS = 6_000
"""What a model says after this is not read: it has lost its way."""


class ChatFailed(Exception):
    """The model gave no usable answer: `args[0]` says why, for the log."""


class ChatModel(Protocol):
    """What the skills need of a chat model."""

    def stream(self, system: str, prompt: str) -> Iterator[str]:
        """Yield the answer piece by piece. Raises ChatFailed."""
        ...

    def values(self, system: str, prompt: str, shape: type[Values]) -> Values:
        """Return an answer in this shape. Raises ChatFailed."""
        ...


@dataclass
class ConfiguredChat:
    """The model of the settings: `provider:name`, and its server when it is not the provider's own."""

    name: str
    base_url: str | None = None
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        provider, _, model = self.name.partition(":")
        if not provider.strip() or not model.strip():
            raise _bad_setting(self.name, "it must be provider:name.", "应写成 provider:name。")

    def stream(self, system: str, prompt: str) -> Iterator[str]:
        """Yield the answer piece by piece, as long as the time lasts."""
        length = 0
        try:
            said = self._model.stream([("system", system), ("human", prompt)])
            for chunk in _within(self.timeout_s * _FOR_WORDING, said):
                _refuse_cut(chunk)
                text = str(chunk.text)
                length += len(text)
                if length > _MOST_CHARS:
                    return
                if text:
                    yield text
        except ChatFailed:
            raise
        except Exception as error:  # each provider's library raises its own
            raise ChatFailed(_kind(error)) from error

    def values(self, system: str, prompt: str, shape: type[Values]) -> Values:
        """Return an answer in this shape."""
        try:
            asked = self._model.with_structured_output(shape)
            answers = (asked.invoke(messages) for messages in [[("system", system), ("human", prompt)]])
            found = next(_within(self.timeout_s * _FOR_FILLING, answers))
        except ChatFailed:
            raise
        except Exception as error:  # each provider's library raises its own
            raise ChatFailed(_kind(error)) from error
        if not isinstance(found, shape):
            raise ChatFailed("the answer has not the shape that was asked for")
        return found

    @cached_property
    def _model(self) -> BaseChatModel:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415 - takes long, and is seldom wanted

        options: dict[str, Any] = {} if self.base_url is None else {"base_url": self.base_url}
        options |= {"timeout": self.timeout_s, "max_retries": 0, "temperature": 0, "max_tokens": _MOST_TOKENS}
        try:
            model: BaseChatModel = init_chat_model(self.name, **options)
        except ImportError as error:
            raise _bad_setting(
                self.name, f"its package is not installed: {error}", f"缺少对应的包：{error}"
            ) from error
        except (
            Exception
        ) as error:  # whatever the library of a provider raises for a wrong name or a missing key
            raise _bad_setting(self.name, _in_a_line(error), _in_a_line(error)) from error
        return model


def _within(timeout_s: float, items: Iterator[Item]) -> Iterator[Item]:
    """What comes within the time, each as it comes. A library's own time-out is only for the wait between two pieces."""
    arrived: SimpleQueue[tuple[Literal["item", "end", "error"], Any]] = SimpleQueue()
    is_given_up = Event()

    def read() -> None:
        try:
            for item in items:
                arrived.put(("item", item))
                if is_given_up.is_set():
                    return
            arrived.put(("end", None))
        except BaseException as error:  # raised again where it is waited for
            arrived.put(("error", error))

    ends_at = time.monotonic() + timeout_s
    Thread(target=read, name="chat model", daemon=True).start()
    try:
        while True:
            kind, value = arrived.get(timeout=max(0.0, ends_at - time.monotonic()))
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    except Empty:
        raise ChatFailed(f"no whole answer within {timeout_s:g} s") from None
    finally:
        is_given_up.set()


def _refuse_cut(chunk: Any) -> None:
    """A filter of the provider, or a refusal that it marks as one, is no answer."""
    if chunk.response_metadata.get("finish_reason") == "content_filter" or chunk.additional_kwargs.get(
        "refusal"
    ):
        raise ChatFailed("the model refused")


def _kind(error: Exception) -> str:
    """What went wrong, without its message: some servers repeat the key or the prompt in it."""
    if isinstance(error, ShortlistError):
        return _in_a_line(error)
    status = getattr(error, "status_code", None)
    return type(error).__name__ + (f": status {status}" if isinstance(status, int) else "")


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"[:300]


def _bad_setting(name: str, en: str, zh: str) -> BadSetting:
    return BadSetting(
        Bilingual(
            en=f"SHORTLIST_CHAT_MODEL is {name!r}, and it cannot be used: {en} "
            "Write it as provider:name, for instance openai:gpt-4.1-mini, and set the provider's key.",
            zh=f"SHORTLIST_CHAT_MODEL 的值 {name!r} 不可用：{zh}"
            "请写成 provider:name，例如 openai:gpt-4.1-mini，并设置该服务商的密钥。",
        )
    )
