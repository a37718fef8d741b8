"""Which language a customer is answered in: that of the frame, Chinese or English, and that of the entries' own texts.

Languages are written as BCP 47 has them, a primary subtag and, where it matters, a script (RFC 5646): ``ja``, ``zh-Hant``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from yingda.domain.decision import LanguageGuess
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message
from yingda.reply.script import script_of
from yingda.text.language import LATIN_LANGUAGES

FRAMES = frozenset({"zh", "en"})
"""Languages that templates are written in, and every entry's texts may be."""

_SURE = 0.3
"""Confidence below which a detected language is a guess; English questions have far more."""

_BEYOND_DOUBT = 0.7
"""Confidence from which a language other than Chinese and English is the customer's: two English words often look like half German."""

_SCRIPT_OF_REGION = {"TW": "Hant", "HK": "Hant", "MO": "Hant", "CN": "Hans", "SG": "Hans"}
"""How Chinese is written where a tag names the region alone (Unicode CLDR, likely subtags)."""


def reply_language(guess: LanguageGuess) -> str:
    """Chinese when the customer's language is Chinese, unknown or a mere guess; English, as entries are, for all others."""
    return "zh" if guess.code in ("zh", "und") or guess.confidence < _SURE else "en"


def frame_of(language: str) -> str:
    """The language of the words around a text in ``language``: Chinese around Chinese of any script, English around all else."""
    return "zh" if language.partition("-")[0] == "zh" else "en"


def language_among(texts: Mapping[str, str], language: str) -> str:
    """``language`` where there is a text in it, else that of the frame, else Chinese, which every entry has."""
    return next((code for code in (language, frame_of(language)) if texts.get(code)), "zh")


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in ``language``, or in the one that stands in for it."""
    return texts[language_among(texts, language)]


def written_languages(knowledge: Knowledge) -> frozenset[str]:
    """The languages besides Chinese and English that any entry has a question or an answer in."""
    return frozenset(code for entry in knowledge.faq.values() for texts in (entry.question, entry.answer) for code in texts) - FRAMES


def customers_language(message: Message, guess: LanguageGuess, written: Collection[str]) -> str:
    """The one of ``written``, the languages entries have besides, that the customer uses; ``zh`` or ``en`` where it is none.

    A tag that the request gives is looked up from its most special form to its plainest (RFC 4647, 3.4). Which script
    Chinese is in is read off the message where no tag tells it.
    """
    own = reply_language(guess)
    if not written:
        return own
    given = _forms(message.language) if message.language else _detected(guess)
    found = next((form for form in given if form in written), None)
    if found is None and own == "zh" and "zh-Hant" in written and not _tells_script(message.language) and script_of(message.text) == "Hant":
        return "zh-Hant"
    return found or own


def stays_in(before: str, own: str, message: Message, written: Collection[str]) -> bool:
    """True for a Chinese message whose script nothing tells, in a conversation that was in one of ``written`` scripts of Chinese."""
    is_script = before in written and frame_of(before) == "zh"
    return is_script and own == "zh" and not _tells_script(message.language) and not script_of(message.text)


def tells_itself(language: str, written: Collection[str]) -> bool:
    """True for one of ``written`` that a single word tells by its letters: 반품 is Korean, while merci is said by many."""
    return language in written and language not in LATIN_LANGUAGES


def _detected(guess: LanguageGuess) -> tuple[str, ...]:
    return (guess.code,) if guess.code not in FRAMES and guess.confidence >= _BEYOND_DOUBT else ()


def _tells_script(tag: str | None) -> bool:
    """True where a tag says how Chinese is written, by script or region."""
    return tag is not None and any("-" in form for form in _forms(tag))


def _forms(tag: str) -> Iterator[str]:
    """``tag`` as entries may name it: with its script, then without."""
    language, *rest = tag.replace("_", "-").split("-")
    language, script = language.lower(), next((part.title() for part in rest if len(part) == 4 and part.isalpha()), None)
    if script is None and language == "zh":
        script = next((_SCRIPT_OF_REGION[part.upper()] for part in rest if part.upper() in _SCRIPT_OF_REGION), None)
    if script is not None:
        yield f"{language}-{script}"
    yield language
