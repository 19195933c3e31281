"""What can be wrong with what a job is given, as one tree below index.errors.

BadInput
├── UnknownQuantization                                    a way of loading that we do not have
├── UnknownMetric                                          a metric that the task does not have
├── UnusableServer, NotForHosted, NotForOthers             a hosted model that cannot be asked like that
├── WrongJudge, NothingToCompare                           a judge where none can be, or none where one must be
└── OnlyLabelsAreLearnt                                    a task that fine-tunes do not know yet

BadDataset
├── NoSuchFile, UnknownFileKind, TooLarge, NotUtf8         the file as bytes
├── BrokenJson, NotAList, NotAnObject, BrokenTable         the file as a table
├── NoRows, TooFewRows, NoColumn, EmptyCells,              the table as examples
│   AnswerIsNoChoice
├── OneLabelOnly, TooManyLabels                            the examples as classes
└── NotRegistered                                          the rows are gone from SHORTLIST_HOME
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from index.bilingual import Bilingual
from index.errors import BadDataset, BadInput


class UnknownQuantization(BadInput):
    """A model cannot be loaded this way."""

    def __init__(self, given: str, known: Iterable[str]) -> None:
        names = ", ".join(known)
        super().__init__(
            Bilingual(
                en=f"The quantization {given!r} is unknown. Use one of: {names}.",
                zh=f"未知的量化方式 {given!r}。可用：{names}。",
            )
        )


class UnknownMetric(BadInput):
    """The task of the data set has no metric of this name."""

    def __init__(self, given: str, task: str, known: Iterable[str]) -> None:
        names = ", ".join(known)
        super().__init__(
            Bilingual(
                en=f"{given!r} is no metric of {task}. Use one of: {names}.",
                zh=f"{given!r} 不是 {task} 的指标。可用：{names}。",
            )
        )


class UnusableServer(BadInput):
    """The address behind `@` is none that a hosted model can be asked at."""

    def __init__(self, given: str, *, has_secret: bool = False) -> None:
        en, zh = f"{given!r} is no such address", f"{given!r} 不是可用的地址"
        if has_secret:
            en, zh = f"the address of {given} holds more than that", f"{given} 的地址中还含有其他内容"
        super().__init__(
            Bilingual(
                en=f"A server is named as in `openai:name@http://127.0.0.1:8000/v1`, without user, password or "
                f"query: {en}. Its key is read from the provider's variable, such as OPENAI_API_KEY.",
                zh=f"服务器写作 `openai:name@http://127.0.0.1:8000/v1`，不含用户名、密码或查询参数：{zh}。"
                "密钥从服务商的环境变量读取，如 OPENAI_API_KEY。",
            )
        )


class NotForHosted(BadInput):
    """A hosted model was asked for what only weights on this machine can do."""

    def __init__(self, model: str, what: Bilingual) -> None:
        super().__init__(
            Bilingual(
                en=f"{model!r} is asked at its provider, {what.en}.",
                zh=f"{model!r} 通过服务商的接口调用，{what.zh}。",
            )
        )


class NotForOthers(BadInput):
    """A server was named for a model that cannot be asked there."""

    def __init__(self, model: str, providers: Iterable[str]) -> None:
        names = ", ".join(f"{name}:" for name in providers)
        super().__init__(
            Bilingual(
                en=f"A server cannot be named for {model!r}, only for models that begin with {names}. "
                "Most servers speak OpenAI's protocol: write `openai:NAME@URL`.",
                zh=f"不能为 {model!r} 指定服务器，只有以 {names} 开头的模型可以。"
                "多数服务器兼容 OpenAI 协议：请写 `openai:NAME@URL`。",
            )
        )


class WrongJudge(BadInput):
    """A chat is scored by a judge model, and nothing else is."""

    def __init__(self, task: str, *, judge: str | None = None) -> None:
        en, zh = (
            f"{task} is scored without a judge: leave --judge out",
            f"{task} 不需要裁判模型：请去掉 --judge",
        )
        if judge is not None:
            en, zh = f"{judge!r} cannot judge: it is not hosted", f"{judge!r} 不能做裁判：它不是托管模型"
        elif task == "chat":
            en, zh = "a chat is scored by a judge model: name one", "chat 由裁判模型评分：请指定一个"
        super().__init__(
            Bilingual(
                en=f"{en[0].upper()}{en[1:]}. A judge goes with --task chat, as in `--judge openai:gpt-4.1`, or "
                "`--judge openai:NAME@URL` for a server of your own.",
                zh=f"{zh}。裁判用于 --task chat，例如 `--judge openai:gpt-4.1`；"
                "自己的服务器写作 `--judge openai:NAME@URL`。",
            )
        )


class NothingToCompare(BadInput):
    """One candidate and no references."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Bilingual(
                en=f"A judge compares two answers, and for {name} there is one candidate and no column `reference`. "
                "Name a second candidate, or add good answers.",
                zh=f"裁判需要比较两个回答，而 {name} 只有一个候选，也没有 `reference` 列。请增加候选，或补充参考答案。",
            )
        )


class OnlyLabelsAreLearnt(BadInput):
    """A fine-tune was asked for on rows that are not labelled with classes."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is a set for {task}, and a fine-tune learns classification only so far. "
                "Give rows with a text and one of a few labels.",
                zh=f"{name} 是 {task} 数据集，目前微调只支持分类。请提供带文本和标签的数据。",
            )
        )


class NoSuchFile(BadDataset):
    """Nothing lies at the path."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            Bilingual(
                en=f"There is no file {str(path)!r}. Check the path, or use `tickets`, the built-in sample.",
                zh=f"找不到文件 {str(path)!r}。请检查路径，或使用内置的示例数据集 `tickets`。",
            )
        )


class UnknownFileKind(BadDataset):
    """The file's ending is not one that is read."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        kinds = ", ".join(known)
        super().__init__(
            Bilingual(
                en=f"{name!r} is neither `tickets`, the built-in sample, nor a file of a kind that I read "
                f"({kinds}). Export it as one of these.",
                zh=f"{name!r} 既不是内置示例 `tickets`，也不是我能读取的文件类型（{kinds}）。"
                "请导出为其中一种。",
            )
        )


class TooLarge(BadDataset):
    """More bytes than are read into memory."""

    def __init__(self, name: str, *, size_bytes: int, limit_bytes: int) -> None:
        size, limit = f"{size_bytes / 1024**2:.0f} MiB", f"{limit_bytes / 1024**2:.0f} MiB"
        super().__init__(
            Bilingual(
                en=f"{name} has {size} and the limit is {limit}. "
                "Give a sample of it: a few thousand rows are enough.",
                zh=f"{name} 有 {size}，超过上限 {limit}。请抽取一部分：几千行就足够了。",
            )
        )


class NotUtf8(BadDataset):
    """The bytes are no UTF-8 text."""

    def __init__(self, name: str, *, offset: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is not UTF-8: the byte at offset {offset} does not fit. "
                "Save it as UTF-8 (in Excel: “CSV UTF-8”) and try again.",
                zh=f"{name} 不是 UTF-8 编码：偏移 {offset} 处的字节无法解码。"
                "请另存为 UTF-8（Excel 中选择“CSV UTF-8”）后重试。",
            )
        )


class BrokenJson(BadDataset):
    """A line cannot be parsed."""

    def __init__(self, name: str, *, line: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}, line {line}, is not valid JSON. Mend that line, or export the file again.",
                zh=f"{name} 第 {line} 行不是合法的 JSON。请修正该行，或重新导出文件。",
            )
        )


class NotAList(BadDataset):
    """A .json file holds something else than rows."""

    def __init__(self, name: str) -> None:
        rows = '[{"text": "...", "label": "..."}, ...]'
        super().__init__(
            Bilingual(
                en=f"{name} holds one JSON value, not a list of rows. Make it a list of objects: {rows}.",
                zh=f"{name} 只是一个 JSON 值，不是数据行列表。请改为对象列表：{rows}。",
            )
        )


class NotAnObject(BadDataset):
    """A row has no named columns."""

    def __init__(self, name: str, *, row: int) -> None:
        example = '{"text": "...", "label": "..."}'
        super().__init__(
            Bilingual(
                en=f"{name}, row {row}, is not an object with named columns. Write each row as {example}.",
                zh=f"{name} 第 {row} 行不是带列名的对象。请把每行写成 {example}。",
            )
        )


class BrokenTable(BadDataset):
    """A CSV line has too few or too many cells, or a quote that never ends."""

    def __init__(self, name: str, *, line: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}, line {line}, does not fit its header: text that holds the delimiter or a quote "
                "must stand in double quotes. Mend that line, or export the file again.",
                zh=f"{name} 第 {line} 行与表头不符：含有分隔符或引号的文本必须用双引号括起来。"
                "请修正该行，或重新导出文件。",
            )
        )


class NoRows(BadDataset):
    """The file is empty."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is empty: it has no rows. Give a file with one example per row.",
                zh=f"{name} 是空的，没有任何数据行。请提供每行一个样本的文件。",
            )
        )


class TooFewRows(BadDataset):
    """Nothing can be concluded from so little."""

    def __init__(self, name: str, *, rows: int, least: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} has {rows} rows and at least {least} are needed to say anything. Add more rows.",
                zh=f"{name} 只有 {rows} 行，至少需要 {least} 行才能得出结论。请补充更多数据。",
            )
        )


class NoColumn(BadDataset):
    """No column looks like the text, or like the right answer."""

    def __init__(
        self, name: str, *, role: Literal["text", "label"], present: Sequence[str], named: str | None
    ) -> None:
        found = ", ".join(present) or "—"
        en, zh = {
            "text": ("the text to classify", "待分类的文本"),
            "label": ("the right answer", "正确答案"),
        }[role]
        if named is not None:
            message = Bilingual(
                en=f"{name} has no column {named!r}; it has {found}. Name one of these.",
                zh=f"{name} 没有 {named!r} 列，现有的列是：{found}。请指定其中一列。",
            )
        else:
            message = Bilingual(
                en=f"{name} has the columns {found} and none that looks like {en}. "
                f"Add a column `{role}`, or say which column holds it.",
                zh=f"{name} 的列是：{found}，其中没有看起来像{zh}的列。请添加 `{role}` 列，或说明是哪一列。",
            )
        super().__init__(message)


class EmptyCells(BadDataset):
    """A text or a label is missing in some rows."""

    def __init__(self, name: str, *, column: str, rows: Sequence[int], of: int) -> None:
        numbers = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
        super().__init__(
            Bilingual(
                en=f"{name}: the column {column!r} is empty in {len(rows)} of {of} rows (row {numbers}). "
                "Fill them in or take these rows out.",
                zh=f"{name}：{of} 行中有 {len(rows)} 行的 {column!r} 列为空（第 {numbers} 行）。"
                "请补全，或删除这些行。",
            )
        )


class AnswerIsNoChoice(BadDataset):
    """In some rows of a multiple-choice set the right answer is none of the choices."""

    def __init__(self, name: str, *, column: str, rows: Sequence[int], of: int) -> None:
        numbers = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
        super().__init__(
            Bilingual(
                en=f"{name}: in {len(rows)} of {of} rows (row {numbers}) the column {column!r} names none of the "
                "choices. Give a choice's text, letter or number.",
                zh=f"{name}：{of} 行中有 {len(rows)} 行（第 {numbers} 行）的 {column!r} 列不是任何一个选项。"
                "请填选项的文本、字母或序号。",
            )
        )


class OneLabelOnly(BadDataset):
    """There is nothing to tell apart."""

    def __init__(self, name: str, *, label: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}: every row has the label {label!r}, so there is nothing to tell apart. "
                "Add rows with other labels.",
                zh=f"{name}：所有行的标签都是 {label!r}，没有可区分的内容。请加入其他标签的数据。",
            )
        )


class TooManyLabels(BadDataset):
    """The column looks like free text, not like classes."""

    def __init__(self, name: str, *, column: str, labels: int, rows: int, limit: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}: the column {column!r} has {labels} different values in {rows} rows, which looks "
                f"like free text. Choose a column with at most {limit} labels that repeat.",
                zh=f"{name}：{column!r} 列在 {rows} 行中有 {labels} 种取值，看起来是自由文本。"
                f"请选择取值会重复、且不超过 {limit} 种标签的列。",
            )
        )


class NotRegistered(BadDataset):
    """The rows that a job refers to are not there any more."""

    def __init__(self, sha256: str, folder: Path) -> None:
        super().__init__(
            Bilingual(
                en=f"The data set {sha256[:12]} is not in {folder} any more. Register its file again.",
                zh=f"数据集 {sha256[:12]} 已不在 {folder} 中。请重新登记该文件。",
            )
        )
