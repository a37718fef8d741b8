"""A drawn diagram as part of the page: its names apart from those of others, its colours those of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup

_KEPT = frozenset({"circle", "clipPath", "defs", "ellipse", "g", "line", "path", "polygon", "polyline", "rect", "text", "tspan", "use"})
_COLOURS = {
    "#ffffff": "var(--back)",
    "#333333": "var(--ink)",
    "#9a9a9a": "var(--soft)",
    "#e4e4e4": "var(--line)",
    "#0072b2": "var(--blue)",
    "#d55e00": "var(--orange)",
}
"""Colours of ``evaluation.plots``, which needs matplotlib, and what they are on the page, light or dark."""

_FONTS = re.compile(r"font-family:[^;]*;?")
_WITHIN = re.compile(r"url\(#([^)]*)\)")
_LEAST, _MOST = 0.8, 1.25  # of the drawn width in pixels: narrower no label can be read, so the diagram scrolls


def inline_svg(svg: str, *, prefix: str, label: str) -> Markup:
    """``svg`` without prologue, scripts, metadata and addresses; ids begin with ``prefix``, ``label`` says what is seen.

    Raises ElementTree.ParseError when it is no XML.
    """
    root = ElementTree.fromstring(svg)
    width = _width(root)
    _clean(root, prefix)
    box = root.get("viewBox")
    root.attrib = {"role": "img", "aria-label": label, **({"viewBox": box} if box else {})}
    if width is not None:
        root.set("style", f"min-width: {_LEAST * width:.0f}px; max-width: {_MOST * width:.0f}px")
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _width(root: ElementTree.Element) -> float | None:
    try:
        return float((root.get("viewBox") or "").split()[2])
    except (IndexError, ValueError):
        return None


def _clean(element: ElementTree.Element, prefix: str) -> None:
    element.tag = _local(element.tag)
    pairs = ((_local(name), value) for name, value in element.attrib.items())
    element.attrib = {name: _own(name, value, prefix) for name, value in pairs if _allowed(name, value)}
    for child in list(element):
        if _local(child.tag) in _KEPT:
            _clean(child, prefix)
        else:
            element.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _allowed(name: str, value: str) -> bool:
    if name == "href":
        return value.startswith("#")
    return not name.lower().startswith("on") and "://" not in value and "url(" not in _WITHIN.sub("", value)


def _own(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href":
        return f"#{prefix}{value[1:]}"
    for colour, variable in _COLOURS.items():
        value = value.replace(colour, variable)
    return _FONTS.sub("", _WITHIN.sub(rf"url(#{prefix}\1)", value)).strip()
