"""Which pieces of a multilingual vocabulary stay."""

from __future__ import annotations

import pytest

from training.vocabulary import kept_pieces

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def keeps(piece: str, *, shared_rank: int = 100) -> bool:
    return 4 in kept_pieces([*SPECIAL, piece], shared_rank=shared_rank)


@pytest.mark.parametrize(
    "piece",
    [
        "▁快递",
        "發貨",
        "退款",
        "ください",
        "▁カード",
        "배송",
        "สินค้า",
        "▁parcel",
        "▁größe",
        "▁où",
        "▁señor",
        "▁não",
        "▁được",
        "▁заказ",
        "▁طلب",
        "123",
        "。",
        "！",
        "▁",
        "😀",
        "¥",
    ],
)
def test_pieces_of_served_languages_are_kept(piece: str) -> None:
    assert keeps(piece)


@pytest.mark.parametrize("piece", ["▁की", "नमस्ते", "▁שלום", "▁γεια", "▁გამარჯობა", "▁বাংলা", "▁ğüzel", "▁łódź", "▁їжак", "▁گفت"])
def test_pieces_of_other_languages_are_dropped(piece: str) -> None:
    assert not keeps(piece)


def test_a_piece_with_one_foreign_character_is_dropped() -> None:
    assert not keeps("快क")


@pytest.mark.parametrize("char", [*"货物をカ배ส", *"aéßñđ", *"щё", *"ط", *"7，。😀"])
def test_single_characters_of_served_scripts_are_kept_however_rare(char: str) -> None:
    assert keeps(char, shared_rank=0)
    assert keeps(f"▁{char}", shared_rank=0)


@pytest.mark.parametrize("piece", ["々", "人々", "▁様々な"])
def test_the_japanese_iteration_mark_is_kept(piece: str) -> None:
    assert keeps(piece)


@pytest.mark.parametrize("piece", ["▁parcel", "▁заказ", "▁طلب"])
def test_rare_pieces_of_shared_scripts_are_dropped(piece: str) -> None:
    assert not keeps(piece, shared_rank=3)


def test_rare_chinese_pieces_are_kept() -> None:
    assert keeps("快递单号", shared_rank=3)


def test_special_pieces_and_the_mask_always_stay() -> None:
    pieces = [*SPECIAL, "▁की", "<mask>"]

    assert kept_pieces(pieces, shared_rank=0) == [0, 1, 2, 3, 5]


def test_indices_ascend() -> None:
    pieces = [*SPECIAL, "发", "की", "a", "मे", "ab"]

    assert kept_pieces(pieces, shared_rank=100) == [0, 1, 2, 3, 4, 6, 8]
