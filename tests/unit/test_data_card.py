"""The data card tells the truth about the files it describes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from yingda.domain.knowledge import OUT_OF_SCOPE, Knowledge, Pack, Utterance
from yingda.pack import read_pack

DATA = Path(__file__).parents[2] / "data"
RETAIL = DATA / "packs" / "retail"


def counts_in_card() -> dict[str, int]:
    table = (DATA / "README.md").read_text(encoding="utf-8").split("## Counts")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \|$", table, flags=re.MULTILINE)
    return {what: int(count.replace(",", "")) for what, count in rows}


def wordings(knowledge: Knowledge, language: str) -> int:
    entries = knowledge.faq.values()
    return sum((language in entry.question) + len(entry.similar.get(language, ())) for entry in entries)


def knowledge_counts(knowledge: Knowledge) -> dict[str, int]:
    return {
        "categories": len(knowledge.taxonomy.categories),
        "intents": len(knowledge.taxonomy.intents),
        "FAQ entries": len(knowledge.faq),
        "FAQ entries that need a person": sum(entry.needs_human for entry in knowledge.faq.values()),
        "wordings of questions, Chinese": wordings(knowledge, "zh"),
        "wordings of questions, English": wordings(knowledge, "en"),
        "policy values": len(knowledge.policy.values),
        "keywords": len(knowledge.keywords),
        "keywords with synonyms": sum(1 + len(keyword.synonyms) for keyword in knowledge.keywords),
    }


def training_counts(rows: Iterable[Utterance]) -> dict[str, int]:
    messages = list(rows)
    sentiments = Counter(row.sentiment for row in messages)
    entries = Counter(row.faq for row in messages if row.faq is not None)
    return {
        "training messages": len(messages),
        "training messages out of scope": sum(row.intent == OUT_OF_SCOPE for row in messages),
        "training messages in scope without an entry": sum(row.faq is None and row.intent != OUT_OF_SCOPE for row in messages),
        "training messages with further right entries": sum(bool(row.also) for row in messages),
        "training messages in another language": sum(row.language is not None for row in messages),
        **{f"training messages {sentiment}": count for sentiment, count in sentiments.items()},
        "fewest training messages of an entry": min(entries.values()),
        "most training messages of an entry": max(entries.values()),
    }


def counts_in_files(pack: Pack) -> dict[str, int]:
    scenarios = (RETAIL / "conversations" / "public.jsonl").read_text(encoding="utf-8").splitlines()
    exams = {f"messages in {name.removesuffix('.jsonl')}": len(rows) for name, rows in pack.evaluation.items()}
    return {
        **knowledge_counts(pack.knowledge),
        "training files": len(pack.training),
        **training_counts(row for rows in pack.training.values() for row in rows),
        **exams,
        "conversations": len(scenarios),
        "turns of conversations": sum(len(json.loads(scenario)["turns"]) for scenario in scenarios),
    }


def test_every_count_in_the_card_is_the_count_of_the_files() -> None:
    assert counts_in_card() == counts_in_files(read_pack(RETAIL))


def test_every_style_in_the_exams_is_named_in_the_card() -> None:
    card = (DATA / "README.md").read_text(encoding="utf-8")
    rows = [row for file in read_pack(RETAIL).evaluation.values() for row in file]
    assert all(style in card for style in {row.style for row in rows if row.style})


def test_both_readmes_say_how_large_the_pack_is() -> None:
    counts = counts_in_card()
    english, chinese = (re.sub(r"\s+", " ", (DATA.parent / name).read_text(encoding="utf-8")) for name in ("README.md", "README.zh.md"))
    messages = counts["training messages"]
    assert f"{counts['intents']} intents, {counts['FAQ entries']} FAQ entries" in english
    assert f"about {round(messages, -3):,} labelled messages" in english
    assert f"{counts['intents']} 个意图、{counts['FAQ entries']} 条中英双语 FAQ，以及约 {round(messages / 10_000, 1)} 万条" in chinese
