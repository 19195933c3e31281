"""What can be wrong with what a job is given, as one tree below index.errors. That of data sets: dataset_errors.

BadInput
├── UnknownQuantization                                    a way of loading that we do not have
├── UnknownMetric                                          a metric that the task does not have
├── QueueFull                                              a person has enough jobs waiting
├── UnusableServer, NotForHosted, NotForOthers             a hosted model that cannot be asked like that
├── WrongJudge, NothingToCompare                           a judge where none can be, or none where one must be
├── NothingToLearn, TooFewToTune, TooFewToSearch           rows that a fine-tune cannot learn from, or be proved by
└── NoTokenizer, OnlyLabels, StoredOtherwise, Unloadable,  a base that cannot be tuned like that
    LongerThanContext, TunedAlready

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


class NothingLeaves(BadInput):
    """Something would go to a machine outside, and the house forbids it."""

    def __init__(self, what: Bilingual) -> None:
        super().__init__(
            Bilingual(
                en=f"SHORTLIST_EGRESS is none, so nothing leaves this machine: {what.en}. "
                "Use models whose weights are here, or ask whoever runs me.",
                zh=f"SHORTLIST_EGRESS 设为 none，任何内容都不得离开本机：{what.zh}。"
                "请使用本机已有权重的模型，或联系管理员。",
            )
        )


class ModelNotAllowed(BadInput):
    """A model that the lists of the house leave out."""

    def __init__(self, name: str, *, setting: str, pattern: str | None = None) -> None:
        why = f"{setting} has {pattern!r}" if pattern else f"{setting} does not name it"
        why_zh = f"{setting} 中有 {pattern!r}" if pattern else f"{setting} 中没有它"
        super().__init__(
            Bilingual(
                en=f"The model {name!r} may not be used here ({why}). Choose another, or ask whoever runs me.",
                zh=f"这里不允许使用模型 {name!r}（{why_zh}）。请换一个模型，或联系管理员。",
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


class WrongRewriter(BadInput):
    """Rows are reworded by a hosted model, for augmentation that wants it and for nothing else."""

    def __init__(self, model: str | None, *, is_wanted: bool) -> None:
        en, zh = (
            "Paraphrase and back-translation are done by a chat model, and none is configured",
            "改写和回译由聊天模型完成，而目前没有配置",
        )
        if model is not None:
            en, zh = (
                (f"{model!r} cannot reword rows: it is not hosted", f"{model!r} 不能改写数据：它不是托管模型")
                if is_wanted
                else (f"Nothing is to be reworded by {model}", f"没有需要 {model} 改写的数据")
            )
        super().__init__(
            Bilingual(
                en=f"{en}. Set SHORTLIST_CHAT_MODEL, as in `openai:gpt-4.1`, with SHORTLIST_CHAT_BASE_URL for a server "
                "of your own, and use --augmentation paraphrase or back-translation; or `edits`, which asks nobody.",
                zh=f"{zh}。请设置 SHORTLIST_CHAT_MODEL（如 `openai:gpt-4.1`；自己的服务器另设 SHORTLIST_CHAT_BASE_URL），"
                "并使用 --augmentation paraphrase 或 back-translation；或用不调用任何模型的 `edits`。",
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


class TooFewToTune(BadInput):
    """So few rows teach nothing, and prove nothing."""

    def __init__(self, name: str, *, rows: int, least: int) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} has {rows} rows, and a fine-tune needs at least {least}: some to learn from, and some, never "
                "learned from, that show whether it helped. Add rows (a few hundred are usual), or show the model some "
                "of these as examples instead: `shortlist evaluate … --examples 8`.",
                zh=f"{name} 有 {rows} 行，微调至少需要 {least} 行：一部分用于训练，另一部分从不参与训练、用来检验是否有效。"
                "请补充数据（通常需要几百行），或改为给模型看几个示例：`shortlist evaluate … --examples 8`。",
            )
        )


class TooFewToSearch(BadInput):
    """Settings are chosen on rows that are neither learned from nor held out."""

    def __init__(self, *, rows: int, least: int) -> None:
        super().__init__(
            Bilingual(
                en=f"A search needs validation rows, and {rows} rows to learn from are too few to keep some aside "
                f"({least} are needed). Add rows, or leave out the search.",
                zh=f"搜索需要验证行，而可供学习的只有 {rows} 行，不足以留出一部分（至少需要 {least} 行）。"
                "请增加数据，或不做搜索。",
            )
        )


class NoTokenizer(BadInput):
    """The folder of a model lacks what turns text into tokens."""

    def __init__(self, model: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{model} has no tokenizer: I look for tokenizer.json, or the vocabulary of an older one, beside its "
                "weights. Copy it from the model that it was made from, as tokenizer.save_pretrained(...) does.",
                zh=f"{model} 缺少分词器：权重旁应有 tokenizer.json 或旧式词表。"
                "请从它的来源模型复制，例如用 tokenizer.save_pretrained(...)。",
            )
        )


class OnlyLabels(BadInput):
    """An encoder was asked to learn to write."""

    def __init__(self, model: str, task: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{model} is an encoder: it can learn labels, not {task}. "
                "Choose a model that writes, or data with a label column.",
                zh=f"{model} 是编码器，只能学习标签，不能用于 {task}。请选择能生成文本的模型，或带标签列的数据。",
            )
        )


class StoredOtherwise(BadInput):
    """QLoRA quantizes the weights as published, and these are quantized already."""

    def __init__(self, model: str, stored: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{model} is stored as {stored} already, so it cannot be loaded in nf4 for qlora. "
                "Name its unquantized original, or use the method lora.",
                zh=f"{model} 本身已是 {stored} 格式，不能再以 nf4 加载做 qlora。请使用未量化的原始模型，或改用 lora。",
            )
        )


class Unloadable(BadInput):
    """A checkpoint is stored in a format that is not read here."""


class TunedAlready(BadInput):
    """The base is a tuned model itself."""

    def __init__(self, name: str, base: str) -> None:
        super().__init__(
            Bilingual(
                en=f"{name} is an adapter on {base}, and adapters are not stacked. Tune {base} on all your data, or tune it "
                "with `--export merged` and name the merged folder here.",
                zh=f"{name} 是 {base} 上的适配器，适配器不能叠加。请用全部数据微调 {base}，"
                "或先用 `--export merged` 导出合并模型，再在此填写该文件夹。",
            )
        )


class LongerThanContext(BadInput):
    """Rows were allowed to be longer than the model can read."""

    def __init__(self, model: str, *, max_tokens: int, context_tokens: int) -> None:
        super().__init__(
            Bilingual(
                en=f"max_tokens is {max_tokens} and {model} takes at most {context_tokens}. Lower max_tokens, or leave it "
                "out: rows that are longer are then left out and counted.",
                zh=f"max_tokens 为 {max_tokens}，而 {model} 最多支持 {context_tokens}。"
                "请调低或去掉 max_tokens：更长的行会被排除并计数。",
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
