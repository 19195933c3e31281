# ruff: noqa: E501 - tables of words read better on one line
"""Words that claims are made of: licences, labels of figures, negations, comparisons, and what never may be posted."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import Stemmer
import yaml

from skills.grounding.concepts import unified

MARK = re.compile(r"\[(\d{1,3})\]")
HAN = re.compile(r"[\u3400-\u9fff]")
NEGATION = re.compile(
    r"(?<![\d.,])0(?![\d%]|[.,]\d)|\b(?:not|no|never|cannot|without|none|neither|nor|nothing|hardly|fails?|unable|impossible|unlike)\b|n't\b"
    r"|不(?!同|过|少|断|妨|仅|但|足|大于|超过|少于|低于)|没有?|无法|无需|未|非(?!常)|别|勿|难以",
    re.IGNORECASE | re.ASCII,
)
TO_YOU = re.compile(r"\byou(?:r|rs)?\b|\basked\b|\bwant|你|您|要求", re.IGNORECASE | re.ASCII)
_LICENCES = (
    (r"apache(?:[- ]?licen[cs]e)?,?(?:[- ]?(?:v|version)?\s?(\d(?:\.\d)?))?(?!\w)", "apache"),
    (r"(?:modified|修改版)[- ]?mit\b", "modified-mit"),
    (r"(?-i:\bMIT\b)", "mit"),
    (r"\b(?:a|l)?gpl(?:[- ]?v?(\d(?:\.\d)?))?", "gpl"),
    (r"\bbsd(?:-\d-clause)?", "bsd"),
    (r"\bcc[- ]?by(?:[- ](?:nc|sa|nd))*(?:[- ]\d(?:\.\d)?)?|\bcc0\b", "cc"),
    (r"\bmpl(?:[- ]?2(?:\.0)?)?\b", "mpl"),
    (r"\bproprietary\b|专有(?:许可|协议)?|闭源", "proprietary"),
    (r"\bopenmdw|\bopen ?rail|\brail\b|\bunlicense\b|\bisc licen[cs]e|public domain|公有领域", "other"),
    (r"\b(?:llama|gemma|qwen|falcon|mistral|deepseek|nvidia|lfm|exaone|jamba)[\w .-]{0,14}?(?:licen[cs]e|terms)|(?:llama|gemma|qwen|通义)[\w .-]{0,8}(?:许可证|协议)", "named"),
)  # fmt: skip
_LICENCE = [(re.compile(pattern, re.IGNORECASE | re.ASCII), kind) for pattern, kind in _LICENCES]
LABELS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "loading",
        {
            "nf4": r"\bnf4\b|4[- ]bit|4 ?位|int4|四位",
            "int8": r"\bint8\b|8[- ]bit|(?<!\d)8 ?位",
            "16": r"16[- ]bit|16 ?位|bf16|fp16|half precision|半精度",
            "32": r"fp32|32[- ]bit|32 ?位|full precision|全精度",
        },
    ),
    (
        "figure",
        {
            "memory": r"memory|\bvram\b|[gmt]i?b\b|显存|内存",
            "cost": r"\bcosts?\b|\bpric|\$|\busd\b|dollar|cheap|expensive|美元|成本|价格|便宜|贵",
            "quality": r"expected|quality|质量|预期",
            "chance": r"probab|likel|chance|概率|可能",
            "context": r"context|reads up to|上下文",
            "size": r"parameter|参数|\bsize\b|规模",
            "speed": r"tokens?/s|per second|speed|速度|每秒",
        },
    ),
)
_LABEL = {
    kind: {name: re.compile(words, re.IGNORECASE | re.ASCII) for name, words in of.items()}
    for kind, of in LABELS
}
ANTONYMS: tuple[tuple[str, str], ...] = (
    (r"\b(?:higher|highest)\b|[更最]高|越高|升高", r"\b(?:lower|lowest)\b|[更最]低|越低|降低"),
    (r"\b(?:increases?|raises?|rises?|grows?|doubles?)\b|增加|提高|变大|增大|扩大|翻倍|加倍", r"\b(?:decreases?|reduces?|falls?|shrinks?|halves)\b|减少|降低|变小|减小|减半|缩小"),
    (r"\b(?:more|most)\b|[更最]多|越多", r"\b(?:less|least|fewer|fewest)\b|[更最]少|越少"),
    (r"\b(?:larger|largest|bigger|biggest)\b|[更最]大|越大", r"\b(?:smaller|smallest)\b|[更最]小|越小"),
    (r"\b(?:longer|longest|long)\b|[更最]长|越长", r"\b(?:shorter|shortest|short)\b|[更最]短|越短"),
    (r"\b(?:better|best|improves?)\b|[更最]好|变好", r"\b(?:worse|worst|hurts?|worsens?|degrades?)\b|[更最]差|变差"),
    (r"\b(?:faster|fastest|speeds? up)\b|[更最]快|加快", r"\b(?:slower|slowest|slows?)\b|[更最]慢|变慢"),
    (r"\b(?:hard|harder|hardest|difficult)\b|更难", r"\b(?:easy|easier|easiest)\b|更容易|更易"),
    (r"\b(?:cheaper|cheapest|cheap)\b|便宜", r"\b(?:expensive|dearer|costlier|costly)\b|更贵|昂贵"),
    (r"\b(?:always|all|every)\b|总是|所有|全部|任何", r"\b(?:only|sometimes|at most)\b|仅|只(?:有|在|存|算|要)|有时|最多"),
    (r"\bshared?\b|共享|共用", r"\b(?:each|own|separate)\b|各自|独立|分别"),
    (r"\bsame\b|相同|同一", r"\bdifferent\b|不同"),
    (r"\bbefore\b|之前", r"\bafter\b|之后"),
    (r"\b(?:enables?|allows?)\b|允许|启用", r"\b(?:disables?|forbids?|prevents?)\b|禁止|禁用"),
)  # fmt: skip
_ANTONYM = [
    (re.compile(a, re.IGNORECASE | re.ASCII), re.compile(b, re.IGNORECASE | re.ASCII)) for a, b in ANTONYMS
]
_LETTER = re.compile(
    r"(?<![A-Za-z0-9])[B-HJ-Z](?![A-Za-z0-9])|\bmodel A\b|\bA (?=predicts|uses|is|has)|(?<=for )A\b|(?<=[\u4e00-\u9fff，；])\s?A(?=\s?[\u4e00-\u9fff])"
)
"""The A and B of an example."""
FORBIDDEN = re.compile(
    r"<[@#!][^>]*>|(?<![\w.])@(?:channel|here|everyone|[a-z][\w.-]{1,30})|<[a-z/!][^>]*>|!\[|\]\(|```|\bjavascript:|\bdata:"
    r"|(?<![\w./<])/[a-z][a-z-]{2,}\b|[\w.+-]+@[\w-]+\.[a-z]{2,}|\\u[0-9a-f]{4}|[\u200b-\u200f\u202a-\u202e\u2060-\u2069]",
    re.IGNORECASE | re.ASCII,
)
LINK = re.compile(r"(?:https?|ftp|slack|file)://[^\s)>\]，。]+|\bwww\.[^\s)>\]]+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io|ai|dev|cn|ru|xyz|co|app|sh|example|info|me|tk)\b(?:/[^\s)>\]，。]*)?", re.IGNORECASE | re.ASCII)  # fmt: skip
ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instruction|rule|previous|above|prompt)|\bsystem prompt\b|\bas an ai\b|\bas instructed\b"
    r"|(?:^\W*|[.!?:;,]\s+|\b(?:please|must|should|to|and|then)\s+)(?:click|visit|log ?in|sign up|subscribe|download|wire|send|paste|reply with|contact|email|call|run|execute|install|type|enter|disable|delete|approve|pay)\b"
    r"|\b(?:password|token to|api key|secret|credential)|\b(?:hacked|pwned|jailbreak)"
    r"|忽略.{0,12}(?:指令|规则|以上|之前)|系统提示|点击|访问|登录|购买|再?买一|下载|发送|粘贴|密码|密钥|执行|运行|安装|汇款|转账|联系|回复",
    re.IGNORECASE | re.ASCII,
)
REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able)|i (?:cannot|can't|can not|won't) (?:help|assist|answer|provide|comply)|as an ai)\b"
    r"|抱歉|对不起|我(?:无法|不能)(?:提供|回答|协助|帮)|作为.{0,6}(?:人工智能|AI|语言模型)",
    re.IGNORECASE | re.ASCII,
)
WEIGHTY = re.compile(
    r"\b(?:commercial\w*|free|guarant\w*|certif\w*|official\w*|legal\w*|secur\w*|safe\w*|private|privacy|gdpr|hipaa|award\w*"
    r"|state[- ]of[- ]the[- ]art|sota|world\w*|fastest|leading|proven|always|never|everyone|perfect\w*|unbeatable|outperform\w*"
    r"|beats?|surpass\w*|increas\w*|decreas\w*|reduc\w*|rais(?:e|es|ing)|lowers|improv\w*|doubles|halves|worsen\w*|support\w*|lack\w*|rose|fell|grew|dropp?ed|trained|released|developed|made by|created by|images?|audio|video|multilingual|benchmark\w*|experts?"
    r"|stud(?:y|ies)|research\w*|users?|customers?|popular|recommended by|endors\w*|measured|tested|verified|deprecated|banned"
    r"|unlimited|together|per (?:day|week|month|year)|(?-i:only(?= [A-Z]))|real[- ]time|open[- ]source\w*|offline|backdoor|malware|lawsuit)\b"
    r"|每[天日周月年]|只有(?=\s*[A-Za-z])|支持|缺少|缺乏|越[长短高低大小多少快慢好差]|增大|减小|增加|减少|缩小|扩大|提高|降低|翻倍|减半|商用|商业|免费|保证|认证|官方|合法|安全|隐私|世界|领先|最先进|永远|总是|完美|击败|超越|训练|发布|开发|图像|图片|音频|视频|多语言"
    r"|专家|研究|用户|客户|流行|实测|测试|验证|禁止|无限|所有.{0,3}都|实时|开源|离线|后门|起诉|奖",
    re.IGNORECASE | re.ASCII,
)
_FOLDER = Path(__file__).parent
_WORDS = yaml.safe_load((_FOLDER / "words.yaml").read_text(encoding="utf-8"))


def words_of(kind: str) -> frozenset[str]:
    """The words of one list in words.yaml."""
    return frozenset(_WORDS[kind].split())


_STOP = words_of("stop")
_GLUE = words_of("glue")
GENERIC = words_of("generic")
_WORD = re.compile(r"[a-z][a-z']+", re.IGNORECASE | re.ASCII)
_stemmer = Stemmer.Stemmer("english")
_ZH_GLUE = re.compile(
    r"百分之[零〇一二两三四五六七八九十百点]+|[零〇一二两三四五六七八九十百千万亿]{2,}|[的了在是和与或也都就把被对为以及而但则因此所以如果那么可以需要能够会要有这那它其该您你我们个种些等约大概左右上下中里从到比更最很较仅只还再又并且即便若等于属于来说一]"
    r"|模型|推荐|选择|首选|排名|排在|第[一二三四五]|适合|满足|条件|要求|结果|证据|来源|数据|例如|比如|因为|由于|不过|然而|同样|使用|采用|占用|达到|左右|大约|其中|另外|此外|目前|之后|概率|可能性?|占|得了?|分(?![一-龥])|条|每|单|共|其|另|因|由|以|相同|一样"
)


def licences(text: str) -> frozenset[str]:
    """The licences that a text names, written one way."""
    found, rest = set(), text
    for pattern, kind in _LICENCE:
        for match in pattern.finditer(rest):
            found.add(_licence(kind, match))
        rest = pattern.sub(lambda m: " " * len(m.group()), rest)
    return frozenset(found)


def without_licences(text: str) -> str:
    """The text with the names of licences blanked, so that the 2.0 of Apache 2.0 is no number."""
    for pattern, _ in _LICENCE:
        text = pattern.sub(lambda m: " " * len(m.group()), text)
    return text


def _licence(kind: str, match: re.Match[str]) -> str:
    if kind == "apache":
        version = match[1] or "2"
        return f"apache-{version.removesuffix('.0')}"
    return (
        re.sub(r"[\s_]+", "-", match.group().strip().lower())
        if kind in ("gpl", "cc", "named", "bsd")
        else kind
    )


def gist(text: str) -> frozenset[str]:
    """What a text is about, apart from whether it says so or the opposite."""
    for pair in (*_ANTONYM, (NEGATION, NEGATION)):
        for pattern in pair:
            text = pattern.sub(" ", text)
    return content(text)


def labels(text: str) -> dict[str, frozenset[str]]:
    """How a model is loaded and what kind of figure is meant, as far as the text says."""
    return {kind: frozenset(n for n, p in of.items() if p.search(text)) for kind, of in _LABEL.items()}


def is_said_alike(word: str, text: str) -> bool:
    """The text has a word of the same side of a pair of opposites: shrinks for reduces."""
    return any(side.search(word) and side.search(text) for pair in _ANTONYM for side in pair)


def contradicts(claim: str, known: str) -> bool:
    """The claim says one word of a pair of opposites where the evidence says the other."""
    pairs = [*_ANTONYM, *((b, a) for a, b in _ANTONYM)]
    return any(
        one.search(claim) and other.search(known) and not other.search(claim) and not one.search(known)
        for one, other in pairs
    )


@lru_cache(maxsize=4096)
def content(text: str) -> frozenset[str]:
    """What a text is about: stems of its English words and pairs of its Chinese characters, without glue."""
    text = unified(text)
    words = (w.lower().removesuffix("'s") for w in _WORD.findall(text))
    stems = _stemmer.stemWords([w for w in words if len(w) > 2 and w not in _STOP and w not in _GLUE])
    runs = re.findall(r"[\u3400-\u9fff]+", _ZH_GLUE.sub(" ", text))
    return frozenset(stems) | {run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))}


SPOKEN_OF_FIGURES = content(_WORDS["figures"])
"""Words that figures are spoken of with, as `content` has them."""


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """The stem of an English word; anything else as it is."""
    found: str = _stemmer.stemWord(word)
    return found


def share(words: frozenset[str], of: frozenset[str]) -> float:
    """Share of the words that are among the others."""
    return len(words & of) / len(words) if words else 0.0


def letters_in(text: str) -> frozenset[str]:
    """The A and B of an example that a text speaks of."""
    return frozenset(found.strip()[-1] for found in _LETTER.findall(text))
