"""Every perturbation changes what it says and nothing else."""

from __future__ import annotations

from importlib.util import find_spec
from random import Random

import pytest

from evaluation.robustness.homophones import HOMOPHONES
from evaluation.robustness.perturbations import PERTURBATIONS, STORY, perturb
from yingda.domain.message import MAX_CHARACTERS
from yingda.text.normalise import normalise

needs_pypinyin = pytest.mark.skipif(find_spec("pypinyin") is None, reason="pypinyin comes with the train extra")


def changed(name: str, text: str) -> str:
    return PERTURBATIONS[name](text, Random(1))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("width", "充电宝20W的，有货吗?", "充电宝２０Ｗ的,有货吗？"),
        ("traditional", "订单显示已签收，没收到货", "訂單顯示已簽收，沒收到貨"),
        ("drawn_out", "怎么还不发货。", "怎么还不发货啊啊啊。"),
        ("drawn_out", "能退吗？？", "能退吗吗吗？？"),
        ("drawn_out", "急 ! ", "急啊啊啊 ! "),
        ("drawn_out", "!!", "!!"),
        ("exclaimed", "怎么还不发货。", "怎么还不发货!!!"),
        ("exclaimed", "能退吗？？", "能退吗!!!"),
        ("exclaimed", "!!", "!!"),
        ("marks_removed", "你好，能退吗？3,000块的那件！", "你好能退吗3,000块的那件"),
        ("marks_doubled", "能退吗？急!", "能退吗？？急!!"),
        ("marks_spaced", "你好，能退吗？急……谢谢。", "你好 能退吗 急 谢谢。"),
        ("polite", "能退吗", "你好，能退吗，谢谢"),
        ("polite", "能退吗？", "你好，能退吗？谢谢"),
        ("homophone", "什么时候发货", "什么时候发或"),
        ("story", "能退吗", STORY + "能退吗"),
    ],
)
def test_it_does_what_it_is_called(name: str, text: str, expected: str) -> None:
    made = {PERTURBATIONS[name](text, Random(seed)) for seed in range(20)}

    assert expected in made
    assert name == "homophone" or made == {expected}


def test_an_emoji_follows_the_whole_text() -> None:
    text = "能退吗？"

    found = changed("emoji", text)

    assert found.startswith(text)
    assert not found.removeprefix(text).isascii()
    assert len(found) == len(text) + 1


def test_an_order_number_has_18_digits() -> None:
    before, number = changed("order_number", "能退吗").split("，订单号")

    assert before == "能退吗"
    assert number.isdigit()
    assert len(number) == 18
    assert not number.startswith("0")


@pytest.mark.parametrize("name", ["swapped", "dropped"])
def test_a_text_of_seven_characters_gets_no_typo(name: str) -> None:
    assert changed(name, "快递还在路上吗"[:7]) == "快递还在路上吗"[:7]
    assert changed(name, "快递还在路上吗啊") != "快递还在路上吗啊"


@pytest.mark.parametrize("name", ["swapped", "dropped"])
def test_a_typo_never_touches_a_denial(name: str) -> None:
    text = "这件衣服我不想退了"

    made = {PERTURBATIONS[name](text, Random(seed)) for seed in range(60)}

    assert len(made) > 1
    assert all(found.index("不") in (4, 5) and found.count("不") == 1 and "退" in found for found in made)


def test_only_one_slip_is_made() -> None:
    made = {PERTURBATIONS["homophone"]("发货以后怎么改收件地址", Random(seed)) for seed in range(40)}

    assert made == {"发或以后怎么改收件地址", "发货以后怎么改收件地止"}


@pytest.mark.parametrize(
    "text", ["头发护理液少了一件", "干洗还是水洗", "这面膜几只装，台灯在里面吗", "为什么还不发货，我后天要用", "退款后多久到账"]
)
def test_traditional_reads_as_simplified_to_the_engine(text: str) -> None:
    found = changed("traditional", text)

    assert found != text
    assert normalise(found) == normalise(text)


def test_the_same_text_is_perturbed_the_same_way() -> None:
    text = "昨天买的洗衣机什么时候发货，能快点吗？"

    assert perturb(text) == perturb(text)
    assert set(perturb(text)) == set(PERTURBATIONS)


def test_what_changes_nothing_or_makes_a_text_too_long_is_left_out() -> None:
    assert not {"width", "marks_removed", "marks_doubled", "marks_spaced", "swapped", "dropped"} & set(perturb("能退吗"))
    assert set(perturb("能退吗" + "阿" * (MAX_CHARACTERS - 3))) <= {"traditional", "swapped", "dropped"}
    assert "marks_removed" not in perturb("？？？")


def test_every_perturbation_says_what_it_does() -> None:
    assert all(function.__doc__ for function in PERTURBATIONS.values())


@needs_pypinyin
def test_homophones_sound_the_same() -> None:
    from pypinyin import Style, pinyin

    for meant, typed in HOMOPHONES.items():
        sounds = [pinyin(word, style=Style.NORMAL, heteronym=True) for word in (meant, typed)]
        assert meant != typed
        assert all(set(one) & set(other) for one, other in zip(*sounds, strict=True)), (meant, typed)
