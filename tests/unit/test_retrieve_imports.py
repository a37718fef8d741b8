"""usearch ends the process when onnxruntime is imported after it: whatever the order of our imports, it comes second."""

from __future__ import annotations

import subprocess
import sys

import pytest

GRAPH = """
import numpy as np
from yingda.retrieve.neighbours import GraphNeighbours
GraphNeighbours.build(np.eye(8, dtype=np.float32)).search(np.eye(8, dtype=np.float32)[:1], 3)
"""
SESSION = """
import onnxruntime
from yingda.runtime import EncoderSession
onnxruntime.SessionOptions()
"""
ALL = """
import importlib, pkgutil, sys, yingda
names = [module.name for module in pkgutil.walk_packages(yingda.__path__, "yingda.")]
for name in {order}(names):
    if "__main__" not in name and ".migrations." not in name:
        importlib.import_module(name)
assert "usearch" not in sys.modules, "a module imports usearch when it is loaded"
"""


def ends_well(code: str) -> bool:
    """Whether a fresh interpreter runs ``code`` to its end."""
    ended = subprocess.run([sys.executable, "-c", code + "\nprint('end')"], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stderr == ""
    return (ended.returncode, ended.stdout.strip()) == (0, "end")


@pytest.mark.parametrize("code", [GRAPH + SESSION, SESSION + GRAPH], ids=["graph first", "runtime first"])
def test_graph_and_runtime_live_in_one_process_in_either_order(code: str) -> None:
    assert ends_well(code)


@pytest.mark.parametrize("order", ["list", "reversed"])
def test_no_module_loads_usearch_by_itself(order: str) -> None:
    assert ends_well(ALL.format(order=order))
