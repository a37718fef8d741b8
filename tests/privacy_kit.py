"""Synthetic people's data for tests, drawn from a seed: numbers with right check digits that belong to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from yingda.store.vault import Vault, VaultKey, add_key

NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_HAN = str.maketrans("0123456789", "零一二三四五六七八九")
_WIDE = {code: code + 0xFEE0 for code in range(33, 127)}


def a_vault(*ids: str) -> Vault:
    """A vault with keys of these names, the newest last."""
    return Vault(tuple(VaultKey(id_, id_.encode().ljust(32, b"\0")) for id_ in ids or ("k1",)))


def a_key_file(folder: Path) -> Path:
    """A file with one random key."""
    add_key(folder / "vault.json", NOON)
    return folder / "vault.json"


def planted(count: int, seed: int = 7) -> Iterator[tuple[str, str]]:
    """``count`` messages, each with the secret in it, in turns of every kind and spelling."""
    random = Random(seed)
    for number in range(count):
        secret, message = _DRAWN[number % len(_DRAWN)](random)
        yield message, secret


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def _phone(random: Random) -> str:
    return random.choice(("138", "159", "177", "186", "199")) + _digits(random, 8)


def _identity(random: Random) -> str:
    body = f"330106{random.randint(1950, 2005)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}{_digits(random, 3)}"
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, body, strict=True)) % 11]


def _card(random: Random) -> str:
    body = "622848" + _digits(random, 12)
    total = sum(d if place % 2 else (2 * d - 9 if d > 4 else 2 * d) for place, d in enumerate(map(int, reversed(body))))
    return body + str(-total % 10)


def _credit_code(random: Random) -> str:
    body = "91330106MA" + "".join(random.choice(_CREDIT) for _ in range(7))
    return body + _CREDIT[-sum(_CREDIT.index(char) * pow(3, place, 31) for place, char in enumerate(body)) % 31]


def _name(random: Random) -> str:
    return random.choice("王李张刘陈杨赵黄周吴") + random.choice("伟芳娜敏静丽强磊军洋") + random.choice("雪琳晨璐婷欣怡佳思雨")


def _phone_plain(random: Random) -> tuple[str, str]:
    secret = _phone(random)
    return secret, f"我的电话{secret}，什么时候发货"


def _phone_wide(random: Random) -> tuple[str, str]:
    secret = _phone(random).translate(_WIDE)
    return secret, f"打{secret}找我"


def _phone_han(random: Random) -> tuple[str, str]:
    secret = _phone(random).translate(_HAN)
    return secret, f"发货前打{secret}吧"


def _phone_spaced(random: Random) -> tuple[str, str]:
    phone = _phone(random)
    secret = f"{phone[:3]} {phone[3:7]} {phone[7:]}"
    return secret, f"手机 {secret} 能发吗"


def _identity_plain(random: Random) -> tuple[str, str]:
    secret = _identity(random)
    return secret, f"身份证{secret}，实名发货"


def _card_spaced(random: Random) -> tuple[str, str]:
    card = _card(random)
    secret = " ".join(card[place : place + 4] for place in range(0, 19, 4))
    return secret, f"退款到{secret}"


def _credit(random: Random) -> tuple[str, str]:
    secret = _credit_code(random)
    return secret, f"税号{secret}，开发票"


def _mail(random: Random) -> tuple[str, str]:
    secret = f"lin{_digits(random, 6)}@example.com"
    return secret, f"发票发到{secret}"


def _plate(random: Random) -> tuple[str, str]:
    secret = f"浙A{_digits(random, 5)}"
    return secret, f"车牌{secret}能用吗"


def _passport(random: Random) -> tuple[str, str]:
    secret = f"E{_digits(random, 8)}"
    return secret, f"护照{secret}能发吗"


def _landline(random: Random) -> tuple[str, str]:
    secret = f"0571-8{_digits(random, 7)}"
    return secret, f"座机{secret}，发货前打"


def _named(random: Random) -> tuple[str, str]:
    secret = _name(random)
    return secret, f"收件人{secret}，什么时候发"


def _placed(random: Random) -> tuple[str, str]:
    secret = f"文三路{random.randint(100, 399)}号{random.randint(10, 30)}栋{random.randint(1000, 2999)}室"
    return secret, f"寄到浙江省杭州市西湖区{secret}"


def _chat(random: Random) -> tuple[str, str]:
    secret = f"lin_{_digits(random, 6)}"
    return secret, f"微信号{secret}，发我"


def _penguin(random: Random) -> tuple[str, str]:
    secret = f"8{_digits(random, 8)}"
    return secret, f"QQ{secret}，发货通知我"


_DRAWN = (
    *(_phone_plain, _phone_wide, _phone_han, _phone_spaced, _identity_plain, _card_spaced, _credit, _mail),
    *(_plate, _passport, _landline, _named, _placed, _chat, _penguin),
)
