"""The loops without a server: ``python bare_loop.py BUNDLE MESSAGES``, run from the repository with Yingda's own Python.

Tells, as one line of JSON, the CPU milliseconds a message of the bare encoder (tokenise, run) and of the engine (the whole reply,
no HTTP, no store), message by message in turn.
"""
# mypy: ignore-errors

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from yingda.assemble import open_engine
from yingda.domain.message import Message
from yingda.runtime import EncoderSession
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer

bundle, texts = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
most = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["encoder"]["max_tokens"]
encoder, tokenizer, engine = (
    EncoderSession(bundle / "encoder.onnx"),
    MessageTokenizer(bundle / "tokenizer.json", max_tokens=most),
    open_engine(bundle),
)
now = datetime.now(UTC)
spent = {"encoder": 0.0, "engine": 0.0}


def timed(name, work):
    start = time.process_time()
    work()
    spent[name] += time.process_time() - start


warm = texts[:20]
for text in warm:
    encoder.run(tokenizer.encode([normalise(text)]))
    engine.answer_many([Message(text, at=now)])
for text in texts[20:]:
    timed("encoder", lambda text=text: encoder.run(tokenizer.encode([normalise(text)])))
    timed("engine", lambda text=text: engine.answer_many([Message(text, at=now)]))
print(json.dumps({name: 1000 * value / (len(texts) - 20) for name, value in spent.items()}))  # noqa: T201
