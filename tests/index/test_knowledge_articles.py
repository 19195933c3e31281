"""The articles that ship with the bot keep to the rules of index/knowledge/README.md."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

import index

KNOWLEDGE = Path(index.__file__).parent / "knowledge"
LANGUAGES = ("en", "zh")
ENGLISH_WORDS = range(60, 141)
CHINESE_CHARACTERS = range(100, 241)
HAN = re.compile(r"[\u4e00-\u9fff]")
POINTS_ELSEWHERE = re.compile(
    r"as (said|mentioned|described|explained) (above|before|earlier)|(see|section) (above|below)"
    r"|previous section"
    r"|如上所述|如前所述|前文提到|前面提到|上文提到|见上文|见下文|上一节|下一节",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Article:
    path: Path
    meta: dict[str, Any]
    sections: dict[str, str]
    headings: tuple[str, ...]


def read_article(path: Path) -> Article:
    opening, front_matter, body = path.read_text(encoding="utf-8").split("---\n", 2)
    assert opening == "", f"{path} does not begin with front matter"
    before_first, *parts = re.split(r"^## ", body, flags=re.MULTILINE)
    assert before_first.strip() == "", f"{path} has text outside of any section"
    pairs = [part.split("\n", 1) for part in parts]
    sections = {heading.strip(): text.strip() for heading, text in pairs}
    return Article(path, yaml.safe_load(front_matter), sections, tuple(h.strip() for h, _ in pairs))


def asks_of(article: Article) -> dict[str, list[str]]:
    path = KNOWLEDGE / "asks" / article.path.parent.name / f"{article.path.stem}.yaml"
    asks: dict[str, list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return asks


def article_paths() -> list[Path]:
    return sorted(path for language in LANGUAGES for path in (KNOWLEDGE / language).glob("*.md"))


def han_share(text: str) -> float:
    """Share of Chinese characters among letters, so that formulas and digits do not count."""
    letters = [character for character in text if character.isalpha()]
    return sum(bool(HAN.match(letter)) for letter in letters) / len(letters)


every_article = pytest.mark.parametrize(
    "article",
    [read_article(path) for path in article_paths()],
    ids=lambda a: f"{a.path.parent.name}/{a.path.stem}",
)


def test_every_topic_exists_in_both_languages() -> None:
    english, chinese = ({path.stem for path in (KNOWLEDGE / language).glob("*.md")} for language in LANGUAGES)
    assert english == chinese
    assert len(english) >= 65


@every_article
def test_front_matter_has_the_required_fields_and_no_others(article: Article) -> None:
    assert set(article.meta) == {"title", "topic", "language", "updated", "sources"}
    assert isinstance(article.meta["title"], str)
    assert isinstance(article.meta["updated"], date)


@every_article
def test_front_matter_matches_the_path(article: Article) -> None:
    assert (article.meta["language"], article.meta["topic"]) == (article.path.parent.name, article.path.stem)


@every_article
def test_an_article_has_four_to_seven_sections_with_distinct_headings(article: Article) -> None:
    repeated = [heading for heading, times in Counter(article.headings).items() if times > 1]
    assert repeated == []
    assert 4 <= len(article.headings) <= 7
    assert not any(line.startswith("#") for text in article.sections.values() for line in text.splitlines())


@every_article
def test_every_section_fits_one_passage(article: Article) -> None:
    def size(text: str) -> int:
        return len(HAN.findall(text)) if article.meta["language"] == "zh" else len(text.split())

    allowed = CHINESE_CHARACTERS if article.meta["language"] == "zh" else ENGLISH_WORDS
    misfits = {heading: size(text) for heading, text in article.sections.items() if size(text) not in allowed}
    assert misfits == {}


@every_article
def test_every_section_knows_the_questions_that_it_answers(article: Article) -> None:
    asks = asks_of(article)
    assert list(asks) == list(article.headings)
    assert all(len(set(questions)) == len(questions) >= 3 for questions in asks.values())


@every_article
def test_questions_are_in_the_language_of_the_article(article: Article) -> None:
    questions = [question for several in asks_of(article).values() for question in several]
    chinese_frac = sum(bool(HAN.search(question)) for question in questions) / len(questions)
    assert chinese_frac > 0.8 if article.meta["language"] == "zh" else chinese_frac < 0.1


@every_article
def test_every_section_stands_alone(article: Article) -> None:
    pointers = {
        heading: found.group()
        for heading, text in article.sections.items()
        if (found := POINTS_ELSEWHERE.search(text))
    }
    assert pointers == {}


@every_article
def test_an_article_is_written_in_the_language_of_its_folder(article: Article) -> None:
    shares = {heading: han_share(text) for heading, text in article.sections.items()}
    if article.meta["language"] == "zh":
        assert min(shares.values()) > 0.45
        assert HAN.search(article.meta["title"])
    else:
        assert max(shares.values()) < 0.02
        assert not HAN.search(article.meta["title"])


@every_article
def test_sources_are_titled_https_links_without_repeats(article: Article) -> None:
    sources = article.meta["sources"]
    assert sources
    assert all(set(source) == {"title", "url"} and source["title"].strip() for source in sources)
    links = [urlsplit(source["url"]) for source in sources]
    assert all(link.scheme == "https" and "." in link.netloc for link in links)
    assert len({source["url"] for source in sources}) == len(sources)


@pytest.mark.parametrize("topic", sorted({path.stem for path in article_paths()}))
def test_both_languages_of_a_topic_cite_the_same_sources(topic: str) -> None:
    english, chinese = (read_article(KNOWLEDGE / language / f"{topic}.md") for language in LANGUAGES)
    assert english.meta["sources"] == chinese.meta["sources"]
