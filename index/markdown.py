"""Turn Markdown into sections, each under the path of its headings.

Headings are found here, not by LangChain's `MarkdownHeaderTextSplitter`, which strips the indentation
of lists and code: what is quoted must be what the file says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import yaml
from langchain_core.documents import Document
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from index.bilingual import Bilingual, Language
from index.errors import BadDocument

_MAX_FRONT_MATTER_CHARACTERS = 8_192
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def _two_letters(value: object) -> object:
    """`zh-CN` is zh; a language that is not ours is left to be detected."""
    code = str(value).lower()[:2]
    return code if code in ("en", "zh") else None


def _one_line(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


def _web_link(value: object) -> object:
    """A link that a person may be offered to click; anything else is left out."""
    return value if str(value).startswith(("https://", "http://")) else None


class FrontMatter(BaseModel):
    """The part of a document's YAML header that we use; teams may keep other fields there."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    title: Annotated[str | None, BeforeValidator(_one_line)] = None
    topic: str | None = None
    language: Annotated[Language | None, BeforeValidator(_two_letters)] = None
    url: Annotated[str | None, BeforeValidator(_web_link)] = None


def markdown_sections(text: str, stem: str) -> list[Document]:
    """The sections that hold text, as documents with title, locator and the fields of the front matter."""
    header, body = _split_front_matter(text)
    sections = list(_sections(body))
    heading = next((path[0] for path, _ in sections if path), None)
    title = header.title or (heading if body.lstrip().startswith("# ") else None) or stem
    shared = {"title": title, "topic": header.topic, "language": header.language, "url": header.url}
    return [
        Document(page_content=content, metadata={**shared, "locator": _locator(path, title)})
        for path, content in sections
    ]


def _split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """The YAML header and what follows it. A text that begins with a mere rule has no header."""
    if not re.match(r"---[ \t]*\n", text):
        return FrontMatter(), text
    match = _FRONT_MATTER.match(text)
    if match is None or len(match[1]) > _MAX_FRONT_MATTER_CHARACTERS:
        return FrontMatter(), text
    try:
        fields = yaml.safe_load(match[1])
        if not isinstance(fields, dict):
            return FrontMatter(), text
        return FrontMatter.model_validate(fields), text[match.end() :]
    except yaml.YAMLError as error:
        raise BadDocument(_bad_header(*_yaml_problem(error))) from error
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise BadDocument(_bad_header(f"field {field!r} is not text", f"字段 {field!r} 不是文本")) from error
    except RecursionError as error:
        raise BadDocument(_bad_header("it is nested too deeply", "嵌套过深")) from error
    except ValueError as error:  # YAML of a date or number that does not exist
        raise BadDocument(_bad_header("it holds an impossible value", "其中有不可能的值")) from error


def _yaml_problem(error: yaml.YAMLError) -> tuple[str, str]:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 2 if mark is not None else 1
    return f"line {line} is not YAML", f"第 {line} 行不是合法的 YAML"


def _sections(body: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Heading path and text of each section that has text; a # inside a code block is no heading."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence: str | None = None
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if mark and (fence is None or mark[1].startswith(fence)):
            fence = mark[1] if fence is None else None
        heading = _HEADING.match(line) if fence is None else None
        if heading is None:
            lines.append(line)
            continue
        yield from _section(path, lines)
        lines = []
        level = len(heading[1])
        path = [*((depth, name) for depth, name in path if depth < level), (level, heading[2])]
    yield from _section(path, lines)


def _section(path: list[tuple[int, str]], lines: list[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    text = "\n".join(lines).strip("\n").rstrip()
    if text.strip():
        yield tuple(name for _, name in path), text


def _locator(path: tuple[str, ...], title: str) -> str:
    """Heading › Subheading, without a first heading that only repeats the title."""
    return " › ".join(path[1:] if path[:1] == (title,) else path)


def _bad_header(en: str, zh: str) -> Bilingual:
    return Bilingual(
        en=f"Its front matter, between the --- lines, is not valid: {en}. Correct it or take it out.",
        zh=f"文件开头 --- 之间的元数据无效：{zh}。请修改或删除这一段。",
    )
