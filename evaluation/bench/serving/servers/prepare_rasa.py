"""Train Rasa on the wordings of the entries: ``python prepare_rasa.py MATERIAL FOLDER``.

Few epochs: the cost of an answer depends on vocabulary and classes, not on how long DIET was trained.
"""
# mypy: ignore-errors

import json
import subprocess
import sys
from pathlib import Path

EPOCHS = 3
PIPELINE = [
    {"name": "JiebaTokenizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "DIETClassifier", "entity_recognition": False, "constrain_similarities": True, "epochs": EPOCHS, "random_seed": 1},
    {"name": "ResponseSelector", "constrain_similarities": True, "epochs": EPOCHS, "random_seed": 1},
]

material, folder = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
labels = {f"{entry['intent']}/{entry['id']}": [" ".join(text.split()) for text in entry["texts"]] for entry in material["entries"]}
nlu = [{"intent": label, "examples": [{"text": text} for text in texts]} for label, texts in labels.items() if len(texts) > 1]
answers = {f"utter_{entry['intent']}/{entry['id']}": [{"text": entry["answer"]}] for entry in material["entries"]}
intents = sorted({label.split("/")[0] for label in labels})
trees = {
    "nlu.yml": {"version": "3.1", "nlu": nlu},
    "domain.yml": {"version": "3.1", "intents": intents, "responses": answers},
    "config.yml": {"recipe": "default.v1", "assistant_id": "peer", "language": "zh", "pipeline": PIPELINE},
}
for name, tree in trees.items():
    # JSON is YAML, but Rasa tells its files by keys at the start of a line
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in tree.items())
    (folder / name).write_text(text, encoding="utf-8")
command = [
    "train",
    "nlu",
    "--nlu",
    "nlu.yml",
    "--domain",
    "domain.yml",
    "--config",
    "config.yml",
    "--out",
    "model",
    "--fixed-model-name",
    "peer",
]
subprocess.run([sys.executable, "-m", "rasa", *command], cwd=folder, check=True, stdin=subprocess.DEVNULL)
