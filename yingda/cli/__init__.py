"""The ``yingda`` command."""

from yingda.cli.main import run

__all__ = ["run"]
