"""Log lines of other libraries."""

from __future__ import annotations

import io
import json
import logging

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
