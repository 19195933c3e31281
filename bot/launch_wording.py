"""What Slack says around the start of a job, in English and in Chinese: forms, estimates, approvals, files."""

from __future__ import annotations

from typing import Final

from index.bilingual import Bilingual

# Which data
DATASET_LABEL: Final = Bilingual(en="Data", zh="数据")
DATASET_HINT: Final = Bilingual(
    en="Each row with its right answer. CSV, TSV, JSON, JSON Lines, Excel or Parquet.",
    zh="每一行都要有正确答案。支持 CSV、TSV、JSON、JSON Lines、Excel、Parquet。",
)
DATASET_PLACEHOLDER: Final = Bilingual(en="Choose a file or a data set", zh="选择文件或数据集")
IN_THREAD: Final = Bilingual(en="Files in this thread", zh="本话题中的文件")
IN_CHANNEL: Final = Bilingual(en="Files in this channel", zh="本频道中的文件")
IN_MESSAGES: Final = Bilingual(en="Files in our messages", zh="我们私信中的文件")
USED_BEFORE: Final = Bilingual(en="Used before", zh="用过的数据")
REGISTERED: Final = Bilingual(en="Data sets of the team", zh="团队的数据集")
SOMETHING_ELSE: Final = Bilingual(en="Something else", zh="其他方式")
NAMED: Final = Bilingual(en="As you wrote it", zh="你写的名称")
PASTE: Final = Bilingual(en="Paste rows…", zh="粘贴数据行……")
UPLOAD: Final = Bilingual(en="Upload a file…", zh="上传文件……")
ROWS_LABEL: Final = Bilingual(en="Rows", zh="数据行")
ROWS_HINT: Final = Bilingual(
    en="CSV with a heading such as text,label, or one JSON object a line. At least 10 rows.",
    zh="带表头的 CSV（如 text,label），或每行一个 JSON 对象。至少 10 行。",
)
UPLOAD_LABEL: Final = Bilingual(en="File", zh="文件")
USED_IN: Final = Bilingual(en="{name} (job {job_id})", zh="{name}（任务 {job_id}）")
SAMPLE: Final = Bilingual(en="{name} (sample that comes along)", zh="{name}（自带示例）")
PASTED_NAME: Final = Bilingual(en="pasted rows", zh="粘贴的数据")
NO_CHANNEL_FILES: Final = Bilingual(
    en="I am not in this channel, so I cannot see its files: `/invite` me, or upload the file here.",
    zh="我不在这个频道里，看不到其中的文件：请用 `/invite` 邀请我，或在这里上传。",
)
CHOOSE_DATA: Final = Bilingual(en="Please choose the data.", zh="请选择数据。")
PASTE_ROWS: Final = Bilingual(en="Please paste the rows here.", zh="请把数据行粘贴在这里。")
UPLOAD_FILE: Final = Bilingual(en="Please upload the file here.", zh="请在这里上传文件。")

# Files of Slack
FILE_TOO_LARGE: Final = Bilingual(
    en="{name} has {mib:,.0f} MiB; I take at most {limit:,.0f} MiB from Slack, so I did not download it. A sample of "
    "some thousand rows is enough, or ask whoever runs me to put the file into my data folder.",
    zh="{name} 有 {mib:,.0f} MiB，我最多从 Slack 读取 {limit:,.0f} MiB，因此没有下载。"
    "抽取几千行就够了，或请管理员把文件放进我的数据目录。",
)
FILE_GONE: Final = Bilingual(
    en="The file {name} was deleted meanwhile. Please upload it again, or choose another one.",
    zh="文件 {name} 已被删除。请重新上传，或选择其他文件。",
)
FILE_CLOSED: Final = Bilingual(
    en="I may not read the file {name}: it is in a conversation that I am not in. `/invite` me there, or upload the "
    "file here.",
    zh="我没有权限读取文件 {name}：它在我未加入的会话中。请用 `/invite` 邀请我，或在这里上传。",
)
FILE_NO_SCOPE: Final = Bilingual(
    en="I may not read files in this workspace: the app lacks the scope files:read. Whoever runs me can reinstall it "
    "from the manifest.",
    zh="我在这个工作区没有读取文件的权限（缺少 files:read）。请管理员按 manifest 重新安装应用。",
)
FILE_NOT_HERE: Final = Bilingual(
    en="{name} is only linked in Slack; it lies elsewhere. Please upload the file itself.",
    zh="{name} 在 Slack 里只是链接，文件在别处。请上传文件本身。",
)
FILE_UNREACHABLE: Final = Bilingual(
    en="Slack did not hand out the file {name} ({why}). Please try again.",
    zh="Slack 没有提供文件 {name}（{why}）。请再试一次。",
)
OLD_EXCEL: Final = Bilingual(
    en="{name} is in the old Excel format (.xls), which I cannot read. Save it as .xlsx or CSV, and upload that.",
    zh="{name} 是旧版 Excel 格式（.xls），我读不了。请另存为 .xlsx 或 CSV 再上传。",
)

# More options
MORE: Final = Bilingual(en="More options", zh="更多选项")
SEE_MORE: Final = Bilingual(en="Under “More options”: {problem}", zh="在“更多选项”中：{problem}")
JUDGE_LABEL: Final = Bilingual(en="Judge, for chats", zh="裁判模型（用于对话）")
JUDGE_HINT: Final = Bilingual(
    en="The hosted model that compares answers, such as openai:gpt-4.1-mini. Only for the task Chat.",
    zh="用来比较回答的托管模型，如 openai:gpt-4.1-mini。仅用于“对话”任务。",
)
NO_JUDGE: Final = Bilingual(
    en="Answers of a chat are compared by a judge: name a hosted model, such as openai:gpt-4.1-mini.",
    zh="对话的回答由裁判模型比较：请填写一个托管模型，如 openai:gpt-4.1-mini。",
)
NOT_A_JUDGE: Final = Bilingual(
    en="A judge is for the task Chat, and it has to be a hosted model. Change the task, or leave this empty.",
    zh="裁判只用于“对话”任务，而且必须是托管模型。请修改任务类型，或留空。",
)
BUDGET_LABEL: Final = Bilingual(en="Spend at most, in dollars", zh="费用上限（美元）")
BUDGET_HINT: Final = Bilingual(
    en="On hosted models and the judge: no new batch of rows is asked that would go above.",
    zh="用于托管模型与裁判：可能超出时不再提问新的一批数据。",
)
MINUTES_LABEL: Final = Bilingual(en="Run at most, in minutes", zh="时间上限（分钟）")
SEED_LABEL: Final = Bilingual(en="Seed", zh="随机种子")
SEED_HINT: Final = Bilingual(en="The same seed chooses the same rows.", zh="相同的种子会选出相同的数据行。")
ANSWER_LABEL: Final = Bilingual(en="Longest answer, in tokens", zh="最长回答（token 数）")
MANNER_LABEL: Final = Bilingual(en="How to run it", zh="运行方式")
MANNER_NAMES: Final = {
    "full": Bilingual(
        en="Ask every candidate every row, also when it cannot win", zh="即使不可能胜出也答完所有行"
    ),
    "fresh": Bilingual(en="Ask anew what was answered in an earlier job", zh="以前任务答过的也重新提问"),
}
VARIANTS_LABEL: Final = Bilingual(en="Variants of LoRA", zh="LoRA 变体")
VARIANT_NAMES: Final = {
    "use_rslora": Bilingual(en="rsLoRA: for high ranks", zh="rsLoRA：适合较高的秩"),
    "use_dora": Bilingual(en="DoRA: size and direction apart; slower", zh="DoRA：幅度与方向分开学习，较慢"),
}
RANK_LABEL: Final = Bilingual(en="Rank of the adapter", zh="适配器的秩")
RATE_LABEL: Final = Bilingual(en="Learning rate", zh="学习率")
RATE_HINT: Final = Bilingual(en="Empty chooses by the size of the model.", zh="留空则按模型大小选择。")
SEARCH_LABEL: Final = Bilingual(en="Settings to try first", zh="先试多少组设置")
SEARCH_HINT: Final = Bilingual(
    en="Learning rate, rank and epochs, judged on validation rows. 0 tries none; each takes about as long as a run.",
    zh="尝试学习率、秩和轮数，用验证行评判。0 表示不试；每组的耗时与一次训练相当。",
)
AUGMENTATION_LABEL: Final = Bilingual(en="Add rows to learn from", zh="扩充训练数据")
AUGMENTATION_NAMES: Final = {
    "edits": Bilingual(en="Copies with typing slips and other case", zh="带笔误和大小写变化的副本"),
    "upsample": Bilingual(en="Rows of rare labels again", zh="重复稀有标签的行"),
}
EXPORT_LABEL: Final = Bilingual(en="What to keep", zh="导出内容")
EXPORT_NAMES: Final = {
    "adapter": Bilingual(en="The adapter", zh="适配器"),
    "merged": Bilingual(en="Also the whole model (safetensors)", zh="外加完整模型（safetensors）"),
    "gguf": Bilingual(en="Also as GGUF, for llama.cpp", zh="外加 GGUF（用于 llama.cpp）"),
}
STOPPING_LABEL: Final = Bilingual(en="Stop after so many looks without a gain", zh="连续多少次没有进步就停")
STOPPING_HINT: Final = Bilingual(
    en="At the validation loss; 0 never stops early. Empty: 3 where rows are seen more than once.",
    zh="看验证损失；0 表示从不提前停。留空：数据多轮训练时为 3。",
)
CHAT_TASK: Final = Bilingual(en="Chat, judged by a model", zh="对话（由模型裁判）")
WIN_RATE: Final = Bilingual(en="Win rate, by the judge", zh="胜率（裁判判定）")
CANDIDATES_HINT: Final = Bilingual(
    en="A name from the catalogue; @int8 or @nf4 fixes how it is loaded. Hosted: openai:gpt-4.1-mini. With the adapter "
    "of fine-tune 12: NAME + job 12.",
    zh="填写目录里的名字，加 @int8 或 @nf4 指定加载方式。托管模型：openai:gpt-4.1-mini。"
    "带微调任务 12 的适配器：名字 + job 12。",
)
NO_ADAPTER: Final = Bilingual(
    en="Job {job_id} left no adapter for {model}: it has to be a fine-tune of that model that has succeeded.",
    zh="任务 {job_id} 没有 {model} 的适配器：它必须是该模型已成功完成的微调。",
)

# Before it starts
CONTINUE: Final = Bilingual(en="Continue", zh="继续")
START: Final = Bilingual(en="Start", zh="开始")
ASK_TO_APPROVE: Final = Bilingual(en="Ask to approve", zh="申请批准")
BACK: Final = Bilingual(en="Back", zh="返回")
CONFIRM_TITLE: Final = Bilingual(en="Before it starts", zh="开始之前")
CHECKING: Final = Bilingual(en="Looking at models and data…", zh="正在检查模型和数据……")
PROBLEM: Final = Bilingual(
    en="*This does not work yet.* Nothing was started; go back and change it.",
    zh="*现在还不行。* 什么都没有开始，请返回修改。",
)
RECOGNISED: Final = Bilingual(en="*What I see in the data*", zh="*数据中看到的内容*")
ESTIMATE: Final = Bilingual(en="*What it takes at most*", zh="*最多需要*")
TIME_MEASURED: Final = Bilingual(
    en="Time: about {duration}, by earlier runs here", zh="时间：约 {duration}（按此前的实测）"
)
TIME_RECKONED: Final = Bilingual(
    en="Time: roughly {duration}, reckoned; the card knows better after the first rows",
    zh="时间：大致 {duration}（推算；最初几行之后卡片会更准）",
)
TIME_UNKNOWN: Final = Bilingual(
    en="Time: not known before the first rows are answered", zh="时间：最初几行作答之后才知道"
)
MEMORY: Final = Bilingual(
    en="Memory: {need:.1f} of {free:.1f} GiB free on {device}",
    zh="显存/内存：{need:.1f} GiB，{device} 空闲 {free:.1f} GiB",
)
MEMORY_UNKNOWN: Final = Bilingual(en="Memory: the size of the model is not known", zh="内存：模型规模未知")
NO_MEMORY: Final = Bilingual(en="Memory: none here, hosted models only", zh="内存：只有托管模型，不占用本机")
COST: Final = Bilingual(en="Cost: about ${usd:.2f}", zh="费用：约 ${usd:.2f}")
COST_PARTS: Final = Bilingual(
    en="Cost: about ${usd:.2f} (${api:.2f} for hosted models, ${device:.2f} of GPU time at the usual rent)",
    zh="费用：约 ${usd:.2f}（托管模型 ${api:.2f}，GPU 时间按常见租价 ${device:.2f}）",
)
COST_NONE: Final = Bilingual(en="Cost: nothing beside the time of this machine", zh="费用：除本机时间外没有")
COST_UNKNOWN: Final = Bilingual(
    en="Cost: a price is not known, so neither is this", zh="费用：有价格未知，无法估算"
)
WILL_NOT_RUN: Final = Bilingual(
    en=":warning: {label} will be left out: {reason}", zh=":warning: {label} 会被跳过：{reason}"
)

# When somebody has to approve
ABOVE_LIMIT: Final = Bilingual(
    en=":lock: That is above what may be started without leave ({limits}). {approvers} will be asked.",
    zh=":lock: 超出了无需批准的范围（{limits}），会请 {approvers} 批准。",
)
GPU_HOURS: Final = Bilingual(en="{hours:g} GPU hours", zh="{hours:g} GPU 小时")
DOLLARS: Final = Bilingual(en="${usd:g}", zh="${usd:g}")
UNKNOWN_AMOUNT: Final = Bilingual(en="an amount that is not known yet", zh="尚不清楚的用量")
NEEDS_APPROVAL: Final = Bilingual(
    en="Starting this needs somebody's leave (it would take about {takes}; free are {limits}). I asked {approvers} to "
    "approve; you will hear here.",
    zh="启动这个任务需要批准（约需 {takes}；无需批准的上限为 {limits}）。我已请 {approvers} 批准，结果会在这里告知。",
)
APPROVAL_ASKED: Final = Bilingual(
    en="{approvers}: *{name}* would like to start *{title}*. It takes about {takes} at most; free are {limits}.",
    zh="{approvers}：*{name}* 想启动 *{title}*。最多约需 {takes}；无需批准的上限为 {limits}。",
)
APPROVE: Final = Bilingual(en="Approve", zh="批准")
DECLINE: Final = Bilingual(en="Decline", zh="拒绝")
APPROVED: Final = Bilingual(
    en=":white_check_mark: {by} approved *{title}* of *{name}*: it is job {job_id}.",
    zh=":white_check_mark: {by} 批准了 *{name}* 的 *{title}*，任务编号 {job_id}。",
)
DECLINED: Final = Bilingual(
    en=":no_entry: {by} declined *{title}* of {person}. Nothing was started.",
    zh=":no_entry: {by} 拒绝了 {person} 的 *{title}*，什么都没有开始。",
)
ALREADY_DECIDED: Final = Bilingual(en="{by} has already {state} this.", zh="{by} 已经{state}了。")
DECIDED_NAMES: Final = {
    "approved": Bilingual(en="approved", zh="批准"),
    "declined": Bilingual(en="declined", zh="拒绝"),
}
NOBODY_TO_ASK: Final = Bilingual(
    en="This would take more than may be started without leave, and nobody is named who could give it. "
    "SHORTLIST_APPROVERS names them. Nothing was started.",
    zh="这个任务超出了无需批准的范围，但没有设置审批人（SHORTLIST_APPROVERS）。什么都没有开始。",
)
NOT_AN_APPROVER: Final = Bilingual(en="Only {approvers} may decide this.", zh="只有 {approvers} 可以决定。")

# The card and the result
REPRODUCE: Final = Bilingual(en="Reproduce", zh="重现")
FINETUNE_THIS: Final = Bilingual(en="Fine-tune it", zh="微调它")
EVALUATE_ON_MORE: Final = Bilingual(en="Evaluate on more rows", zh="用更多数据评测")
EVALUATE_TUNED: Final = Bilingual(en="Evaluate the tuned model", zh="评测微调后的模型")
RECOMMEND_AGAIN: Final = Bilingual(en="Recommend with this", zh="据此重新推荐")
RECOMMEND_QUESTION: Final = {
    "classification": Bilingual(en="Which of {models} for classification?", zh="{models} 哪个更适合分类？"),
    "other": Bilingual(en="Which of {models} should we use?", zh="{models} 我们该用哪个？"),
}
STALE_BUTTON: Final = Bilingual(
    en="This button is of an earlier time and does nothing any more. Ask again, and you get fresh ones.",
    zh="这个按钮是以前留下的，已经失效。请再问一次，会有新的按钮。",
)
DRAFT_GONE: Final = Bilingual(
    en="I do not have this form any more. Please open it again.", zh="这份表单已经不在了，请重新打开。"
)
STOPPED_NATIVELY: Final = Bilingual(en="Stopping job {job_ids}.", zh="正在停止任务 {job_ids}。")
