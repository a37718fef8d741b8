"""LitServe on the bundle's own encoder.onnx, one worker; the graph takes one message, so batches would gain nothing."""
# mypy: ignore-errors

import os

import litserve as ls
from graph import Graph


class Api(ls.LitAPI):
    def setup(self, device):  # noqa: ARG002
        self.graph = Graph()

    def decode_request(self, request):
        return request["text"]

    def predict(self, text):
        return self.graph.answer(text)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = ls.LitServer(Api(api_path="/answer"), accelerator="cpu", devices=1, workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="warning", generate_client_file=False)
