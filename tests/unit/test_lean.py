"""A process that starts light and has settled in: what is left out is not imported, and the collector can be told to look again."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from bm25s import BM25

from serving.lean import give_back_memory, leave_behind, settle_in, travel_light


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*before)


_STARTS_LIGHT = """
import gc, sys
from serving.lean import set_aside, settle_in, travel_light
set_aside()
assert gc.get_freeze_count() == 0
travel_light()
import serving.command, yingda.assemble
assert not gc.isenabled()
set_aside()
assert gc.get_freeze_count() > 0
settle_in()
assert gc.isenabled()
print(*sorted({name.partition(".")[0] for name, module in sys.modules.items() if module} & {"rich", "scipy", "numpy"}))
print(sys.modules["pydantic.v1"])
"""


def test_a_server_imports_nothing_that_it_never_uses() -> None:
    done = subprocess.run([sys.executable, "-c", _STARTS_LIGHT], capture_output=True, check=False, text=True)
    assert (done.stdout, done.stderr) == ("numpy\nNone\n", "")


_EXTRAS = """
from importlib import import_module
from importlib.util import find_spec
from serving.lean import travel_light
travel_light()
import serving.command, yingda.assemble
exporter = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
for name in ("alembic.command", "cryptography.fernet", "joserfc.jwt", exporter, "openpyxl", "psycopg", "usearch.index"):
    if find_spec(name.partition(".")[0]):
        import_module(name)
"""


def test_what_a_server_imports_later_needs_nothing_of_what_is_left_out() -> None:
    done = subprocess.run([sys.executable, "-c", _EXTRAS], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_imported_already_stays_imported(collector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("scipy")
    monkeypatch.setattr(sys, "modules", {"scipy": library})
    travel_light()
    assert sys.modules["scipy"] is library
    assert sys.modules["rich"] is None


def test_the_table_of_wordings_is_the_same_with_and_without_scipy() -> None:
    pytest.importorskip("scipy.sparse")
    documents = [list(text) for text in ("什么时候发货", "发货了吗", "怎么退货", "退货运费谁出", "a", "aab")] * 7
    with_scipy, without = (BM25(csc_backend=backend) for backend in ("scipy", "numpy"))
    for table in (with_scipy, without):
        table.index(documents, show_progress=False)
    for name in ("data", "indices", "indptr"):
        one, other = (np.asarray(table.scores[name]) for table in (with_scipy, without))
        assert one.tobytes() == other.astype(one.dtype).tobytes(), name


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_set_aside_until_something_else_is() -> None:
    settle_in()
    assert gc.get_freeze_count() > 0
    leave_behind()
    assert gc.get_freeze_count() == 0


class Library:
    """A C library that can trim its heap, and says what it was asked to keep."""

    def __init__(self) -> None:
        self.kept = list[int]()

    def malloc_trim(self, pad: int) -> int:
        self.kept.append(pad)
        return 1


def test_freed_memory_is_given_back_where_the_c_library_can() -> None:
    library = Library()
    assert give_back_memory(library)
    assert library.kept == [0]


def test_another_c_library_keeps_its_memory_and_nothing_breaks() -> None:
    assert not give_back_memory(object())


@pytest.mark.skipif(not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc", reason="glibc alone has malloc_trim")
def test_this_process_gives_back_its_own() -> None:
    assert give_back_memory()
