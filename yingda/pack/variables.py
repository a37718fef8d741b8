"""``{变量}`` in the texts of a pack."""

from __future__ import annotations

from collections.abc import Collection

from yingda.pack.mistakes import MistakeLog, Word
from yingda.reply.check import check_template as check_template


def check_variables(word: Word, known: Collection[str] | None, log: MistakeLog) -> None:
    """Note every reason to refuse ``word``: variables that are not ``known``, braces without a partner, anything but plain text.

    Names are not checked when ``known`` is None: the policy could not be read and says so already.
    """
    for reason in check_template(word.text, known):
        log.add(word.place, reason)
