"""Turn chat messages into what a hosted model says, with its time, tokens and dollars, or into why it said nothing.

Passing trouble is waited out: too many requests, errors of the server, time-outs. What is told of a failure is
ours to word: messages of a provider may repeat a part of the key.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from finetune.providers import HostedName, hosted_name
from finetune.spec import Candidate
from index.bilingual import Bilingual
from index.catalogue.home import open_catalogue
from index.errors import BadInput, JobFailed
from index.prices import TokenPrice, price_at

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

logger = logging.getLogger(__name__)

TIMEOUT_S = 120.0
"""For one whole answer."""
_ENOUGH = stop_after_attempt(6) | stop_after_delay(240.0)
_ATTEMPTS_AT_NOBODY = 3
_LONGEST_WAIT_S = 120.0
_BACK_OFF = wait_exponential_jitter(multiplier=0.5, max=20)
_PASSING = frozenset({408, 409, 425, 429})
_HOPELESS = frozenset({401, 403, 404})
_CUT_OFF = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_THOUGHTS = re.compile(r"\s*<think>.*?</think>", flags=re.DOTALL)
_CODE = re.compile(r"[a-z_]{3,40}")

Messages = Sequence[tuple[str, str]]
"""Role (system, human or ai) and content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer."""

    text: str
    latency_s: float
    """Of the request that was answered, without those before it that failed."""
    first_token_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    """With those that it thought."""
    usd: float | None = None
    is_cut_off: bool = False
    is_refused: bool = False
    """A filter of the provider, or the model where it marks a refusal as one, gave no answer."""


class NotAnswered(Exception):
    """A request failed for good."""

    def __init__(self, reason: Bilingual, *, is_hopeless: bool, is_unreachable: bool = False) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.is_hopeless = is_hopeless
        """No other request will fare better: a wrong key, an unknown model."""
        self.is_unreachable = is_unreachable


class Api:
    """A hosted model that is ready to be asked, from several threads."""

    def __init__(
        self,
        candidate: Candidate,
        price: TokenPrice | None,
        *,
        max_tokens: int,
        timeout_s: float = TIMEOUT_S,
        retry_waits: bool = True,
    ) -> None:
        """Without `retry_waits` it asks again at once, for tests."""
        name = hosted_name(candidate.model)
        assert name is not None  # noqa: S101 - only hosted candidates come here
        self.candidate, self.price, self.name = candidate, price, name
        self._max_tokens, self._timeout_s = max_tokens, timeout_s
        self._is_over, self._has_answered = Event(), False
        self._retry_waits = retry_waits
        self.temperature: float | None = 0.0
        """None once the provider has said that this model takes none."""

    @property
    def where(self) -> str:
        """Host of the server, or the provider."""
        return urlsplit(self.candidate.base_url).netloc if self.candidate.base_url else self.name.provider

    def say(self, messages: Messages, *, stream: bool = False) -> Said:
        """Ask, and ask again while the trouble is passing; NotAnswered says why there is no answer."""
        retrying = Retrying(
            stop=self._gives_up,
            wait=_wait_s,
            retry=retry_if_exception(self._is_passing),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask, messages, stream)
        except (BadInput, JobFailed):
            raise
        except Exception as error:  # each provider's library raises its own
            return self._without_answer(error)

    def open(self) -> None:
        """Load the provider's library now; BadInput when it or the key is missing."""
        _ = self._model

    def give_up(self) -> None:
        """Wait no longer before asking again."""
        self._is_over.set()

    def _ask(self, messages: Messages, stream: bool) -> Said:
        started_s = time.perf_counter()
        try:
            if stream:
                message, first_s = self._streamed(messages, started_s)
            else:
                message, first_s = self._model.invoke(list(messages)), None
        except Exception as error:
            if self.temperature is None or not _is_about_temperature(error):
                raise
            self.temperature = None
            self.__dict__.pop("_model", None)
            return self._ask(messages, stream)
        self._has_answered = True
        return self._said(message, time.perf_counter() - started_s, first_s)

    def _streamed(self, messages: Messages, started_s: float) -> tuple[AIMessage, float | None]:
        whole: Any = None
        first_s = None
        for chunk in self._model.stream(list(messages)):
            now_s = time.perf_counter() - started_s
            if now_s > self._timeout_s:
                raise TimeoutError
            if first_s is None and str(chunk.text):
                first_s = now_s
            whole = chunk if whole is None else whole + chunk
        if whole is None:
            raise ConnectionError
        return whole, first_s

    def _said(self, message: AIMessage, latency_s: float, first_s: float | None) -> Said:
        usage: Mapping[str, Any] = message.usage_metadata or {}
        tokens_in, tokens_out = usage.get("input_tokens"), usage.get("output_tokens")
        meta = message.response_metadata
        ended = str(meta.get("finish_reason") or meta.get("stop_reason") or "").casefold()
        return Said(
            text=_THOUGHTS.sub("", str(message.text), count=1).strip(),
            latency_s=latency_s,
            first_token_s=first_s,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            usd=dollars(self.price, tokens_in, tokens_out),
            is_cut_off=ended in _CUT_OFF,
            is_refused=ended in _REFUSED or bool(message.additional_kwargs.get("refusal")),
        )

    def _without_answer(self, error: Exception) -> Said:
        """A refusal counts as an answer; all else is told in a sentence."""
        status, code = _status(error), _code(error)
        if code in _REFUSED:
            return Said(text="", latency_s=0.0, is_refused=True)
        # Neither the message nor the traceback: they may hold a part of the key.
        logger.warning("not answered: %s, status %s, code %s", type(error).__name__, status, code)
        raise NotAnswered(
            self._reason(error, status, code),
            is_hopeless=status in _HOPELESS or code in _NO_MONEY,
            is_unreachable=status is None and _is_connection(error),
        ) from None

    def _is_passing(self, error: BaseException) -> bool:
        if self._is_over.is_set() or _code(error) in _NO_MONEY:
            return False
        status = _status(error)
        if status is None:
            return _is_connection(error)
        return status in _PASSING or status >= 500

    def _gives_up(self, state: RetryCallState) -> bool:
        """Sooner at an address that has never answered: it is most likely wrong."""
        error = state.outcome.exception() if state.outcome else None
        is_away = error is not None and _status(error) is None and _is_connection(error)
        is_nobody = is_away and not self._has_answered and state.attempt_number >= _ATTEMPTS_AT_NOBODY
        return is_nobody or _ENOUGH(state)

    def _sleep(self, seconds: float) -> None:
        if self._retry_waits:
            self._is_over.wait(seconds)

    @cached_property
    def _model(self) -> BaseChatModel:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415 - takes long, and few need it

        def opened(**more: Any) -> BaseChatModel:
            options = {"model_provider": self.name.provider, **self._options(), **more}
            model: BaseChatModel = init_chat_model(self.name.model, **options)
            return model

        try:
            return opened()
        except ImportError as error:
            raise _no_package(self.name) from error
        except Exception:
            # Most complain of a missing key. What they say is not shown: it may hold a part of one.
            if self.candidate.base_url is None:
                logger.warning("no client for %s", self.name.provider)
                raise _no_client(self.name) from None
        return opened(api_key="none")  # most servers of one's own ask for none, but the library does

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {} if self.temperature is None else {"temperature": self.temperature}
        if self.name.provider == "ollama":
            options |= {"num_predict": self._max_tokens, "client_kwargs": {"timeout": self._timeout_s}}
        else:
            options |= {"max_tokens": self._max_tokens, "timeout": self._timeout_s, "max_retries": 0}
        if self.name.provider == "openai":
            options["stream_usage"] = True
        if self.candidate.base_url is not None:
            options["base_url"] = self.candidate.base_url
        return options

    def _reason(self, error: Exception, status: int | None, code: str | None) -> Bilingual:
        facts = {
            "where": self.where,
            "model": self.name.model,
            "key": (*self.name.known.keys, "key")[0],
            "status": status,
            "code": f", {code}" if code else "",
        }
        words = _REASONS[_kind(error, status, code)]
        return Bilingual(en=words.en.format(**facts), zh=words.zh.format(**facts))


def price_of(candidate: Candidate, home: Path) -> TokenPrice | None:
    """What asking it costs: the team's own price, else the provider's list price; None for an own server without."""
    open_catalogue(home)  # puts the prices of this home in force
    name = hosted_name(candidate.model)
    if name is None:
        return None
    if candidate.base_url is None:
        return price_at(candidate.model, name.known.prices, name.catalogue_id)
    return price_at(candidate.address, None, None) or price_at(candidate.model, None, None)


def measured_as(candidate: Candidate, home: Path) -> str:
    """The name that measurements are kept by: the catalogue's, where the maker itself serves the model."""
    name = hosted_name(candidate.model)
    id_ = name.catalogue_id if name and candidate.base_url is None else None
    return id_ if id_ is not None and id_ in open_catalogue(home).models else candidate.address


def dollars(price: TokenPrice | None, tokens_in: int | None, tokens_out: int | None) -> float | None:
    """What an answer cost by the list, without discounts for prompts that are cached; None when unknown."""
    if price is None or price.output_usd_per_mtok is None or tokens_in is None or tokens_out is None:
        return None
    return (tokens_in * price.input_usd_per_mtok + tokens_out * price.output_usd_per_mtok) / 1e6


def _wait_s(state: RetryCallState) -> float:
    """As long as the server says, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    said = _retry_after_s(error) if error else None
    return min(_LONGEST_WAIT_S, said) if said is not None else _BACK_OFF(state)


def _retry_after_s(error: BaseException) -> float | None:
    """The server's Retry-After, which is a number of seconds or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    text = str(headers.get("retry-after", "")) if headers is not None else ""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _status(error: BaseException) -> int | None:
    """HTTP status, where the error of the provider's library has one."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "code"):
            if isinstance(value := getattr(holder, name, None), int):
                return value
    return None


def _code(error: BaseException) -> str | None:
    """The provider's own short name of the error."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _is_connection(error: BaseException) -> bool:
    """By the names of its classes: the libraries share no base, only what they call it."""
    return any(re.search("Timeout|Connect|Transport", name) for name in _class_names(error))


def _is_timeout(error: BaseException) -> bool:
    return any("Timeout" in name for name in _class_names(error))


def _class_names(error: BaseException) -> Iterator[str]:
    return (kind.__name__ for kind in type(error).__mro__)


def _is_about_temperature(error: BaseException) -> bool:
    return _status(error) == 400 and "temperature" in str(error)


_REASONS = {
    "credit": Bilingual(
        en="{where} says that the account of {key} has no credit left. Top it up, or use another key.",
        zh="{where} 表示 {key} 所属账户的额度已用完。请充值或更换密钥。",
    ),
    "key": Bilingual(
        en="{where} does not accept the key (HTTP {status}). Set a valid {key} where the worker is started.",
        zh="{where} 不接受该密钥（HTTP {status}）。请在启动 worker 的环境中设置有效的 {key}。",
    ),
    "model": Bilingual(
        en="{where} has no model {model!r} (HTTP 404). Check its name and the address.",
        zh="{where} 没有模型 {model!r}（HTTP 404）。请检查名称和地址。",
    ),
    "busy": Bilingual(
        en="{where} still answers that there are too many requests (HTTP 429). Try again later.",
        zh="{where} 一直提示请求过多（HTTP 429）。请稍后再试。",
    ),
    "slow": Bilingual(
        en="{where} did not answer in time, asked several times. Try again later.",
        zh="{where} 多次未在限定时间内回答。请稍后再试。",
    ),
    "away": Bilingual(
        en="{where} cannot be reached. Check that it runs, its address, and the network.",
        zh="无法连接 {where}。请检查其是否运行、地址是否正确以及网络。",
    ),
    "garbled": Bilingual(
        en="{where} answers a request for {model!r} with something that is no chat answer. Check the address.",
        zh="{where} 对 {model!r} 的请求返回了无法识别的内容。请检查地址。",
    ),
    "error": Bilingual(
        en="{where} answers a request for {model!r} with an error (HTTP {status}{code}). Look there, or try later.",
        zh="{where} 对 {model!r} 的请求返回错误（HTTP {status}{code}）。请在服务端查看，或稍后再试。",
    ),
}


def _kind(error: Exception, status: int | None, code: str | None) -> str:
    if code in _NO_MONEY:
        return "credit"
    if status is None:
        return "slow" if _is_timeout(error) else "away" if _is_connection(error) else "garbled"
    if status < 400:
        return "garbled"
    return {401: "key", 403: "key", 404: "model", 429: "busy"}.get(status, "error")


def _no_package(name: HostedName) -> BadInput:
    package = f"langchain-{name.provider.replace('_', '-').removeprefix('azure-')}"
    return BadInput(
        Bilingual(
            en=f"Models of {name.provider} are asked through the package {package}, which is not installed. "
            f"Run `pip install {package}` where the worker runs.",
            zh=f"调用 {name.provider} 的模型需要软件包 {package}，但尚未安装。"
            f"请在运行 worker 的环境中执行 `pip install {package}`。",
        )
    )


def _no_client(name: HostedName) -> BadInput:
    keys = ", ".join(name.known.keys)
    return BadInput(
        Bilingual(
            en=f"{name.provider}:{name.model} cannot be asked: {keys or 'its server'} is not set or not usable. "
            "Set it where the command or the bot is started; a worker that runs already has to be started anew.",
            zh=f"无法调用 {name.provider}:{name.model}：{keys or '其服务器'} 未设置或不可用。"
            "请在启动命令或机器人的环境中设置；已在运行的 worker 需要重新启动。",
        )
    )


def no_tokens(candidate: Candidate) -> JobFailed:
    """A budget was given, and nobody tells what an answer takes."""
    return JobFailed(
        Bilingual(
            en=f"The API of {candidate.address} does not tell how many tokens an answer took, so --max-usd cannot be "
            "kept. Leave --max-usd out.",
            zh=f"{candidate.address} 的接口不返回 token 用量，无法遵守 --max-usd。请去掉 --max-usd。",
        )
    )


def no_price(candidate: Candidate) -> BadInput:
    """A budget was given, and what an answer costs is unknown."""
    return BadInput(
        Bilingual(
            en=f"The price of {candidate.address} is unknown, so --max-usd cannot be kept. State it in team.yaml under "
            "prices, or leave --max-usd out.",
            zh=f"不知道 {candidate.address} 的价格，无法遵守 --max-usd。请在 team.yaml 的 prices 中写明，"
            "或去掉 --max-usd。",
        )
    )
