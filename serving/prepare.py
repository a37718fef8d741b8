"""``python -m serving.prepare``: bring the store to this version and seed it, before several processes open it.

A program of its own, so that the supervisor stays small and this one starts fast: it knows neither the web nor a model.
"""

from __future__ import annotations

import sys

from serving.lean import travel_light
from yingda.domain.errors import YingdaError

_CANNOT_START = 2


def main() -> int:
    """0 when the store is ready; 2 with a message on stderr when the store or the bundle cannot be used."""
    # Imported here: what is left out is left out before.
    from serving.settings import load_settings
    from yingda.assemble import prepare_shop

    try:
        settings = load_settings()
        prepare_shop(settings.store, settings.bundle, pack=settings.pack)
    except YingdaError as error:
        sys.stderr.write(f"error: {error}\n")
        return _CANNOT_START
    return 0


if __name__ == "__main__":
    travel_light()
    sys.exit(main())
