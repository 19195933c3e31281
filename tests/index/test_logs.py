"""Lines of the log: searchable, under their request, and without anybody's data."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from index.caller import Caller, calling, working_on
from index.logs import JsonLines, LogFormat, TextLines, _is_wanted
from index.schema import turns
from index.store import open_store, sqlite_url

SECRET = "xoxb-planted-1234 张三的身份证 110101199003078515"


class Log:
    """A logger with our formatter, and what it has written."""

    def __init__(self, log_format: LogFormat, name: str = "bot.test") -> None:
        self.written = io.StringIO()
        handler = logging.StreamHandler(self.written)
        handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
        handler.addFilter(_is_wanted)
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
        self.logger.handlers = [handler]
        self.logger.propagate = False

    @property
    def text(self) -> str:
        return self.written.getvalue()


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    yield
    for name in ("bot.test", "slack_sdk.test"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


def test_json_line_has_message_fields_and_request() -> None:
    log = Log("json")
    with calling(Caller(person="U0ANA", surface="mention", request_id="r1")):
        log.logger.info("turn answered", extra={"skill": "answer"})

    line = json.loads(log.text)
    assert (line["message"], line["skill"], line["request_id"]) == ("turn answered", "answer", "r1")
    assert (line["level"], line["logger"]) == ("INFO", "bot.test")


def test_text_line_has_fields_and_request_and_stays_one_line() -> None:
    log = Log("text")
    with working_on("r2"):
        log.logger.warning("job started", extra={"job_id": "7", "name_of_file": "a\nFAKE line"})

    assert "job started request=r2 job_id=7" in log.text
    assert log.text.count("\n") == 1


def test_worker_logs_under_the_request_of_its_job() -> None:
    log = Log("json")
    with working_on("r3"):
        log.logger.info("job succeeded")
    log.logger.info("idle")

    assert [json.loads(line)["request_id"] for line in log.text.splitlines()] == ["r3", None]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_exception_is_logged_by_type_and_place_and_never_by_its_message(log_format: LogFormat) -> None:
    log = Log(log_format)
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as cause:
            raise RuntimeError(f"cannot use {SECRET}") from cause
    except RuntimeError:
        log.logger.exception("unexpected error", extra={"reference": "1a2b"})

    assert "builtins.ValueError" in log.text
    assert "builtins.RuntimeError" in log.text
    assert Path(__file__).name in log.text
    assert "1a2b" in log.text
    assert "planted" not in log.text
    assert "张三" not in log.text


def test_store_does_not_put_what_it_was_given_into_its_errors(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    row = {
        "id": 1,
        "thread": "t",
        "person": "p",
        "text": SECRET,
        "request": {},
        "answer": {},
        "created_at_utc": "",
    }
    with pytest.raises(IntegrityError) as error, engine.begin() as connection:
        connection.execute(turns.insert(), [row, row])

    assert "planted" not in str(error.value)


@pytest.mark.parametrize(
    ("level", "is_written"), [(logging.DEBUG, False), (logging.INFO, False), (logging.WARNING, True)]
)
def test_libraries_are_heard_only_when_something_is_wrong(level: int, is_written: bool) -> None:
    """At lower levels slack_sdk logs whole requests."""
    log = Log("text", "slack_sdk.test")
    log.logger.log(level, "Sending a request")

    assert bool(log.text) is is_written


def test_standard_error_is_where_logs_go() -> None:
    assert logging.StreamHandler().stream is sys.stderr
