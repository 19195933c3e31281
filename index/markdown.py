"""Turn Markdown into sections, each under the path of its headings.

What stands under no heading, or right under the title, is found by its lines; in Markdown that was made from
another format, by its paragraphs. Headings are found here, not by LangChain's `MarkdownHeaderTextSplitter`, which
strips the indentation of lists and code: what is quoted must be what the file says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from index.bilingual import Bilingual, Language
from index.errors import BadDocument
from index.parsers.cut import MAX_PASSAGES, Ruler
from index.parsers.parsed import Parsed, Section, Unit

_MAX_FRONT_MATTER_CHARACTERS = 8_192
_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
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


def markdown_sections(text: str, stem: str) -> Parsed:
    """The sections that hold text, with the fields of the front matter."""
    header, body = _split_front_matter(text)
    return _parsed(header, text, len(text) - len(body), stem, "line")


def converted_sections(text: str, stem: str, *, title: str | None = None, url: str | None = None) -> Parsed:
    """The sections of Markdown that was made from another format: it has no front matter, and no lines to cite."""
    return _parsed(FrontMatter(title=title or None, url=url), text, 0, stem, "paragraph")


def _parsed(header: FrontMatter, text: str, offset: int, stem: str, unit: Unit) -> Parsed:
    """The sections of `text` from `offset` on."""
    body = text[offset:]
    found = list(islice(_sections(body), MAX_PASSAGES + 1))  # more is too much, whatever follows
    title = header.title or _first_heading(body) or stem
    sections, ruler = [], Ruler(text, unit)
    for path, content, start in found:
        headings = _joined(path, title)
        place = None if headings else ruler.place(offset + start, offset + start + len(content))
        sections.append(Section(text=content, headings=headings, place=place))
    return Parsed(
        title=title, sections=tuple(sections), topic=header.topic, language=header.language, url=header.url
    )


def _first_heading(body: str) -> str | None:
    """The heading of the first level that the text begins with, if it does."""
    match = re.match(r"\s*#\s+(\S.*)", body)
    return _name(match[1]) if match else None


def _split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """The YAML header and what follows it. A text that begins with a mere rule has no header."""
    if not re.match(r"---[ \t]*\n", text):
        return FrontMatter(), text
    match = _FRONT_MATTER.match(text)
    if match is None or len(match[1]) > _MAX_FRONT_MATTER_CHARACTERS:
        return FrontMatter(), text
    try:
        fields = yaml.load(match[1], Loader=yaml.CSafeLoader)
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


def _sections(body: str) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Heading path, text and beginning of each section that has text; a # inside a code block is no heading."""
    path: list[tuple[int, str]] = []
    fence: str | None = None
    begin = position = 0
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if mark and (fence is None or mark[1].startswith(fence)):
            fence = mark[1] if fence is None else None
        heading = _HEADING.match(line) if fence is None else None
        if heading is not None:
            yield from _section(path, body, begin, position)
            level = len(heading[1])
            path = [*((depth, name) for depth, name in path if depth < level), (level, _name(heading[2]))]
            begin = position + len(line) + 1
        position += len(line) + 1
    yield from _section(path, body, begin, len(body))


def _section(
    path: list[tuple[int, str]], body: str, begin: int, end: int
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    text = body[begin:end].rstrip()
    if text:
        inner = text.lstrip("\n")
        yield tuple(name for _, name in path), inner, begin + len(text) - len(inner)


def _name(heading: str) -> str:
    """What a heading says: `C#` keeps its sign, `Title ##` is closed by one."""
    text = heading.rstrip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare and bare[-1].isspace() else text


def _joined(path: tuple[str, ...], title: str) -> str:
    """Heading › Subheading, without a first heading that only repeats the title."""
    return " › ".join(path[1:] if path[:1] == (title,) else path)


def _bad_header(en: str, zh: str) -> Bilingual:
    return Bilingual(
        en=f"Its front matter, between the --- lines, is not valid: {en}. Correct it or take it out.",
        zh=f"文件开头 --- 之间的元数据无效：{zh}。请修改或删除这一段。",
    )
