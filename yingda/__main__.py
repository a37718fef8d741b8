"""``python -m yingda`` is the ``yingda`` command."""

from yingda.cli import run

run()
