"""The only importer of onnxruntime."""

from yingda.runtime.session import EncoderSession, Encodings

__all__ = ["EncoderSession", "Encodings"]
