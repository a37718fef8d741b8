"""``evaluation.html``: the report as one file that needs nothing else, for screen, phone and paper. Needs jinja2."""

from evaluation.page.render import to_html

__all__ = ["to_html"]
