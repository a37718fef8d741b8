"""What the page calls things: Chinese for the service manager who reads it, English beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.gates import Verdict


@dataclass(frozen=True, slots=True)
class Word:
    """One thing in Chinese and in English; ``note`` explains it in a Chinese sentence."""

    zh: str
    en: str
    note: str = ""


VERDICTS: Mapping[Verdict, Word] = MappingProxyType(
    {
        Verdict.PASSED: Word("通过", "passed", "所有门槛都达到了，可以发布。"),
        Verdict.FAILED: Word("未通过", "failed", "至少有一道门槛没有达到，不应发布。"),
        Verdict.UNDECIDED: Word("无法判定", "undecided", "没有门槛失败，但现有消息不足以判定，请补充测试消息后重评。"),
        Verdict.SKIPPED: Word("未检查", "skipped", "没有可检查的消息，这道可选的门槛不算。"),
    }
)

METRIC_WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "intent_accuracy": Word("意图准确率", "intent accuracy", "意图判断正确的消息占比，不论引擎是否有把握。"),
        "intent_macro_f1": Word("意图宏平均 F1", "intent macro F1", "每个意图各算一次 F1 再平均，冷门意图与热门意图同样重要。"),
        "faq_top1": Word("首选命中率", "top-1", "有标准答案的消息中，排在第一的条目正确的占比，不论引擎是否采用。"),
        "least_found_intent": Word(
            "最弱意图命中率", "least-found intent", "首选命中率最低的那个意图（不足十条消息的意图合在一起算）；用来发现被忽略的意图。"
        ),
        "least_found_language": Word(
            "最弱语言命中率", "least-found language", "首选命中率最低的那种语言（不足十条消息的语言合在一起算）；用来发现被忽略的语言。"
        ),
        "match_accuracy": Word("匹配准确率", "match accuracy", "引擎有把握并采用的匹配中，正确的占比。"),
        "match_accuracy_lower_bound": Word("匹配准确率下限", "match accuracy, lower bound", "凭现有消息能保证（95% 单侧）的匹配准确率。"),
        "automatic_accuracy": Word("自动回复准确率", "automatic accuracy", "不经人工、直接发给顾客的回复中，正确的占比。"),
        "automatic_accuracy_lower_bound": Word(
            "自动回复准确率下限", "automatic accuracy, lower bound", "凭现有消息能保证（95% 单侧）的自动回复准确率。"
        ),
        "coverage": Word("覆盖率", "coverage", "有标准答案的消息中，引擎采用了某个匹配的占比，其余问清楚或转人工。"),
        "automatic_coverage": Word("自动回复覆盖率", "automatic coverage", "有标准答案的消息中，不经人工就答复的占比，不论对错。"),
        "coverage_at_95": Word("95% 准确时的覆盖率", "coverage at 95%", "事后选最好的阈值、保证 95% 正确时的覆盖率；只用来比较模型。"),
        "wrong_automatic_answers": Word("自动答错率", "wrong answers", "自动发出且答错的回复占全部消息的比例，越低越好。"),
        "most_misled_language": Word("自动答错最多的语言", "most-misled language", "自动答错率最高的那种语言，越低越好。"),
        "out_of_scope_refusal": Word("无关消息拒答率", "out-of-scope refusal", "与店铺无关的消息中，没有被自动回答的占比。"),
        "sentiment_accuracy": Word("情绪准确率", "sentiment accuracy", "顾客情绪判断正确的消息占比。"),
        "sentiment_macro_f1": Word("情绪宏平均 F1", "sentiment macro F1", "四种情绪各算一次 F1 再平均。"),
        "displeased_recall": Word("不满识别率", "displeased recall", "不满或愤怒的消息中，被认出来的占比。"),
        "intent_ece": Word("意图校准误差", "intent calibration error", "意图置信度与实际正确率平均相差多少，越低越好。"),
        "match_ece": Word("匹配校准误差", "match calibration error", "匹配置信度与实际正确率平均相差多少，越低越好。"),
        "sentiment_ece": Word("情绪校准误差", "sentiment calibration error", "情绪置信度与实际正确率平均相差多少，越低越好。"),
    }
)

EXTRA_WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "labels_lacking": Word("知识缺失的标注", "labels lacking", "测试消息中，标注的意图或条目在被评测的知识里找不到的占比，必须为零。"),
        "wrong_accepted": Word("采用后答错率", "wrong accepted", "引擎采用的匹配中答错的占比，即错误预算承诺要守住的上限，越低越好。"),
        "served_budget_exceeded": Word(
            "超出所承诺的预算",
            "served budget exceeded",
            "答错率的下限（95% 单侧）超出所承诺错误预算的部分；大于零说明承诺已被打破，必须为零。",
        ),
        "intents_never_matched": Word(
            "从未匹配的意图", "intents never matched", "有标准答案、却没有一条消息被采用匹配的意图占比，越低越好。"
        ),
        "invariance": Word("改写后不答错", "invariance", "改写过的消息中，没有因此被答错的占比。"),
        "invariance_kept": Word("改写后仍答对", "invariance kept", "改写过的消息中，仍像原来一样采用正确条目的占比。"),
        "least_kept": Word(
            "最怕的改写仍答对", "least kept", "各类改写中（长故事除外）仍答对的占比最低的那一类；用来发现一类改写就让引擎沉默。"
        ),
        "story_kept": Word("长故事后仍答对", "story kept", "前面加了一段长故事的消息中，仍像原来一样采用正确条目的占比。"),
        "invariance_all": Word("改写后不答错（全部）", "invariance, all", "首选正确的消息（不论是否采用）改写后，没有被答错的占比。"),
        "best_kept": Word("改写后首选仍正确", "best entry kept", "首选正确的消息（不论是否采用）改写后，首选仍然正确的占比。"),
        "directional": Word("按改动应变", "directional", "成对消息中，第一条被听懂、第二条又得到改动所要求的处理的占比。"),
        "directional_heard": Word("听懂后按改动应变", "directional, heard", "第一条被听懂的成对消息中，第二条得到改动所要求的处理的占比。"),
        "minimum_function": Word("最低要求", "minimum function", "单条检查消息中，得到应有处理的占比。"),
        "written_wrong": Word("检查消息做错", "written wrong", "手写的检查消息中，引擎做了不该做的事的占比；沉默不算。"),
        "conversations_passed": Word("全部符合预期的对话", "conversations passed"),
        "turns_passed": Word("符合预期的轮次", "turns passed"),
        "handoffs_right": Word("转人工时机与原因正确", "hand-offs right"),
        "contaminated_rows": Word("泄漏的测试消息", "contaminated rows", "测试消息中，训练或校准时已经见过的占比，应为零。"),
        "p99_share": Word("长尾速度占比", "p99 share", "同样的消息，裸编码器第 99 百分位耗时占引擎耗时的比例，越高越好。"),
        "throughput_share": Word("吞吐占比", "throughput share", "引擎每 CPU 秒处理的消息数，占裸编码器的比例，越高越好。"),
    }
)
"""The measures of the further examinations."""

TILES = (
    "match_accuracy",
    "coverage",
    "wrong_automatic_answers",
    "faq_top1",
    "intent_accuracy",
    "displeased_recall",
    "out_of_scope_refusal",
)
"""The headline figures, the weightiest first."""

BOUNDS: Mapping[str, str] = MappingProxyType({"match_accuracy": "match_accuracy_lower_bound"})
"""The one-sided bound that stands with a figure."""

LOWER_IS_BETTER = frozenset({"wrong_automatic_answers", "most_misled_language", "intent_ece", "match_ece", "sentiment_ece"})

SUITES: Mapping[str, Word] = MappingProxyType(
    {
        "test": Word("中文测试集", "test", "人工标注、不参与训练的中文消息。"),
        "multilingual": Word("外语测试集", "multilingual", "外语顾客的消息。"),
    }
)

DIAGRAMS: Mapping[str, Word] = MappingProxyType(
    {
        "risk-coverage.svg": Word(
            "风险—覆盖曲线",
            "risk over coverage",
            "从左到右放宽阈值：采用匹配的消息越来越多，答错的比例也越来越高。橙红色圆点是当前阈值所在的位置；曲线越低越好。",
        ),
        "reliability.svg": Word(
            "可靠性图",
            "reliability",
            "每个点是一组置信度相近的消息。点在对角线上，说明置信度可信；在线下方，说明引擎过于自信；竖条是 95% 区间。",
        ),
    }
)
"""The diagrams in the order they are shown; others come after them."""

SLICES: Mapping[str, Word] = MappingProxyType(
    {
        "style": Word("按说法", "by style"),
        "language": Word("按语言", "by language"),
        "length": Word("按长度", "by length"),
        "sentiment": Word("按情绪", "by sentiment"),
        "category": Word("按类别", "by category"),
    }
)

VALUES: Mapping[str, str] = MappingProxyType(
    {
        "unmarked": "未标注",
        "plain": "平常说法",
        "fragment": "短句",
        "indirect": "委婉说法",
        "story": "讲经过",
        "negated": "否定说法",
        "noisy": "杂乱",
        "dialect": "方言",
        "typo": "错别字",
        "multi": "一句多问",
        "voice": "语音转写",
        "traditional": "繁体",
        "positive": "满意",
        "neutral": "平静",
        "negative": "不满",
        "angry": "愤怒",
        "1-10 characters": "1–10 字",
        "11-20 characters": "11–20 字",
        "21-40 characters": "21–40 字",
        "41-80 characters": "41–80 字",
        "81 characters and more": "81 字以上",
        "ar": "阿拉伯语",
        "de": "德语",
        "en": "英语",
        "es": "西班牙语",
        "fr": "法语",
        "id": "印尼语",
        "ja": "日语",
        "ko": "韩语",
        "mix": "中外夹杂",
        "pt": "葡萄牙语",
        "ru": "俄语",
        "th": "泰语",
        "vi": "越南语",
        "unknown": "其他",
    }
)
"""Chinese for the values that slices have."""

EXTRAS: Mapping[str, Word] = MappingProxyType(
    {
        "labels": Word("知识完整性", "labels"),
        "promise": Word("承诺核验", "promise"),
        "robustness": Word("稳健性", "robustness"),
        "conversations": Word("多轮对话", "conversations"),
        "contamination": Word("数据泄漏检查", "contamination"),
        "speed": Word("速度", "speed"),
    }
)

GOOD_TO_KNOW = "“95% 区间”用威尔逊法计算，条形上的横线也是它；n 是计入该指标的消息数。两个数字的区间大半重叠时，不能说谁高谁低。"


def metric_word(name: str) -> Word:
    """What ``name`` is called; the name itself, with blanks, where it has no other."""
    return METRIC_WORDS.get(name) or EXTRA_WORDS.get(name, Word(name.replace("_", " "), ""))


def suite_word(name: str) -> Word:
    """What the suite ``name`` is called; a further file keeps its name."""
    return SUITES.get(name, Word(name, ""))


def extra_word(name: str) -> Word:
    """What the examination ``name`` is called."""
    return EXTRAS.get(name, Word(name.replace("_", " "), ""))
