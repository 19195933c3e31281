"""Every sentence that the Slack surface says by itself, in English and in Chinese.

Skills word their own answers; errors carry their own sentences. Names in braces are filled in by `say`.
"""

from __future__ import annotations

from typing import Final

from index.bilingual import Bilingual, Language


def say(sentence: Bilingual, language: Language, **values: object) -> str:
    """The sentence in the reader's language, with its blanks filled."""
    return sentence.to(language).format(**values)


def filled(sentence: Bilingual, **values: object) -> Bilingual:
    """Both languages of the sentence, with their blanks filled."""
    return Bilingual(en=sentence.en.format(**values), zh=sentence.zh.format(**values))


# The conversation
THINKING: Final = Bilingual(en="is looking into it…", zh="正在查……")
SOURCES: Final = Bilingual(en="Sources", zh="来源")
ASKED: Final = Bilingual(en="*{name}* asked: {question}", zh="*{name}* 问：{question}")
ASK_SOMETHING: Final = Bilingual(
    en="Ask me something: `/shortlist which open model for support tickets on one 24 GB GPU?`",
    zh="问我点什么吧，例如：`/shortlist 单张 24 GB 显卡，哪个开源模型适合做客服工单？`",
)
APOLOGY: Final = Bilingual(
    en="Something went wrong on my side; your question is fine. Please ask again, and if it happens again "
    "give the reference {reference} to whoever runs me.",
    zh="我这边出了问题，和你的提问无关。请再问一次；如果还是这样，请把编号 {reference} 交给管理员。",
)
NOT_IN_CHANNEL: Final = Bilingual(
    en="I am not in this channel, so I cannot answer here. Please `/invite` me, or write to me directly.",
    zh="我不在这个频道里，没法在这里回答。请用 `/invite` 邀请我，或者直接给我发私信。",
)
TRIGGER_EXPIRED: Final = Bilingual(
    en="Slack closed the door before I could open the form. Please try once more.",
    zh="Slack 没有给我足够的时间打开表单，请再试一次。",
)

# Settings and reach
TOKEN_REFUSED: Final = Bilingual(
    en="Slack refuses the token in {variable} ({error}). Copy it again from your Slack app's page, or "
    "reinstall the app to the workspace.",
    zh="Slack 拒绝了 {variable} 里的令牌（{error}）。请从 Slack 应用页面重新复制，或把应用重新安装到工作区。",
)
SLACK_UNREACHABLE: Final = Bilingual(
    en="Slack does not answer at {url} ({error}). Check the network and SLACK_API_URL, then start again.",
    zh="{url} 上的 Slack 没有响应（{error}）。请检查网络和 SLACK_API_URL，然后重新启动。",
)
BAD_TOKEN_KEY: Final = Bilingual(
    en="SHORTLIST_TOKEN_KEY is no key. Make one with `python -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'`, and keep it: without it the stored tokens cannot be read.",
    zh="SHORTLIST_TOKEN_KEY 不是有效的密钥。可用 `python -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'` 生成，并妥善保存：没有它就无法读取已存的令牌。",
)
NOT_SHARED: Final = Bilingual(
    en="Shortlist was not installed: it serves another workspace already, and workspaces would share its documents, "
    "measurements, tuned models, roles and quotas. Whoever runs the bot can allow that with "
    "SHORTLIST_SHARED_WORKSPACES=1, or run one bot per workspace.",
    zh="未安装 Shortlist：它已在为另一个工作区服务，而各工作区会共用它的文档、测量结果、微调模型、角色和配额。"
    "运行机器人的人可以设置 SHORTLIST_SHARED_WORKSPACES=1 来允许，或为每个工作区各运行一个机器人。",
)
PORT_TAKEN: Final = Bilingual(
    en="Port {port} cannot be used ({error}). Choose another with --port.",
    zh="端口 {port} 无法使用（{error}）。请用 --port 换一个端口。",
)

# Who may do what
NOT_A_RUNNER: Final = Bilingual(
    en="Starting a job needs the *runner* role, and you do not have it. Ask {people} to start it. "
    "Nothing was started.",
    zh="启动任务需要 *runner* 角色，你还没有。可以请 {people} 来启动。目前什么都没有开始。",
)
NEEDS_ROLE: Final = Bilingual(
    en="{what} needs the *{role}* role, and you do not have it here. {who} Nothing was started or changed.",
    zh="{what}需要 *{role}* 角色，你还没有。{who}目前什么都没有开始，也没有改动。",
)
ASK_THEM: Final = Bilingual(en="Ask {people} to help.", zh="可以请 {people} 帮忙。")
NO_RUNNERS_YET: Final = Bilingual(
    en="Nobody has it yet: whoever runs me sets `SHORTLIST_RUNNERS={person}` (or `*` for everybody), or types "
    "`shortlist access grant {person} runner`, which holds at once.",
    zh="目前没有人有该角色：请运行我的人设置 `SHORTLIST_RUNNERS={person}`（`*` 表示所有人），"
    "或输入 `shortlist access grant {person} runner`，立即生效。",
)
NOBODY_HAS_ROLE: Final = Bilingual(
    en="Nobody has it yet: whoever runs me sets `SHORTLIST_ADMINS={person}`, or types "
    "`shortlist access grant {person} {role}`, which holds at once.",
    zh="目前没有人有该角色：请运行我的人设置 `SHORTLIST_ADMINS={person}`，"
    "或输入 `shortlist access grant {person} {role}`，立即生效。",
)
RAISE_QUOTA: Final = Bilingual(
    en="Whoever runs me can raise it: `shortlist access quota {person} --gpu-minutes N --usd N`.",
    zh="运行我的人可以调高：`shortlist access quota {person} --gpu-minutes N --usd N`。",
)
OVER_QUOTA: Final = Bilingual(
    en="This would go beyond this month's quota for {whose}: {used} of {limit} are used or reserved, and this "
    "needs about {need}. {who} {end}",
    zh="这会超出{whose}本月的配额：{limit} 中已用或预留 {used}，本次约需 {need}。{who}{end}",
)
QUOTA_USED_UP: Final = Bilingual(
    en="This month's quota for {whose} is used up, or reserved by jobs that have not ended ({used} of {limit}). "
    "{who} {end}",
    zh="{whose}本月的配额已用完，或被未结束的任务预留（{used} / {limit}）。{who}{end}",
)
NOTHING_STARTED: Final = Bilingual(en="Nothing was started.", zh="目前什么都没有开始。")
ROUND_NOT_STARTED: Final = Bilingual(en="The next round was not started.", zh="下一轮没有开始。")
NEEDS_APPROVAL: Final = Bilingual(
    en="This is expected to take {need}, and above {limit} an *approver* has to start it. {who} Nothing was started.",
    zh="预计需要 {need}，超过 {limit} 须由 *approver* 启动。{who}目前什么都没有开始。",
)
COST_UNKNOWN: Final = Bilingual(
    en="I cannot tell yet what this will take, and above {limit} an *approver* has to start it. Give it a limit "
    "(--max-hours, and --max-usd for hosted models) that stays below. {who} Nothing was started.",
    zh="暂时无法估计所需的资源，超过 {limit} 须由 *approver* 启动。请给出更低的上限"
    "（--max-hours，托管模型用 --max-usd）。{who}目前什么都没有开始。",
)
ROLES_ARE: Final = Bilingual(
    en="{roles}\n`/shortlist roles grant U0ANA runner`, `/shortlist roles revoke U0ANA` and "
    "`/shortlist roles quota U0ANA 600 minutes 50 usd` change them.",
    zh="{roles}\n用 `/shortlist roles grant U0ANA runner`、`/shortlist roles revoke U0ANA`、"
    "`/shortlist roles quota U0ANA 600 minutes 50 usd` 修改。",
)
ROLE_GIVEN: Final = Bilingual(en="{subject} is *{role}* from now on.", zh="{subject} 现在是 *{role}*。")
ROLE_TAKEN: Final = Bilingual(en="{subject} has no granted role any more.", zh="{subject} 不再有授予的角色。")
QUOTA_SET: Final = Bilingual(en="The quota of {subject} is changed.", zh="{subject} 的配额已修改。")
BAD_QUOTA: Final = Bilingual(
    en="{given!r} is no quota. Say `600 minutes`, `50 usd`, both, `none` for no limit, or `reset`.",
    zh="{given!r} 不是配额。请写 `600 minutes`、`50 usd`，或两者都写；`none` 表示不限，`reset` 恢复默认。",
)
FORGET_WHAT: Final = Bilingual(
    en="I hold {turns} turns of yours and {jobs} jobs. `/shortlist forget me now` stops your jobs and deletes all of "
    "it: words, rows, reports, adapters. Figures that were measured stay, under nobody's name. It cannot be undone.",
    zh="我保存了你的 {turns} 轮对话和 {jobs} 个任务。`/shortlist 忘记我 确认` 会停止你的任务并删除这些内容："
    "文字、数据行、报告、适配器。测得的数值会保留，但不再署名。此操作无法撤销。",
)
FORGOTTEN: Final = Bilingual(
    en="Done: {turns} turns and what {jobs} jobs held are deleted. What stands in Slack itself is yours to delete.",
    zh="已完成：删除了 {turns} 轮对话和 {jobs} 个任务的数据。Slack 里的消息请自行删除。",
)
FORGOTTEN_BUT: Final = Bilingual(
    en="{turns} turns and what {jobs} jobs held are deleted; {running} jobs are still being stopped. Please say "
    "`/shortlist forget me now` again in a minute.",
    zh="已删除 {turns} 轮对话和 {jobs} 个任务的数据；还有 {running} 个任务正在停止，请一分钟后再输入 "
    "`/shortlist 忘记我 确认`。",
)
YOURSELF: Final = Bilingual(en="yourself", zh="你")
ALL_TOGETHER: Final = Bilingual(en="everybody together", zh="所有人合计")
NOT_YOUR_JOB: Final = Bilingual(
    en="Job {job_id} belongs to {owner}: only they, an approver or an administrator may stop it. It goes on.",
    zh="任务 {job_id} 是 {owner} 启动的，只有本人、approver 或 administrator 能停止。任务继续运行。",
)

# Forms
EVALUATE_TITLE: Final = Bilingual(en="Evaluate models", zh="评测模型")
FINETUNE_TITLE: Final = Bilingual(en="Fine-tune a model", zh="微调模型")
START: Final = Bilingual(en="Start", zh="开始")
CLOSE: Final = Bilingual(en="Close", zh="关闭")
CANDIDATES_LABEL: Final = Bilingual(en="Models, one per line", zh="模型，每行一个")
CANDIDATES_HINT: Final = Bilingual(
    en="A name from the catalogue. Add @int8 or @nf4 to fix how one model is loaded.",
    zh="填写目录里的名字。在后面加 @int8 或 @nf4 可以指定这个模型的加载方式。",
)
QUANTIZATIONS_LABEL: Final = Bilingual(en="Load each model as", zh="每个模型的加载方式")
QUANTIZATION_NAMES: Final = {
    "none": Bilingual(en="16-bit, as published", zh="16 位（原样）"),
    "int8": Bilingual(en="8-bit (int8)", zh="8 位（int8）"),
    "nf4": Bilingual(en="4-bit (nf4)", zh="4 位（nf4）"),
}
DATASET_LABEL: Final = Bilingual(en="Data set", zh="数据集")
DATASET_HINT: Final = Bilingual(
    en="The name of a registered data set, with the right answer in each row.",
    zh="已登记的数据集名称，每一行都要有正确答案。",
)
LIMIT_LABEL: Final = Bilingual(en="Use at most this many rows", zh="最多使用多少行")
LIMIT_HINT: Final = Bilingual(en="Empty uses all rows.", zh="留空表示使用全部。")
AS_FOUND: Final = "as-found"
TASK_LABEL: Final = Bilingual(en="What the rows ask for", zh="任务类型")
TASK_NAMES: Final = {
    AS_FOUND: Bilingual(en="As the columns say", zh="根据列自动识别"),
    "classification": Bilingual(en="Classification", zh="分类"),
    "multiple-choice": Bilingual(en="Multiple choice", zh="选择题"),
    "question-answering": Bilingual(en="Question answering", zh="问答"),
    "generation": Bilingual(en="Text like the references (summaries, translation)", zh="生成（摘要、翻译）"),
    "extraction": Bilingual(en="Extraction to JSON", zh="抽取为 JSON"),
    "language-modelling": Bilingual(en="Language modelling", zh="语言建模"),
}
METRIC_LABEL: Final = Bilingual(en="Metric that decides", zh="决定胜负的指标")
METRIC_NAMES: Final = {
    AS_FOUND: Bilingual(en="The usual one of the task", zh="任务的常用指标"),
    "accuracy": Bilingual(en="Accuracy", zh="准确率"),
    "balanced_accuracy": Bilingual(en="Balanced accuracy", zh="均衡准确率"),
    "f1_macro": Bilingual(en="Macro F1", zh="宏平均 F1"),
    "f1_micro": Bilingual(en="Micro F1", zh="微平均 F1"),
    "precision_macro": Bilingual(en="Precision (macro)", zh="精确率（宏平均）"),
    "recall_macro": Bilingual(en="Recall (macro)", zh="召回率（宏平均）"),
    "exact_match": Bilingual(en="Exact match", zh="完全匹配"),
    "token_f1": Bilingual(en="Token F1", zh="词元 F1"),
    "chrf": Bilingual(en="chrF", zh="chrF 得分"),
    "bleu": Bilingual(en="BLEU", zh="BLEU 得分"),
    "rouge1": Bilingual(en="ROUGE-1", zh="ROUGE-1 得分"),
    "rouge2": Bilingual(en="ROUGE-2", zh="ROUGE-2 得分"),
    "rougeL": Bilingual(en="ROUGE-L", zh="ROUGE-L 得分"),
    "field_f1": Bilingual(en="Field F1", zh="字段 F1"),
    "json_validity": Bilingual(en="Valid JSON", zh="JSON 有效率"),
    "bits_per_byte": Bilingual(en="Bits per byte", zh="每字节比特数"),
    "perplexity": Bilingual(en="Perplexity", zh="困惑度"),
}
FULL_LABEL: Final = Bilingual(en="When a candidate cannot win any more", zh="当某个候选已不可能胜出时")
FULL_OPTION: Final = Bilingual(en="Ask it every row all the same", zh="仍然让它答完所有行")
EXAMPLES_LABEL: Final = Bilingual(en="Examples shown first", zh="先展示的示例数")
EXAMPLES_HINT: Final = Bilingual(
    en="So many rows are shown with their answers, and not scored. 0 to 32.",
    zh="展示若干行及其答案，这些行不计分。0 至 32。",
)
INSTRUCTION_LABEL: Final = Bilingual(en="Instruction", zh="指令")
INSTRUCTION_HINT: Final = Bilingual(
    en="What the models are told first. Empty takes the task's own sentence.",
    zh="先告诉模型的话。留空则使用该任务自带的指令。",
)
BASE_MODEL_LABEL: Final = Bilingual(
    en="Base model, or several, one per line", zh="基础模型；可填多个，每行一个"
)
BASE_MODEL_HINT: Final = Bilingual(
    en="With several, small runs on your rows find out which will be best once tuned, before one is tuned in full.",
    zh="填写多个时，先用小规模训练找出微调后最好的一个，再全量微调。",
)
RACE_BUDGET_LABEL: Final = Bilingual(
    en="Several bases: device time at most, in hours",
    zh="多个基础模型：设备时间上限（小时）",
)
RACE_BUDGET_HINT: Final = Bilingual(
    en="Of all small runs together. Empty: no limit; it stops when it is clear whom to tune.",
    zh="所有小规模训练合计。留空则不限，一旦明确该微调哪个就停止。",
)
NO_SEARCH_IN_RACE: Final = Bilingual(
    en="Several bases race with the same settings, so none are searched. Leave this at 0, or name one base.",
    zh="多个基础模型竞速时使用相同设置，不做搜索。请保持 0，或只填写一个基础模型。",
)
RACE_OF: Final = Bilingual(
    en="Which is best once tuned on {dataset}: {names}?", zh="在 {dataset} 上微调后哪个最好：{names}？"
)
RACE_ROUNDS: Final = Bilingual(
    en="Each learns from {sizes} rows in turn. Whoever cannot win any more drops out, and it stops as soon as it is clear "
    "whom to tune in full; that takes another button.",
    zh="依次在 {sizes} 行上训练。无望胜出的会退出；一旦明确该全量微调哪一个就停止，全量微调需再按按钮。",
)
RACE_AT_MOST: Final = Bilingual(
    en="*What it takes at most*, with every base in every round",
    zh="*最多需要* （每个基础模型都跑完每一轮时）",
)
RACE_BUDGET: Final = Bilingual(
    en="Your limit: {duration} of device time for all runs together",
    zh="你的上限：所有训练合计设备时间 {duration}",
)
RACE_ABOVE_LIMIT: Final = Bilingual(
    en="Together these runs are above what may be started without leave. Give them less device time (under “More options”), "
    "or have {approvers} start the race.",
    zh="这些训练合计超出了无需批准的范围。请在“更多选项”中减少设备时间，或请 {approvers} 来启动。",
)
METHOD_LABEL: Final = Bilingual(en="Method", zh="方法")
METHOD_NAMES: Final = {
    "lora": Bilingual(en="LoRA, base in 16-bit", zh="LoRA（基础模型 16 位）"),
    "qlora": Bilingual(en="QLoRA, base in 4-bit: less memory", zh="QLoRA（基础模型 4 位，更省显存）"),
}
EPOCHS_LABEL: Final = Bilingual(en="Passes over the data (epochs)", zh="训练轮数（epochs）")
FIELD_EMPTY: Final = Bilingual(en="Please fill this in.", zh="请填写这一项。")
TOO_MANY_CANDIDATES: Final = Bilingual(
    en="That is {count} models and loadings; one evaluation takes at most {limit}. Please drop some.",
    zh="一共有 {count} 个模型与加载方式的组合，一次评测最多 {limit} 个，请去掉一些。",
)
OUT_OF_RANGE: Final = Bilingual(
    en="{value} is not possible here: give {low} to {high}.", zh="这里不能填 {value}，请填 {low} 至 {high}。"
)
BAD_NUMBER: Final = Bilingual(en="{value!r} is not possible here.", zh="这里不能填 {value!r}。")

# Jobs
EVALUATION: Final = Bilingual(en="Evaluation", zh="评测")
TUNING: Final = Bilingual(en="Fine-tune", zh="微调")
ROWS: Final = Bilingual(en="{dataset} ({rows} rows)", zh="{dataset}（{rows} 行）")
CANDIDATE_COUNT: Final = Bilingual(en="{count} candidates", zh="{count} 个候选")
ONE_CANDIDATE: Final = Bilingual(en="1 candidate", zh="1 个候选")
STARTED_BY: Final = Bilingual(en="started by {name}", zh="由 {name} 启动")
TOOK: Final = Bilingual(en="took {duration}", zh="用时 {duration}")
SECONDS: Final = Bilingual(en="{count} s", zh="{count} 秒")
MINUTES: Final = Bilingual(en="{count} min", zh="{count} 分钟")
HOURS: Final = Bilingual(en="{count} h", zh="{count} 小时")
CANDIDATE_SCORE: Final = Bilingual(
    en="{label} — {metric} {value} ({items} items)", zh="{label}：{metric} {value}（{items} 条）"
)
CANDIDATE_DROPPED: Final = Bilingual(
    en="{label} — dropped after {items} items: cannot be the best any more",
    zh="{label}：评测 {items} 条后淘汰，已不可能是最好的",
)
CANDIDATE_FAILED: Final = Bilingual(en="{label} — could not be measured", zh="{label}：无法测量")
MORE_CANDIDATES: Final = Bilingual(en="and {count} more", zh="还有 {count} 个")
LOSS_SO_FAR: Final = Bilingual(en="step {step} · training loss {train}", zh="第 {step} 步 · 训练损失 {train}")
SPENT_SO_FAR: Final = Bilingual(
    en="Hosted models have cost ${spent} so far", zh="托管模型目前已花费 ${spent}"
)
SPENT_OF: Final = Bilingual(
    en="Hosted models have cost ${spent} so far, of at most ${most}",
    zh="托管模型目前已花费 ${spent}，上限 ${most}",
)
LOSS_HELD_OUT: Final = Bilingual(en="held-out loss {loss}", zh="留出集损失 {loss}")
STOP: Final = Bilingual(en="Stop", zh="停止")
STOP_TITLE: Final = Bilingual(en="Stop job {job_id}?", zh="停止任务 {job_id}？")
STOP_TEXT: Final = Bilingual(
    en="It ends without a result. It can be started again.", zh="停止后不会有结果，可以重新启动。"
)
KEEP_GOING: Final = Bilingual(en="Let it run", zh="继续运行")
STOPPING: Final = Bilingual(en="Stopping job {job_id}.", zh="正在停止任务 {job_id}。")
LOGS: Final = Bilingual(en="Logs", zh="日志")
NO_LOGS: Final = Bilingual(en="Nothing has been logged yet.", zh="还没有日志。")
RETRY: Final = Bilingual(en="Try again", zh="重试")
NO_JOBS: Final = Bilingual(
    en="No jobs yet. `/evaluate` and `/finetune` start one.",
    zh="还没有任务。用 `/evaluate` 或 `/finetune` 启动一个。",
)
RECENT_JOBS: Final = Bilingual(en="Jobs, newest first", zh="任务（新的在前）")

# Results
FOR_PERSON: Final = Bilingual(en="For {person} · {title}", zh="{person} · {title}")
FINETUNE_WINNER: Final = Bilingual(en="Fine-tune the winner", zh="微调胜出者")
FILE_TITLES: Final = {
    "report.png": Bilingual(en="Chart of job {job_id}", zh="任务 {job_id} 的图表"),
    "report.html": Bilingual(en="Report of job {job_id}", zh="任务 {job_id} 的报告"),
    "answers.csv": Bilingual(en="Answers of job {job_id}, row by row", zh="任务 {job_id} 的逐行回答"),
    "candidates.csv": Bilingual(en="Candidates of job {job_id}", zh="任务 {job_id} 的候选指标"),
}
NOT_UPLOADED: Final = Bilingual(
    en="The report of job {job_id} could not be uploaded ({why}). It is kept where I run: "
    "`shortlist jobs show {job_id}` names the file.",
    zh="任务 {job_id} 的报告上传失败（{why}）。报告保存在运行我的机器上：`shortlist jobs show {job_id}` 会给出文件路径。",
)
UPLOAD_UNSURE: Final = Bilingual(
    en="I was stopped while uploading the report of job {job_id}. If it is not above: "
    "`shortlist jobs show {job_id}` names the file where I run.",
    zh="上传任务 {job_id} 的报告时我被中断了。如果上面没有，可在运行我的机器上用 `shortlist jobs show {job_id}` 找到文件。",
)
FILES_GONE: Final = Bilingual(
    en="Not all files of job {job_id} are where they were written, so they could not be uploaded.",
    zh="任务 {job_id} 的部分文件已不在原处，未能上传。",
)

# Home
HOME_HELLO: Final = Bilingual(
    en="*Shortlist helps your team choose its language model, and proves the choice.*\n"
    "Mention me in a channel, or write to me here:",
    zh="*Shortlist 帮团队挑选语言模型，并用实测证明。*\n可以在频道里 @我，也可以直接发私信：",
)
HOME_EXAMPLES: Final = (
    Bilingual(
        en="Which open model for Chinese customer-support summaries on one 24 GB GPU? Apache or MIT only.",
        zh="单张 24 GB 显卡，中文客服摘要用哪个开源模型？只要 Apache 或 MIT。",
    ),
    Bilingual(en="What does int8 cost in quality?", zh="int8 量化会损失多少质量？"),
    Bilingual(en="How much memory does Qwen3-8B need at nf4?", zh="Qwen3-8B 用 nf4 需要多少显存？"),
)
HOME_JOBS: Final = Bilingual(en="*Your jobs*", zh="*你的任务*")

# The terminal that runs the bot
CONNECTED: Final = Bilingual(
    en="Shortlist is in the workspace {team} as @{bot}, {how}. Ctrl-C stops it.",
    zh="Shortlist 已以 @{bot} 的身份接入工作区 {team}（{how}）。按 Ctrl-C 停止。",
)
SERVING_MANY: Final = Bilingual(
    en="Shortlist serves every workspace that installs it at /slack/install, {how}. Ctrl-C stops it.",
    zh="Shortlist 为所有通过 /slack/install 安装它的工作区服务（{how}）。按 Ctrl-C 停止。",
)
BY_SOCKET: Final = Bilingual(en="connected by Socket Mode", zh="Socket Mode 连接")
BY_HTTP: Final = Bilingual(
    en="listening on port {port} at /slack/events", zh="监听端口 {port}，路径 /slack/events"
)

# Offers in the terminal
SAY_YES: Final = Bilingual(
    en="“{label}”: say yes, and I do it. Anything else leaves it.",
    zh="“{label}”：回复“好”我就执行；说别的则不执行。",
)
YES: Final = frozenset(
    {"yes", "y", "yes please", "yep", "yeah", "sure", "ok", "okay", "do it", "go ahead", "please do"}
    | {"是", "好", "好的", "可以", "行", "确认", "嗯", "执行", "要", "对"}
)
