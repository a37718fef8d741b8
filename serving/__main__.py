"""``python -m serving``: serve, or print the OpenAPI document."""

import sys

from serving.lean import travel_light

if __name__ == "__main__":
    travel_light()
    from serving.command import main

    sys.exit(main())
