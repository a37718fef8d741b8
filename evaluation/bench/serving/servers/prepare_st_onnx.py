"""Export the base encoder with sentence-transformers and quantise it to int8 for AVX2: ``python prepare_st_onnx.py BASE TARGET``."""
# mypy: ignore-errors

import sys
from pathlib import Path

from sentence_transformers import SentenceTransformer, export_dynamic_quantized_onnx_model

base, target = sys.argv[1:]
model = SentenceTransformer(base, backend="onnx", device="cpu", model_kwargs={"export": True})
model.save_pretrained(target)
export_dynamic_quantized_onnx_model(model, "avx2", target)
print(max((path.relative_to(target).as_posix() for path in Path(target).glob("onnx/*q*.onnx")), default=""))  # noqa: T201
