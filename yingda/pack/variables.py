"""``{变量}`` in the texts of a pack."""

from __future__ import annotations

import re
from collections.abc import Collection

from yingda.pack.mistakes import MistakeLog, Word

_VARIABLE = re.compile(r"\{([^{}]*)\}")


def check_variables(word: Word, known: Collection[str] | None, log: MistakeLog) -> None:
    """Note every variable of ``word`` that is not ``known``, and braces without a partner.

    Names are not checked when ``known`` is None: the policy could not be read and says so already.
    """
    for name in dict.fromkeys(_VARIABLE.findall(word.text)):
        if known is not None and name not in known:
            log.add(word.place, f"unknown variable '{{{name}}}'; correct it or add it to policy.yaml")
    rest = _VARIABLE.sub("", word.text)
    if "{" in rest or "}" in rest:
        log.add(word.place, "braces are not balanced; write each variable as {名称}")
