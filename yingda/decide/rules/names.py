"""The names a rule file may use: those of the pack it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from yingda.domain.knowledge import Knowledge
from yingda.text.normalise import normalise

NOTIFY = frozenset({"supervisor", "on_duty"})
"""Who may be told besides the group that takes over, where the caller names nobody else."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """``intents`` maps each intent to its category; ``titles`` how intents read in examples.

    ``keywords`` are the words of the library, normalised and in lower case; None when rules may look for any word.
    """

    intents: Mapping[str, str]
    skills: Collection[str]
    templates: Collection[str] = ()
    notify: Collection[str] = NOTIFY
    keywords: Collection[str] | None = None
    titles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category, in the order of the intents."""
        return tuple(dict.fromkeys(self.intents.values()))

    def digest(self) -> str:
        """SHA-256 of all of them: a rule file that was judged against names of this digest need not be judged again."""
        sets = (self.skills, self.templates, self.notify, () if self.keywords is None else self.keywords)
        told = (list(self.intents.items()), sorted(self.titles.items()), *map(sorted, sets), self.keywords is None)
        return sha256(repr(told).encode(errors="surrogatepass")).hexdigest()


def known_names(knowledge: Knowledge, *, skills: Collection[str] = (), notify: Collection[str] = NOTIFY) -> KnownNames:
    """The names of a pack; ``skills`` adds groups that no intent names, such as one for VIP customers."""
    intents = knowledge.taxonomy.intents
    words = (word for keyword in knowledge.keywords for word in (keyword.term, *keyword.synonyms))
    return KnownNames(
        intents=MappingProxyType({code: intent.category for code, intent in intents.items()}),
        skills=frozenset(skills) | {intent.skill for intent in intents.values()},
        templates=frozenset({knowledge.templates.id}),
        notify=frozenset(notify),
        keywords=frozenset(normalise(word).lower() for word in words),
        titles=MappingProxyType({code: intent.name("zh") for code, intent in intents.items()}),
    )
