"""BentoML on the bundle's own encoder.onnx, one worker; the graph takes one message, so batches would gain nothing."""
# mypy: ignore-errors

import bentoml
from graph import Graph


@bentoml.service(workers=1, traffic={"timeout": 60})
class Answers:
    def __init__(self):
        self.graph = Graph()

    @bentoml.api(route="/answer")
    def answer(self, text: str) -> dict:
        return self.graph.answer(text)
