"""Whether a client is still there, as its connection tells it: nobody has to listen, request by request, for an end that seldom comes."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

_KEY = "yingda.departure"


class Departure:
    """The end of one connection, told to whoever works for its client at the time."""

    __slots__ = ("_has_come", "_tell")

    def __init__(self) -> None:
        self._tell: Callable[[], None] | None = None
        self._has_come = False

    def tell(self, told: Callable[[], None] | None) -> None:
        """Call ``told`` when the client leaves, at once if it has; None: nobody needs to know any more."""
        self._tell = told
        if self._has_come and told is not None:
            told()

    def come(self) -> None:
        """The client has left."""
        self._has_come = True
        if self._tell is not None:
            self._tell()


def attach_departure(scope: Scope, departure: Departure) -> None:
    """Make ``departure`` that of the connection on which the request ``scope`` came."""
    scope[_KEY] = departure


def departure_of(scope: Scope) -> Departure | None:
    """That of the request's connection; None where the server does not tell."""
    found = scope.get(_KEY)
    return found if isinstance(found, Departure) else None
