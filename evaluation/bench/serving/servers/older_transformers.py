"""A copy of the base encoder that older transformers can read: ``python older_transformers.py BASE TARGET``.

Weights and vocabulary stay as they are; only the name of the tokenizer's class, new in transformers 5, is the older one.
"""
# mypy: ignore-errors

import json
import shutil
import sys
from pathlib import Path

base, target = (Path(name) for name in sys.argv[1:])
shutil.copytree(base, target, dirs_exist_ok=True)
settings = target / "tokenizer_config.json"
tree = json.loads(settings.read_text(encoding="utf-8"))
settings.write_text(json.dumps({**tree, "tokenizer_class": "PreTrainedTokenizerFast"}, ensure_ascii=False), encoding="utf-8")
