"""What a person sees before a fine-tune begins: the rows on each side, what is cut, learned and chosen, and what it takes.

A recipe fills it in, as only there is a tokenizer; it is shown by the command line, in the job's events and, as JSON, to
programs. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from index.bilingual import Bilingual

FILE = "preview.json"
_SHOWN_ROWS = 5
_SHOWN_LABELS = 8
_SHOWN_CHARACTERS = 160
_RARE_FRAC = 0.2
"""A label with fewer rows than this share of the commonest one's is pointed out."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """A sentence in both languages, as it is stored."""

    en: str
    zh: str

    @classmethod
    def of(cls, said: Bilingual) -> Words:
        """The same, for storing."""
        return cls(en=said.en, zh=said.zh)

    def to_bilingual(self) -> Bilingual:
        """The same, for showing."""
        return Bilingual(self.en, self.zh)


class Setting(_Part):
    """One hyper-parameter and, where the recipe chose it, why."""

    name: str
    value: Any
    why: Words | None = None
    """None: as the person asked."""


class TuningPreview(_Part):
    """A fine-tune before its first step."""

    base_model: str
    task: str
    """causal-lm, sequence-classification, seq2seq."""
    method: str
    asks_for: str
    """What the rows ask for, such as classification."""
    has_template: bool | None
    """Whether the model is asked by a chat template; None where it reads the bare text."""
    has_turns: bool = False
    """The rows are conversations."""
    dataset: dict[str, Any]
    """rows_trained, rows_validation, rows_held_out, rows_too_long, rows_similar, tokens, histogram, sample, ..."""
    settings: tuple[Setting, ...]
    steps: int
    memory_gib: float | None = None
    """As asked for; None where the size of the model is unknown."""
    least_memory_gib: float | None = None
    """One row at a time, with activations computed again."""
    free_gib: float
    device: str
    train_s: float | None = None
    """By the speed of this device; None where it was not measured."""
    refusal: Words | None = None

    def lines(self) -> list[Bilingual]:
        """A line for each thing that a person should know, the most important first."""
        parts = [self.refusal.to_bilingual()] if self.refusal else []
        parts += [self._sides(), self._lengths(), *self._labels(), *self._personal(), *self._template()]
        return [*parts, self._sample(), self._settings(), self._cost()]

    def _sides(self) -> Bilingual:
        data = self.dataset
        en = [
            f"To learn from: {data['rows_trained']} rows ({data['tokens_trained']:,} tokens); held out to measure: "
            f"{data['rows_held_out']}; to choose by: {data['rows_validation']}"
        ]
        zh = [
            f"用于训练：{data['rows_trained']} 行（{data['tokens_trained']:,} 个词元）；留出用于评测："
            f"{data['rows_held_out']} 行；用于选择：{data['rows_validation']} 行"
        ]
        if data["rows_too_long"]:
            rows = _rows(data["rows_too_long_ids"], data["rows_too_long"])
            en.append(
                f"left out, never cut: {data['rows_too_long']} longer than {data['max_tokens']} tokens ({rows})"
            )
            zh.append(
                f"超过 {data['max_tokens']} 个词元而排除（不截断）：{data['rows_too_long']} 行（{rows.zh}）"
            )
        if data["rows_similar"]:
            rows = _rows(data["rows_similar_ids"], data["rows_similar"])
            en.append(
                f"not learned from, as nearly the same as held-out ones: {data['rows_similar']} ({rows.en})"
            )
            zh.append(f"与留出行几乎相同而不用于训练：{data['rows_similar']} 行（{rows.zh}）")
        shows = 1 / max(data["rows_held_out"], 1) ** 0.5
        if shows > 0.15:
            en.append(f"so few held-out rows show a gain of more than about {shows:.2f} only")
            zh.append(f"留出行太少，大约只有超过 {shows:.2f} 的提升才能看出来")
        return Bilingual(". ".join(_capital(part) for part in en) + ".", "；".join(zh) + "。")

    def _lengths(self) -> Bilingual:
        tokens, most = self.dataset["tokens"], max(count for _, count in self.dataset["histogram"])
        bars = " · ".join(
            f"≤{upper:,} {'▁▂▃▄▅▆▇█'[round(7 * count / most)]} {count}"
            for upper, count in self.dataset["histogram"]
        )
        return Bilingual(
            f"Tokens of a row, with the instruction: half up to {tokens['p50']:,}, 95% up to {tokens['p95']:,}, the longest "
            f"{tokens['longest']:,}; {tokens['total']:,} in all. {bars}.",
            f"每行词元数（含指令）：半数不超过 {tokens['p50']:,}，95% 不超过 {tokens['p95']:,}，最长 "
            f"{tokens['longest']:,}；共 {tokens['total']:,}。{bars}。",
        )

    def _labels(self) -> Iterator[Bilingual]:
        counts = sorted(self.dataset["rows_of_label"].items(), key=lambda pair: -pair[1])
        if not counts:
            return
        shown = ", ".join(f"{label} {count}" for label, count in counts[:_SHOWN_LABELS])
        more = f", … ({len(counts)})" if len(counts) > _SHOWN_LABELS else ""
        rare = [label for label, count in counts if count < _RARE_FRAC * counts[0][1]]
        names = ", ".join(rare[:_SHOWN_ROWS])
        en = f" Rare: {names}; more rows of them, or `--augmentation upsample`, would help." if rare else ""
        zh = f"较少的标签：{names}；可补充数据，或使用 `--augmentation upsample`。" if rare else ""
        yield Bilingual(f"Labels to learn: {shown}{more}.{en}", f"训练中的标签：{shown}{more}。{zh}")

    def _personal(self) -> Iterator[Bilingual]:
        found = self.dataset["personal_data"]
        if not found:
            return
        listed = [(kind, of["rows"], _rows(of["first_rows"], of["rows"])) for kind, of in found.items()]
        en = "; ".join(f"{kind} ×{count} ({rows.en})" for kind, count, rows in listed)
        zh = "；".join(f"{kind} ×{count}（{rows.zh}）" for kind, count, rows in listed)
        yield Bilingual(
            f"Perhaps personal data: {en}. A tuned model may repeat it: take it out unless it is needed.",
            f"疑似个人信息：{zh}。微调后的模型可能复述训练内容，如无必要请先删除。",
        )

    def _template(self) -> Iterator[Bilingual]:
        if self.has_template is not False or self.task == "seq2seq":
            return
        turns = (
            Bilingual(" Conversations become one text; an instruct version would keep their turns.",
                      "对话会被写成一段文本；改用 instruct 版本可保留轮次。")
            if self.has_turns
            else Bilingual("", "")
        )  # fmt: skip
        yield Bilingual(
            f"{_short(self.base_model)} has no chat template, so it is asked in plain text, before and after; ask the tuned "
            f"model the same way.{turns.en}",
            f"{_short(self.base_model)} 没有对话模板，训练前后都以纯文本提问；使用时也请照此提问。{turns.zh}",
        )

    def _sample(self) -> Bilingual:
        read, learned = self.dataset["sample"]["read"], self.dataset["sample"]["learned"]
        shown = f"`{_end_of(read)}⟦{_beginning_of(learned)}⟧`"
        return Bilingual(
            f"Only what is in ⟦ ⟧ is learned, as the model sees it: {shown}",
            f"只学习 ⟦ ⟧ 中的内容（模型所见）：{shown}",
        )

    def _settings(self) -> Bilingual:
        def said(setting: Setting, language: str) -> str:
            value = f"{setting.value:g}" if isinstance(setting.value, float) else str(setting.value)
            value = "auto" if setting.value is None else value
            why = getattr(setting.why, language) if setting.why else ""
            return f"{setting.name} {value}" + (
                (f" ({why})" if language == "en" else f"（{why}）") if why else ""
            )

        en = ", ".join(said(one, "en") for one in self.settings)
        zh = "，".join(said(one, "zh") for one in self.settings)
        return Bilingual(f"{self.steps} steps with {en}.", f"共 {self.steps} 步：{zh}。")

    def _cost(self) -> Bilingual:
        en, zh = [], []
        if self.memory_gib is not None and self.least_memory_gib is not None:
            least = min(self.least_memory_gib, self.memory_gib)
            en.append(
                f"about {self.memory_gib:.1f} GiB ({least:.1f} at the least) of {self.free_gib:.1f} GiB free, on "
                f"{self.device}"
            )
            zh.append(
                f"约需 {self.memory_gib:.1f} GiB（最少 {least:.1f}），{self.device} 可用 {self.free_gib:.1f} GiB"
            )
        if self.train_s is not None:
            en.append(f"about {duration(self.train_s).en} to train")
            zh.append(f"训练约 {duration(self.train_s).zh}")
        if not en:
            return Bilingual(
                "The size of the model is not known, so neither is its memory.",
                "模型规模未知，无法估算内存。",
            )
        return Bilingual(f"By estimate it takes {', '.join(en)}.", f"估计{'，'.join(zh)}。")


def read_preview(folder: Path) -> TuningPreview:
    """What a recipe left in a folder."""
    return TuningPreview.model_validate_json((folder / FILE).read_bytes())


def duration(seconds: float) -> Bilingual:
    """`40 s`, `12 min`, `2.5 h`."""
    if seconds < 90:
        return Bilingual(f"{max(seconds, 1):.0f} s", f"{max(seconds, 1):.0f} 秒")
    if seconds < 5400:
        return Bilingual(f"{seconds / 60:.0f} min", f"{seconds / 60:.0f} 分钟")
    return Bilingual(f"{seconds / 3600:.1f} h", f"{seconds / 3600:.1f} 小时")


def _rows(ids: Sequence[str], count: int) -> Bilingual:
    """The first few, by number or by the data's own ids."""
    shown = ", ".join(map(str, ids[:_SHOWN_ROWS])) + (", …" if count > _SHOWN_ROWS else "")
    return Bilingual(f"row {shown}", f"第 {shown} 行")


def _end_of(text: str) -> str:
    flat = text.replace("\n", "⏎").replace("`", "'")
    return flat if len(flat) <= _SHOWN_CHARACTERS else f"…{flat[-_SHOWN_CHARACTERS:]}"


def _beginning_of(text: str) -> str:
    flat = text.replace("\n", "⏎").replace("`", "'")
    return flat if len(flat) <= _SHOWN_CHARACTERS else f"{flat[:_SHOWN_CHARACTERS]}…"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _short(model: str) -> str:
    return model.rstrip("/").rsplit("/", 1)[-1]
