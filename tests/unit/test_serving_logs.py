"""Log lines of other libraries."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from serving.logs import LogBridge, open_log


def test_records_of_the_standard_library_lose_what_may_quote_a_customer() -> None:
    stream = io.StringIO()
    logger = logging.Logger("asyncio")
    logger.addHandler(LogBridge(open_log(stream)))

    try:
        raise KeyError("hunter2")
    except KeyError:
        logger.exception("task failed\nexception=KeyError('hunter2')")

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["error"]) == ("task failed", "error", "KeyError")
    assert "hunter2" not in stream.getvalue()


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    log = open_log(stream, "error")
    log.info("a")
    log.error("b")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["b"]


@pytest.mark.parametrize("value", ["快递", 'a"b\n', "\ud800", 10**30, None, 1.5, Path("x"), {"a": [1]}])
def test_any_value_is_a_line_and_no_line_is_lost(value: object) -> None:
    stream = io.StringIO()
    open_log(stream).info("event", value=value)
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["value"] == (repr(value) if isinstance(value, Path) else value)


def test_a_line_is_written_when_it_is_logged() -> None:
    flushed: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    open_log(Stream()).info("event")
    assert json.loads(flushed[-1])["event"] == "event"
