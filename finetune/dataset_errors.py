"""What can be wrong with a data set, as one tree below index.errors.

BadDataset
├── NoSuchFile, CannotBeRead, UnknownFileKind, TooLarge,   the file as bytes
│   BrokenFile, NotUtf8, MixedEncodings, NullBytes
├── BrokenJson, NotAList, NotAnObject, BrokenTable,        the file as a table
│   SameColumnTwice, TooManyRows, TooManyColumns
├── NoDataInFolder, OtherColumns                           the files of a folder as one table
├── NoRows, TooFewRows, NoColumn, MixedShapes,             the table as examples
│   EmptyCells, AnswerIsNoChoice, TooLongCells,
│   NoConversation, OtherLabels
├── HoldsPersonalData                                      what the house refuses to keep
├── OneLabelOnly, TooManyLabels                            the examples as classes
├── HarnessMissing, UnknownBenchmark, NotConvertible       a benchmark of lm-evaluation-harness
└── NotRegistered                                          the rows are gone from SHORTLIST_HOME

Unavailable
└── BenchmarkOutOfReach                                    its data cannot be had from here
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from index.bilingual import Bilingual
from index.errors import BadDataset, Unavailable

_NAMED_ROWS, _NAMED_COLUMNS = 5, 12
_SHOWN_CHARACTERS = 40


class NoSuchFile(BadDataset):
    """Nothing lies at the path."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            Bilingual(
                en=f"There is no file {str(path)!r}. Check the path, or use `tickets`, the built-in sample.",
                zh=f"找不到文件 {str(path)!r}。请检查路径，或使用内置的示例数据集 `tickets`。",
            )
        )


class CannotBeRead(BadDataset):
    """The system does not give the file away."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{str(path)!r} cannot be read ({why}). Check who may read it.",
                zh=f"无法读取 {str(path)!r}（{why}）。请检查读取权限。",
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
    """More bytes than are read into memory; `size_bytes` is None when reading stopped at the limit."""

    def __init__(self, name: str, *, size_bytes: int | None, limit_bytes: int) -> None:
        limit = f"{limit_bytes / 1024**2:.0f} MiB"
        size = "more when it is unpacked" if size_bytes is None else f"{size_bytes / 1024**2:.0f} MiB"
        size_zh = "解压后更大" if size_bytes is None else f"有 {size}"
        super().__init__(
            Bilingual(
                en=f"{name} has {size}, and the limit is {limit}. "
                "Give a sample of it: a few thousand rows are enough.",
                zh=f"{name} {size_zh}，超过上限 {limit}。请抽取一部分：几千行就足够了。",
            )
        )


class BrokenFile(BadDataset):
    """The file is not of the kind that its ending says, or only half of it is there."""

    def __init__(self, name: str, *, kind: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} cannot be read as {kind}: it is damaged, cut off, or something else. Export it again.",
                zh=f"{name} 无法按 {kind} 读取：文件已损坏、不完整，或并非该类型。请重新导出。",
            )
        )


class NotUtf8(BadDataset):
    """The bytes are no UTF-8 text, and what they are is not certain."""

    def __init__(self, name: str, *, offset: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is not UTF-8: the byte at offset {offset} does not fit, and its encoding is not certain. "
                "Save it as UTF-8 (in Excel: “CSV UTF-8”) and try again.",
                zh=f"{name} 不是 UTF-8 编码：偏移 {offset} 处的字节无法解码，也无法确定是哪种编码。"
                "请另存为 UTF-8（Excel 中选择“CSV UTF-8”）后重试。",
            )
        )


class MixedEncodings(BadDataset):
    """Parts of the file are UTF-8 and others are not, so no way of reading it is right."""

    def __init__(self, name: str, *, utf8_lines: Sequence[int], other_lines: Sequence[int]) -> None:
        lines = _numbers(other_lines)
        super().__init__(
            Bilingual(
                en=f"{name} mixes encodings: line {_numbers(utf8_lines)} is UTF-8, and line {lines} is not. "
                "Save all of it as UTF-8, or export the file again."
                if utf8_lines
                else f"{name} mixes encodings within a line (line {lines}). Mend it, or export the file again as UTF-8.",
                zh=f"{name} 混用了多种编码：第 {lines} 行不是 UTF-8，而其他部分是。请统一存为 UTF-8，或重新导出文件。",
            )
        )


class NullBytes(BadDataset):
    """A text file does not hold zeros."""

    def __init__(self, name: str, *, line: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}, line {line}, holds a null byte, so it is no text. Export the file again.",
                zh=f"{name} 第 {line} 行含有空字节，不是文本。请重新导出文件。",
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


class SameColumnTwice(BadDataset):
    """Two columns of one name: one of them would be lost."""

    def __init__(self, name: str, *, column: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} has two columns {column!r}. Rename or remove one of them.",
                zh=f"{name} 有两列都叫 {column!r}。请重命名或删除其中一列。",
            )
        )


class TooManyRows(BadDataset):
    """More rows than anybody evaluates on."""

    def __init__(self, name: str, *, limit: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} has more than {limit:,} rows. Give a sample of it: a few thousand rows are enough.",
                zh=f"{name} 超过 {limit:,} 行。请抽取一部分：几千行就足够了。",
            )
        )


class TooManyColumns(BadDataset):
    """More columns than any table of examples has."""

    def __init__(self, name: str, *, limit: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} has more than {limit:,} columns. Keep those of the text and of the answer.",
                zh=f"{name} 超过 {limit:,} 列。请只保留文本列和答案列。",
            )
        )


class HoldsPersonalData(BadDataset):
    """Personal data was found, and the house refuses such data sets."""

    def __init__(self, name: str, found: Bilingual) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} holds personal data ({found.en}), and SHORTLIST_PERSONAL_DATA is not keep. "
                "Take it out, or give the file again where it is redact.",
                zh=f"{name} 含有个人信息：{found.zh}；而 SHORTLIST_PERSONAL_DATA 不是 keep。"
                "请先删除这些信息，或在该设置为 redact 时重新提交文件。",
            )
        )


class NoDataInFolder(BadDataset):
    """A folder without a file that is read."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        kinds = ", ".join(known)
        super().__init__(
            Bilingual(
                en=f"The folder {name!r} has neither data files ({kinds}) nor a sub-folder of text files for each label. "
                "Put them there, or name one file.",
                zh=f"文件夹 {name!r} 中既没有数据文件（{kinds}），也没有按标签分的文本子文件夹。"
                "请放入数据，或指定单个文件。",
            )
        )


class OtherColumns(BadDataset):
    """The files of a folder are not one table."""

    def __init__(
        self, name: str, *, file: str, columns: Sequence[str], first: str, of_first: Sequence[str]
    ) -> None:
        super().__init__(
            Bilingual(
                en=f"The files of the folder {name!r} have different columns: {first} has {', '.join(of_first)}, "
                f"and {file} has {', '.join(columns)}. Keep only files of the same columns there, or name one file.",
                zh=f"文件夹 {name!r} 中各文件的列不同：{first} 的列是 {', '.join(of_first)}，"
                f"{file} 的列是 {', '.join(columns)}。请只保留列相同的文件，或指定单个文件。",
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
                en=f"{name} has {rows} row{'' if rows == 1 else 's'} and at least {least} are needed to say anything. "
                "Add more rows.",
                zh=f"{name} 只有 {rows} 行，至少需要 {least} 行才能得出结论。请补充更多数据。",
            )
        )


class NoColumn(BadDataset):
    """No column looks like the text, or like the right answer."""

    def __init__(
        self, name: str, *, role: Literal["text", "label"], present: Sequence[str], named: str | None
    ) -> None:
        found = ", ".join(shortened(column) for column in present[:_NAMED_COLUMNS]) or "—"
        en, zh = {
            "text": ("the text", "文本"),
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
                f"Name it `{role}` in the first row, or say which column it is: --{role}-column.",
                zh=f"{name} 的列是：{found}，其中没有看起来像{zh}的列。"
                f"请在首行将其命名为 `{role}`，或用 --{role}-column 指明是哪一列。",
            )
        super().__init__(message)


class EmptyCells(BadDataset):
    """A text or a label is missing in some rows."""

    def __init__(self, name: str, *, column: str, rows: Sequence[int], of: int) -> None:
        numbers = _numbers(rows)
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
        numbers = _numbers(rows)
        super().__init__(
            Bilingual(
                en=f"{name}: in {len(rows)} of {of} rows (row {numbers}) the column {column!r} names none of the "
                "choices. Give a choice's text, letter or number.",
                zh=f"{name}：{of} 行中有 {len(rows)} 行（第 {numbers} 行）的 {column!r} 列不是任何一个选项。"
                "请填选项的文本、字母或序号。",
            )
        )


class MixedShapes(BadDataset):
    """Some rows are conversations, and others are something else."""

    def __init__(self, name: str, *, shape: str, rows: Sequence[int], of: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} mixes formats: most rows are {shape}, but {len(rows)} of {of} (row {_numbers(rows)}) are not. "
                "Give each format a file of its own.",
                zh=f"{name} 混用了多种格式：多数行是 {shape}，但 {of} 行中有 {len(rows)} 行（第 {_numbers(rows)} 行）不是。"
                "请按格式分成不同的文件。",
            )
        )


class NoConversation(BadDataset):
    """In most rows the conversation has no answer to learn from or to compare with."""

    def __init__(self, name: str, *, rows: Sequence[int], of: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}: {len(rows)} of {of} conversations (row {_numbers(rows)}) have no question followed by an "
                "answer of the assistant, in text. Each turn needs a role (user, assistant, system) and its text.",
                zh=f"{name}：{of} 段对话中有 {len(rows)} 段（第 {_numbers(rows)} 行）没有“提问＋助手回答”的文本。"
                "每一轮都需要角色（user、assistant、system）和文本。",
            )
        )


class TooLongCells(BadDataset):
    """Texts of a size that no model reads."""

    def __init__(self, name: str, *, rows: Sequence[int], of: int, limit: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}: {len(rows)} of {of} rows (row {_numbers(rows)}) are longer than {limit:,} characters. "
                "Cut them into parts.",
                zh=f"{name}：{of} 行中有 {len(rows)} 行（第 {_numbers(rows)} 行）超过 {limit:,} 个字符。请拆分。",
            )
        )


class OtherLabels(BadDataset):
    """Most rows have a label that is none of those that were named."""

    def __init__(self, name: str, *, rows: Sequence[int], of: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name}: {len(rows)} of {of} rows (row {_numbers(rows)}) have a label that is none of those named. "
                "Name all labels as they stand in the data.",
                zh=f"{name}：{of} 行中有 {len(rows)} 行（第 {_numbers(rows)} 行）的标签不在指定的标签之中。"
                "请按数据中的写法列出所有标签。",
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


class HarnessMissing(BadDataset):
    """Benchmarks by name come from a package that is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                en="Benchmarks by name come from lm-evaluation-harness, which is not installed: "
                "`pip install 'shortlist-bot[harness]'`, or `pip install lm-eval`.",
                zh="按名称使用的基准来自 lm-evaluation-harness，当前未安装：请运行 "
                "`pip install 'shortlist-bot[harness]'` 或 `pip install lm-eval`。",
            )
        )


class UnknownBenchmark(BadDataset):
    """The harness has no task of this name."""

    def __init__(self, name: str, near: Sequence[str]) -> None:
        instead = f" Did you mean {', '.join(near)}?" if near else " `lm_eval ls tasks` lists them."
        instead_zh = f"是否想用 {'、'.join(near)}？" if near else "可用 `lm_eval ls tasks` 查看。"
        super().__init__(
            Bilingual(
                en=f"lm-evaluation-harness has no benchmark {name!r}.{instead}",
                zh=f"lm-evaluation-harness 没有名为 {name!r} 的基准。{instead_zh}",
            )
        )


class NotConvertible(BadDataset):
    """What the task asks cannot be asked here, or its definition is broken."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            Bilingual(
                en=f"The benchmark {name!r} cannot be turned into rows: {why}. Choose another one, "
                "or run it with lm_eval and compare the logs by `shortlist compare`.",
                zh=f"基准 {name!r} 无法转换为数据行：{why}。请换一个，或用 lm_eval 运行后以 `shortlist compare` 比较日志。",
            )
        )


class BenchmarkOutOfReach(Unavailable):
    """The data of a benchmark lies on a hub that cannot be reached."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Bilingual(
                en=f"The data of {name!r} cannot be had from here: the model hub does not answer and its cache lacks it. "
                "Fill the cache on a machine with network (HF_HOME), or give a folder with the task's YAML and its "
                "JSONL as --benchmark-path.",
                zh=f"无法获取 {name!r} 的数据：模型站点没有响应，本地缓存中也没有。请在联网的机器上先下载到缓存（HF_HOME），"
                "或用 --benchmark-path 指定含任务 YAML 和 JSONL 的文件夹。",
            )
        )


def shortened(name: str) -> str:
    """A name as it is; the beginning of what is a text by mistake, such as the first row of a table without names."""
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"


def _numbers(rows: Sequence[int]) -> str:
    """The first few, for a sentence."""
    return ", ".join(map(str, rows[:_NAMED_ROWS])) + (", …" if len(rows) > _NAMED_ROWS else "")
