"""What can be wrong with what a job is given, as one tree below index.errors. That of data sets: dataset_errors.

BadInput
├── UnknownQuantization                                    a way of loading that we do not have
├── UnknownMetric                                          a metric that the task does not have
├── QueueFull                                              a person has enough jobs waiting
├── UnusableServer, NotForHosted, NotForOthers             a hosted model that cannot be asked like that
├── WrongJudge, NothingToCompare                           a judge where none can be, or none where one must be
└── NothingToLearn                                         rows to tune on that have no right answer

JobFailed
└── UnreadableJob                                          a row of the store that no job can be made of
"""

from __future__ import annotations

from collections.abc import Iterable

from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed


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


class QueueFull(BadInput):
    """The person has as many jobs waiting as one may have."""

    def __init__(self, owner: str, most: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{owner} has {most} jobs waiting already, the most that one person may have. "
                "Wait until one begins, or stop one: `shortlist jobs cancel ID`.",
                zh=f"{owner} 已有 {most} 个任务在排队，达到每人上限。请等其中一个开始，或取消一个："
                "`shortlist jobs cancel ID`。",
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


class NothingToLearn(BadInput):
    """A fine-tune was asked for on rows that do not say what is right."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is taken for {task}, where no answer is the right one, and a fine-tune learns answers. "
                "Give rows with a text and its label or answer, or name another task.",
                zh=f"{name} 被当作 {task} 数据，没有标准答案，而微调学习的是答案。"
                "请提供带标签或答案的数据，或指定其他任务。",
            )
        )


class UnreadableJob(JobFailed):
    """A row of the store that no job can be made of: somebody edited it, or a newer version wrote it."""

    def __init__(self, job_id: str, why: str) -> None:
        self.job_id = job_id
        self.why = why
        super().__init__(
            Bilingual(
                en=f"Job {job_id} cannot be read from the store ({why}). Somebody edited it, or a newer "
                "version wrote it. Start it again with the same words.",
                zh=f"无法从数据库读取任务 {job_id}（{why}）。可能被手工改动，或由更新的版本写入。"
                "请用同样的要求重新提交。",
            )
        )
