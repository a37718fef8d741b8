"""Wait for the service and show a first answer: ``python -m serving.first_answer``.

Run by ``make serve`` beside the server, so that a newcomer sees one call and its reply without typing anything.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

_TEXT = "快递三天没动了"
_PATIENCE_S = 120
_PAUSE_S = 0.3


def is_ready(host: str, port: int) -> bool:
    """True when ``/readyz`` answers 200."""
    try:
        return call(host, port, "GET", "/readyz")[0] == 200
    except (OSError, HTTPException):
        return False


def call(host: str, port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """Status and text of one request."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        headers = {"content-type": "application/json"} if body else {}
        connection.request(method, path, body.encode() if body else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Show a call and its answer once the server is ready; exit code 0, or 1 where it never was or refuses the call."""
    parser = argparse.ArgumentParser(prog="python -m serving.first_answer", description=__doc__)
    parser.add_argument("--host", default=os.environ.get("YINGDA_HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("YINGDA_PORT") or 8000))
    args = parser.parse_args(argv)
    deadline, parent = time.monotonic() + _PATIENCE_S, os.getppid()
    while not is_ready(args.host, args.port):
        if os.getppid() != parent:
            return 1  # the server that started us has ended, and has said why
        if time.monotonic() > deadline:
            print("the service did not become ready; its own messages above say why", file=sys.stderr)
            return 1
        time.sleep(_PAUSE_S)
    body = json.dumps({"text": _TEXT}, ensure_ascii=False)
    print(f"\ncurl -s http://{args.host}:{args.port}/v1/answer -H 'content-type: application/json' -d '{body}'\n")
    status, reply = call(args.host, args.port, "POST", "/v1/answer", body)
    if status != 200:
        print(f"status {status}; with keys configured, send one: see docs/http.md", file=sys.stderr)
        return 1
    print(json.dumps(json.loads(reply), ensure_ascii=False, indent=2), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
