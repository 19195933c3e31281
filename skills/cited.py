"""Number the sources of an answer as they are cited: the same page twice is one number."""

from __future__ import annotations

from dataclasses import dataclass, field

from index.records import ModelFact
from skills.conversation.answer import Citation

_MOST_OF_A_MODEL = 2


@dataclass
class Sources:
    """The sources cited so far, in order."""

    citations: list[Citation] = field(default_factory=list)

    def mark(self, *, title: str, source: str, locator: str, quote: str = "") -> str:
        """The mark of a source, "[3]"."""
        for known in self.citations:
            if (known.title, known.source, known.locator) == (title, source, locator):
                return f"[{known.n}]"
        n = len(self.citations) + 1
        self.citations.append(Citation(n=n, title=title, source=source, locator=locator, quote=quote))
        return f"[{n}]"

    def marks_of(self, model: ModelFact) -> str:
        """The marks of where the facts of a model were read."""
        return "".join(
            self.mark(title=model.id, source=source.url, locator=source.name, quote=model.name)
            for source in model.sources[:_MOST_OF_A_MODEL]
        )

    @property
    def listed(self) -> str:
        """One line for each source, for the end of an answer."""
        return "\n".join(f"[{c.n}] {c.title} › {c.locator} ({c.source})" for c in self.citations)
