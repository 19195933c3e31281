"""What was recognised in a data set, and two lines that show it to the person who gave it.

The first says what there is and how it is understood; the second, only where there is something to say, what
was left out and what looks wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from finetune.columns import Reason
from finetune.spec import DatasetTask
from index.bilingual import Bilingual

_SHOWN = 5
_TASKS_ZH: dict[DatasetTask, str] = {
    "classification": "分类",
    "multiple-choice": "多选一",
    "question-answering": "问答",
    "generation": "生成",
    "extraction": "信息抽取",
    "language-modelling": "语言建模",
    "chat": "由裁判模型评分的对话",
}
_REASONS: dict[Reason, Bilingual] = {
    "no text": Bilingual("without a text", "没有文本"),
    "no answer": Bilingual("without an answer", "没有答案"),
    "no choice": Bilingual("with an answer that is no choice", "答案不在选项中"),
    "no conversation": Bilingual("without a question and its answer in text", "没有文本形式的提问和回答"),
    "other label": Bilingual("with another label than those named", "标签不在指定的标签之中"),
    "too long": Bilingual("too long for any model", "长度超出任何模型"),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Rows(_Part):
    """Some rows, the first of them by their numbers in the data."""

    count: int
    first: tuple[int, ...]


class Lengths(_Part):
    """Characters of a text."""

    p50: int
    p95: int
    longest: int


class DatasetReport(_Part):
    """What was recognised."""

    name: str
    task: DatasetTask
    rows: int
    """That are used."""
    columns: dict[str, str | list[str] | bool] = {}
    """What each recognised column was taken for."""
    labels: dict[str, int] = {}
    """With how many rows have it, for classification."""
    languages: dict[str, int] = {}
    """As the data says; where it does not, by the script, `other` where that tells nothing; empty where none does."""
    duplicates: int = 0
    """Rows with the same text and answer as an earlier one, which were left out."""
    repeated_ids: Rows | None = None
    """Rows with the id of an earlier one: then rows are known by their numbers."""
    texts_with_several_labels: int = 0
    contradictions: tuple[tuple[int, ...], ...] = ()
    """Numbers of rows that have one text and different labels; the first few such texts."""
    left_out: dict[Reason, Rows] = {}
    characters: Lengths | None = None
    personal_data: tuple[str, str] | None = None
    """What was found, in how many rows, in both languages."""
    is_redacted: bool = False
    encodings: tuple[str, ...] = ()
    """Other than UTF-8."""
    files: int = 1
    ignored_files: tuple[str, ...] = ()

    def lines(self) -> list[Bilingual]:
        """One line, or two where something was left out or looks wrong."""
        notes = list(self._notes())
        if not notes:
            return [self._recognised()]
        en, zh = "; ".join(note.en for note in notes), "；".join(note.zh for note in notes)
        return [self._recognised(), Bilingual(f"{en[0].upper()}{en[1:]}.", f"{zh}。")]

    def _recognised(self) -> Bilingual:
        columns = {role: name for role, name in self.columns.items() if not isinstance(name, bool)}
        shown = ", ".join(f"{role}: {_joined(name)}" for role, name in columns.items())
        files, files_zh = (
            (f" in {self.files} files", f"（{self.files} 个文件）") if self.files > 1 else ("", "")
        )
        en = [f"{self.name}: {self.rows:,} rows{files} for {self.task} ({shown})"]
        zh = [f"{self.name}：{self.rows:,} 行{files_zh}，任务为{_TASKS_ZH[self.task]}（{shown}）"]
        if self.labels:
            least, most = min(self.labels.values()), max(self.labels.values())
            each = (f"{least} to {most} rows", f"{least} 至 {most} 行")
            if least == most:
                each = (f"{least} rows each", f"{least} 行")
            en.append(f"{len(self.labels)} labels of {each[0]}")
            zh.append(f"{len(self.labels)} 个标签，每个 {each[1]}")
        if self.languages:
            counted = ", ".join(f"{name} {count}" for name, count in self.languages.items())
            en.append(counted)
            zh.append(counted)
        if self.characters:
            en.append(
                f"half of the texts up to {self.characters.p50:,} characters, 95% up to {self.characters.p95:,}"
            )
            zh.append(f"半数文本不超过 {self.characters.p50:,} 字符，95% 不超过 {self.characters.p95:,}")
        return Bilingual("; ".join(en) + ".", "；".join(zh) + "。")

    def _notes(self) -> Iterator[Bilingual]:
        for reason, rows in self.left_out.items():
            said = _REASONS[reason]
            numbers = _numbers(rows)
            yield Bilingual(
                f"left out {rows.count} {said.en} (row {numbers})",
                f"{rows.count} 行{said.zh}，未使用（第 {numbers} 行）",
            )
        if self.duplicates:
            yield Bilingual(
                f"{self.duplicates} repeated rows are kept once", f"{self.duplicates} 行重复，只保留一次"
            )
        if self.repeated_ids and self.repeated_ids.count:
            count, numbers = self.repeated_ids.count, _numbers(self.repeated_ids)
            yield Bilingual(
                f"{count} rows have an id that an earlier one has (row {numbers}), so rows are known by their numbers",
                f"{count} 行的 id 与前面的行重复（第 {numbers} 行），因此改用行号",
            )
        if self.personal_data:
            en, zh = self.personal_data
            done, done_zh = ("replaced", "已替换") if self.is_redacted else ("kept as it is", "原样保留")
            yield Bilingual(f"personal data {done}: {en}", f"个人信息{done_zh}：{zh}")
        yield from self._label_notes()
        if self.encodings:
            names = _joined(self.encodings)
            yield Bilingual(f"read as {names}", f"按 {names} 编码读取")
        if self.ignored_files:
            names = _joined(self.ignored_files)
            yield Bilingual(f"not read: {names}", f"未读取：{names}")

    def _label_notes(self) -> Iterator[Bilingual]:
        if self.contradictions:
            rows = _joined(["+".join(map(str, numbers)) for numbers in self.contradictions[:_SHOWN]])
            yield Bilingual(
                f"{self.texts_with_several_labels} texts have different labels (rows {rows})",
                f"{self.texts_with_several_labels} 条文本有不同的标签（第 {rows} 行）",
            )
        for count, once in ((1, "once"), (0, "never")):
            names = [name for name, rows in self.labels.items() if rows == count]
            shown = _joined([*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])])
            if names:
                yield Bilingual(
                    f"labels that occur {once}: {shown}",
                    f"只出现一次的标签：{shown}" if count else f"从未出现的标签：{shown}",
                )


def _numbers(rows: Rows) -> str:
    """The first few."""
    return _joined([*map(str, rows.first[:_SHOWN]), *(["…"] if rows.count > _SHOWN else [])])


def _joined(names: str | Sequence[str]) -> str:
    return names if isinstance(names, str) else ", ".join(names)
