"""Every sentence about asking, the Home tab and defaults in Slack, in English and in Chinese."""

from __future__ import annotations

from typing import Final

from index.bilingual import Bilingual

# An answer, and what it can show on demand
COLUMNS: Final = (
    Bilingual(en="#", zh="名次"),
    Bilingual(en="Model", zh="模型"),
    Bilingual(en="Memory (computed)", zh="显存（计算）"),
    Bilingual(en="Quality, and from what", zh="质量与依据"),
    Bilingual(en="Cost / 1M tokens", zh="成本 / 百万 token"),
    Bilingual(en="Best?", zh="最优概率"),
    Bilingual(en="Sources", zh="来源"),
)
KINDS: Final = {
    "measured": Bilingual(en="measured here", zh="本地实测"),
    "published": Bilingual(en="published", zh="第三方发布"),
    "self-reported": Bilingual(en="vendor-reported", zh="厂商自报"),
    "estimated": Bilingual(en="estimated", zh="估计"),
}
MORE: Final = Bilingual(en="More", zh="更多")
CHART: Final = Bilingual(en="Chart", zh="图表")
CHART_TITLE: Final = Bilingual(en="Cost against expected quality", zh="成本与预期质量")
CHART_NOT_SENT: Final = Bilingual(
    en="Slack did not take the chart ({error}). In a terminal, `shortlist ask --chart file.png` draws it.",
    zh="Slack 没有接收图表（{error}）。在终端里可以用 `shortlist ask --chart file.png` 画出来。",
)
NOTHING_MORE: Final = Bilingual(en="That is all I have on this one.", zh="关于这个回答，没有更多内容了。")
GOOD: Final = Bilingual(en="Good answer", zh="回答得好")
BAD: Final = Bilingual(en="Not good", zh="不太好")
RANKED_AGAIN: Final = Bilingual(en="↻ {name}: {wish}", zh="↻ {name}：{wish}")
FORGOTTEN: Final = Bilingual(
    en="That answer is too old for this button: I no longer have what it rested on. Please ask again; "
    "nothing was changed.",
    zh="这个回答太旧了，按钮已失效：当时的依据已不在。请重新提问；没有做任何改动。",
)
MESSAGE_GONE: Final = Bilingual(
    en="The message of that answer is gone, so I changed nothing. Please ask again.",
    zh="那条回答已经不在了，没有做任何改动。请重新提问。",
)
STOPPED: Final = Bilingual(en="Stopped.", zh="已停止。")
JOB_WAS_STARTED: Final = Bilingual(
    en="You changed the question, and its first wording has started job {jobs} already. It goes on as it is: stop it "
    "on its card and ask again if you want another.",
    zh="你修改了问题，但最初的说法已经启动了任务 {jobs}，它会照原样继续。如果想换一个，请在任务卡上停止它，再重新提问。",
)
TOO_MANY: Final = Bilingual(
    en="That was more than {limit} questions in a minute, so I left this one out. Ask it again in a minute.",
    zh="一分钟内超过了 {limit} 个问题，这一条我没有回答。请一分钟后再问。",
)

# The message shortcut
ASK_TITLE: Final = Bilingual(en="Ask Shortlist", zh="问 Shortlist")
ASK_BUTTON: Final = Bilingual(en="Ask", zh="提问")
CANCEL: Final = Bilingual(en="Cancel", zh="取消")
ASK_LABEL: Final = Bilingual(en="Your question", zh="你的问题")
ASK_HINT: Final = Bilingual(
    en="The answer comes in the thread of the message, or to you directly where I am not in the channel.",
    zh="回答会发在该消息的消息列里；如果我不在那个频道，就私信发给你。",
)

# Feedback
THANKS: Final = Bilingual(en="Thank you, noted.", zh="谢谢，已记录。")
WHY_TITLE: Final = Bilingual(en="What was wrong?", zh="哪里不好？")
WHY_LABEL: Final = Bilingual(en="What would have been a good answer?", zh="怎样的回答才算好？")
WHY_HINT: Final = Bilingual(
    en="Optional. It is kept beside the answer, for whoever runs me.",
    zh="可以不填。会和回答一起保存，供管理员查看。",
)
SEND: Final = Bilingual(en="Send", zh="发送")

# The agent surface
PROMPTS: Final = (
    (
        Bilingual(en="Find a model", zh="选一个模型"),
        Bilingual(
            en="Which open model for Chinese customer-support summaries on one 24 GB GPU? Apache or MIT only.",
            zh="单张 24 GB 显卡，中文客服摘要用哪个开源模型？只要 Apache 或 MIT。",
        ),
    ),
    (
        Bilingual(en="Check the memory", zh="算一算显存"),
        Bilingual(en="How much memory does Qwen3-8B need at nf4?", zh="Qwen3-8B 用 nf4 需要多少显存？"),
    ),
    (
        Bilingual(en="Learn about quantization", zh="了解量化"),
        Bilingual(
            en="What does int8 cost in quality, and what does it save in memory?",
            zh="int8 量化会损失多少质量，能省多少显存？",
        ),
    ),
    (
        Bilingual(en="Test one now", zh="现在就测一个"),
        Bilingual(
            en="Evaluate SmolLM2-135M-Instruct on tickets with int8, 64 rows",
            zh="用 int8 在 tickets 上评测 SmolLM2-135M-Instruct，64 行",
        ),
    ),
)
PROMPTS_TITLE: Final = Bilingual(en="Try one of these", zh="可以这样问")

# Defaults
TEAM_DEFAULTS: Final = Bilingual(en="your team's defaults", zh="团队默认设置")
CHANNEL_DEFAULTS: Final = Bilingual(en="this channel's defaults", zh="本频道默认设置")
DEFAULTS_SHOWN: Final = Bilingual(
    en="*Where a question does not say otherwise, I assume here:* {defaults}",
    zh="*提问里没有说明时，我在这里按此假设：*{defaults}",
)
DEFAULTS_HELP: Final = Bilingual(
    en="Change: `/shortlist defaults two 24 GB GPUs, Apache or MIT only, Chinese, CNY at 7.1` · "
    "clear: `/shortlist defaults clear`. These hold in this channel; your team's are on my Home tab.",
    zh="修改：`/shortlist defaults 两张 24GB 显卡，只要 Apache 或 MIT，中文，CNY 7.1`；"
    "清除：`/shortlist defaults clear`。这些只对本频道生效；团队的默认设置在我的“主页”标签里。",
)
DEFAULTS_CHANGED: Final = Bilingual(
    en="*{name}* changed this channel's defaults. Where a question does not say otherwise, I assume here: {defaults}",
    zh="*{name}* 修改了本频道的默认设置。提问里没有说明时，我在这里按此假设：{defaults}",
)
DEFAULTS_CLEARED: Final = Bilingual(
    en="*{name}* cleared this channel's defaults; now your team's hold: {defaults}",
    zh="*{name}* 清除了本频道的默认设置，现在以团队的为准：{defaults}",
)
DEFAULTS_NOT_READ: Final = Bilingual(
    en="I found no default in “{words}”. Name GPUs, licences, languages, an alpha or a currency, such as: "
    "`/shortlist defaults one 24 GB GPU, Apache or MIT only, Chinese, alpha 3, CNY at 7.1`. Nothing was changed.",
    zh="“{words}”里没有找到默认设置。请写显卡、许可证、语言、alpha 或货币，例如："
    "`/shortlist defaults 单张 24GB 显卡，只要 Apache 或 MIT，中文，alpha 3，CNY 7.1`。没有做任何改动。",
)
DEFAULTS_IN_DM: Final = Bilingual(
    en="Here only your team's defaults hold. They are on my Home tab: open it to see or change them.",
    zh="这里只有团队的默认设置有效。请打开我的“主页”标签查看或修改。",
)
NO_DEFAULTS: Final = Bilingual(en="nothing", zh="无")
IN_CURRENCY: Final = Bilingual(
    en="costs in {code} ({rate} for 1 USD)", zh="费用以 {code} 计（1 美元合 {rate}）"
)
DEFAULTS_TITLE: Final = Bilingual(en="Team defaults", zh="团队默认设置")
SAVE: Final = Bilingual(en="Save", zh="保存")
GPU_COUNT: Final = Bilingual(en="Number of GPUs", zh="显卡数量")
GPU_MEMORY: Final = Bilingual(en="Memory of one GPU, GiB", zh="单张显卡的显存（GiB）")
GPU_NAME: Final = Bilingual(en="Name of the GPU", zh="显卡型号")
GPU_NAME_HINT: Final = Bilingual(
    en="Such as RTX 4090. With a name that I know, the memory may stay empty.",
    zh="例如 RTX 4090。如果是我认识的型号，显存可以不填。",
)
GPU_UNKNOWN: Final = Bilingual(
    en="I do not know the memory of {value!r}: give it in the field above.",
    zh="不知道 {value!r} 的显存，请在上面填写。",
)
LICENCES: Final = Bilingual(en="Licences that will do", zh="可接受的许可证")
COMMERCIAL: Final = Bilingual(en="Any that permits commercial use", zh="任何允许商用的许可证")
LANGUAGES: Final = Bilingual(en="Languages of your texts", zh="文本语言")
LANGUAGE_NAMES: Final = {
    "en": Bilingual(en="English", zh="英文"),
    "zh": Bilingual(en="Chinese", zh="中文"),
    "ja": Bilingual(en="Japanese", zh="日文"),
    "ko": Bilingual(en="Korean", zh="韩文"),
    "de": Bilingual(en="German", zh="德文"),
    "fr": Bilingual(en="French", zh="法文"),
    "es": Bilingual(en="Spanish", zh="西班牙文"),
    "pt": Bilingual(en="Portuguese", zh="葡萄牙文"),
    "it": Bilingual(en="Italian", zh="意大利文"),
    "ru": Bilingual(en="Russian", zh="俄文"),
    "ar": Bilingual(en="Arabic", zh="阿拉伯文"),
    "hi": Bilingual(en="Hindi", zh="印地文"),
}
ALPHA: Final = Bilingual(
    en="Alpha: USD per million tokens for a full unit of quality",
    zh="alpha：一个完整单位的质量值多少美元 / 百万 token",
)
ALPHA_HINT: Final = Bilingual(
    en="How much quality is worth to you: 1 looks at cost first, 3 is balanced, 10 puts quality first.",
    zh="质量对你们值多少：1 偏成本，3 均衡，10 质量优先。",
)
CURRENCY: Final = Bilingual(en="Currency, three letters", zh="货币（三个字母）")
RATE: Final = Bilingual(en="What one US dollar is worth in it", zh="1 美元合多少")
RATE_HINT: Final = Bilingual(
    en="I look up no exchange rates: the figure that you give is used and shown.",
    zh="我不查询汇率：按你填的数字换算并注明。",
)
NOT_A_NUMBER: Final = Bilingual(en="{value!r} is no number above 0.", zh="{value!r} 不是大于 0 的数字。")
NOT_A_CURRENCY: Final = Bilingual(
    en="{value!r} is no currency: give three letters, such as CNY or EUR.",
    zh="{value!r} 不是货币代码，请填三个字母，例如 CNY 或 EUR。",
)
BOTH_NEEDED: Final = Bilingual(en="Please fill in both: currency and rate.", zh="货币和汇率请一起填写。")
NOT_YOURS_TO_CHANGE: Final = Bilingual(
    en="Only administrators may change the team's defaults. SHORTLIST_ADMINS names them. Nothing was changed.",
    zh="只有管理员可以修改团队默认设置（由 SHORTLIST_ADMINS 指定）。没有做任何改动。",
)

# The Home tab
TRY_FIRST: Final = Bilingual(en="*Try first*", zh="*可以先试试*")
YOUR_JOBS: Final = Bilingual(en="*Your jobs*", zh="*你的任务*")
YOUR_QUESTIONS: Final = Bilingual(en="*Your recent questions*", zh="*你最近的提问*")
NO_QUESTIONS: Final = Bilingual(en="None yet.", zh="还没有。")
TEAM_ASSUMES: Final = Bilingual(
    en="*Your team's defaults*: what I assume where a question does not say otherwise\n{defaults}",
    zh="*团队默认设置*：提问里没有说明时，我按此假设\n{defaults}",
)
CHANGE: Final = Bilingual(en="Change", zh="修改")
DATA_SETS: Final = Bilingual(
    en="*Data sets* that a job can name: {names}", zh="*数据集*（任务里可以直接写名字）：{names}"
)
MORE_DATA_SETS: Final = Bilingual(en="and {count} more", zh="另有 {count} 个")
CATALOGUE: Final = Bilingual(
    en="Catalogue of {date} ({age} days old): {models} models, {figures} figures.",
    zh="目录日期 {date}（{age} 天前）：{models} 个模型，{figures} 条数据。",
)
CATALOGUE_OLD: Final = Bilingual(
    en="Newer models are missing: whoever runs me can bring it up to date with `shortlist catalogue refresh`.",
    zh="可能缺少较新的模型：管理员可以用 `shortlist catalogue refresh` 更新。",
)
