"""Tokens: which are taken, which are not and why, and how often the issuer's keys are read."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving import tokens as module
from serving.errors import ProblemError
from serving.jwks import JwksError, fetcher, read_key_set
from serving.logs import open_log
from serving.settings import Settings, SettingsError
from serving.tokens import INTERVAL_S, LEEWAY_S, REFRESH_S, Caller, TokenError, TokenVerifier, is_token, open_tokens
from tests.token_kit import AUDIENCE, ISSUER, NOW, Issuer, key_of, key_set, token
from yingda.access.scopes import Scope


class Desk:
    """A verifier at work on an event loop of its own."""

    def __init__(self) -> None:
        self.issuer, self.stream = Issuer(), io.StringIO()
        self.verifier: TokenVerifier = self.issuer.verifier(self.stream)
        self.loop = asyncio.Runner()

    def verify(self, *given: bytes) -> Any:
        """The caller of each token, all asked at once; the first error is raised."""

        async def all_of_them() -> list[Caller]:
            found = await asyncio.gather(*(self.verifier.verify(each) for each in given))
            while self.verifier._reading:
                await self.verifier._reading
            return list(found)

        callers = self.loop.run(all_of_them())
        return callers[0] if len(given) == 1 else callers

    def refuses(self, given: bytes) -> str:
        with pytest.raises(TokenError) as caught:
            self.verify(given)
        return str(caught.value)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.verifier.close()
    desk.loop.close()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "Ed25519"])
@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", None])
def test_a_good_token_names_its_caller(desk: Desk, algorithm: str, typ: str | None) -> None:
    assert desk.verify(token(algorithm, typ=typ)) == Caller("oauth:shop-backend", frozenset({Scope.ANSWER, Scope.CLASSIFY}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another audience"),
        ({"aud": ["other", AUDIENCE + "/"]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": {AUDIENCE: 1}}, "another audience"),
        ({"exp": NOW - LEEWAY_S}, "expired"),
        ({"exp": None}, "no expiry"),
        ({"exp": str(NOW + 99)}, "no expiry"),
        ({"exp": True}, "no expiry"),
        ({"exp": float("inf")}, "no expiry"),
        ({"exp": float("nan")}, "no expiry"),
        ({"nbf": NOW + LEEWAY_S + 1}, "not valid yet"),
        ({"iat": NOW + LEEWAY_S + 1}, "not valid yet"),
        ({"nbf": "soon"}, "no numbers"),
        ({"sub": None}, "no subject"),
        ({"sub": 7}, "no subject"),
        ({"cnf": {"jkt": "x"}}, "bound to a key"),
        ({"typ": "logout+jwt"}, "no access token"),
        ({"header": {"crit": ["exp"]}}, "no access token"),
        ({"header": {"b64": False, "crit": ["b64"]}}, "no access token"),
        ({"kid": "other"}, "does not publish"),
        ({"kid": None}, "does not publish"),
        ({"key": "stranger"}, "signature is not right"),
        ({"header": {"jwk": {"kty": "RSA"}}, "key": "stranger"}, "signature is not right"),
    ],
)
def test_a_token_that_is_not_for_us_is_refused_with_its_reason(desk: Desk, changes: dict[str, Any], said: str) -> None:
    assert said in desk.refuses(token(**changes))


def test_clocks_may_differ_a_little(desk: Desk) -> None:
    assert desk.verify(token(exp=NOW - LEEWAY_S + 1, nbf=NOW + LEEWAY_S, iat=NOW + LEEWAY_S)).key_id == "oauth:shop-backend"


def test_one_audience_of_several_is_enough(desk: Desk) -> None:
    assert desk.verify(token(aud=["other", AUDIENCE])).key_id == "oauth:shop-backend"


@pytest.mark.parametrize(("algorithm", "kid"), [("HS256", "rsa"), ("PS256", "rsa"), ("ES256", "rsa"), ("ES384", "ec"), ("RS256", "ec")])
def test_a_key_is_used_for_its_own_algorithm_alone(desk: Desk, algorithm: str, kid: str) -> None:
    assert "its key is not for" in desk.refuses(token(algorithm, kid=kid))


def test_the_public_key_is_no_shared_secret(desk: Desk) -> None:
    """The confusion of RFC 8725, section 2.1: an HMAC made with the published key, which anybody has."""
    import hmac

    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "rsa"}).encode()).rstrip(b"=")
    body = token().split(b".")[1]
    mac = hmac.digest(key_of("rsa").as_pem(private=False), head + b"." + body, "sha256")
    forged = b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")])
    assert "its key is not for" in desk.refuses(forged)


def test_an_unsigned_token_is_refused(desk: Desk) -> None:
    _, body, signature = token().split(b".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"rsa"}').rstrip(b"=")
    assert "its key is not for" in desk.refuses(b".".join([head, body, signature]))
    assert "cannot be read" in desk.refuses(b".".join([head, body, b""]))


def test_an_altered_claim_breaks_the_signature(desk: Desk) -> None:
    head, _, signature = token().split(b".")
    body = token(scope="ops data:unmask").split(b".")[1]
    assert "signature is not right" in desk.refuses(b".".join([head, body, signature]))


DEEP = base64.urlsafe_b64encode(b"[" * 1500).rstrip(b"=")


@pytest.mark.parametrize(
    "garbage", [b"..", b"a.b.c", b"e30.e30.e30", b"=.=.=", b"\xff.\xff.\xff", DEEP + b".e30.e30", b"a" * 9000 + b".e30.e30"]
)
def test_what_is_no_token_is_refused(desk: Desk, garbage: bytes) -> None:
    assert "cannot be read" in desk.refuses(garbage)
    assert is_token(garbage)


@pytest.mark.parametrize(
    ("claim", "granted"),
    [
        ("answer", {Scope.ANSWER}),
        ("openid answer  ops profile", {Scope.ANSWER, Scope.OPS}),
        ("ANSWER", set()),
        ("answer,ops", set()),
        (None, set()),
        (["ops"], set()),
    ],
)
def test_scopes_are_those_that_exist_here(desk: Desk, claim: Any, granted: set[Scope]) -> None:
    assert desk.verify(token(scope=claim)).scopes == granted


@pytest.mark.parametrize(("subject", "name"), [("abc@clients", "oauth:abc@clients"), ("王店长", None), ("a b\n", None), ("x" * 500, None)])
def test_a_subject_is_shown_in_few_characters(desk: Desk, subject: str, name: str | None) -> None:
    found = desk.verify(token(sub=subject)).key_id
    assert found == name if name else found.startswith("oauth:sha256-")
    assert len(found) <= 64


def test_without_a_subject_the_client_is_named(desk: Desk) -> None:
    assert desk.verify(token(sub=None, client_id="shop")).key_id == "oauth:shop"


def test_a_verified_token_ends_on_time_and_is_not_verified_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    given = token()
    desk.verify(given)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_signed_claims", None)  # called again, it would raise
        desk.verify(given)
    desk.issuer.now = NOW + 300 + LEEWAY_S
    assert "expired" in desk.refuses(given)


def test_no_more_tokens_are_remembered_than_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHED", 3)
    for number in range(5):
        desk.verify(token("EdDSA", sub=f"c{number}"))
    assert len(desk.verifier._verified) == 3


def test_a_fresh_key_is_fetched_once_for_all_who_wait(desk: Desk) -> None:
    desk.verify(token())
    assert desk.issuer.reads == 1
    desk.issuer.content = key_set("rsa", "ec", "ed", "stranger")
    desk.issuer.ticks += INTERVAL_S
    found = desk.verify(*(token(key="stranger", kid="stranger", sub=f"c{number}") for number in range(20)))
    assert len(found) == 20
    assert desk.issuer.reads == 2


def test_invented_key_ids_do_not_make_the_server_read_again_and_again(desk: Desk) -> None:
    desk.verify(token())
    desk.issuer.ticks += INTERVAL_S
    for number in range(10):
        desk.refuses(token(kid=f"invented{number}"))
    assert desk.issuer.reads == 2


def test_a_key_that_was_taken_back_opens_nothing_even_for_remembered_tokens(desk: Desk) -> None:
    given = token()
    desk.verify(given)
    desk.issuer.content = key_set("ec")
    desk.issuer.ticks += REFRESH_S + 1
    desk.verify(given)  # nobody waits for the read that this begins
    assert "does not publish" in desk.refuses(given)


def test_an_issuer_that_is_away_leaves_its_last_keys_in_use(desk: Desk) -> None:
    given = token()
    desk.verify(given)
    for content in (JwksError("away"), b"no JSON", b'{"keys": []}', key_set("oct")):
        desk.issuer.content = content
        desk.issuer.ticks += REFRESH_S + 1
        desk.verify(given)
    assert desk.verify(given).key_id == "oauth:shop-backend"
    assert [json.loads(line)["event"] for line in desk.stream.getvalue().splitlines()] == ["token_keys_stay"] * 4


def test_without_any_keys_it_is_our_fault_and_not_the_callers(desk: Desk) -> None:
    desk.issuer.content = JwksError("away")
    for _ in range(3):
        with pytest.raises(ProblemError) as caught:
            desk.verify(token())
        assert (caught.value.status_code, caught.value.code) == (503, "tokens_unavailable")
    assert desk.issuer.reads == 1
    desk.issuer.content = key_set("rsa")
    desk.issuer.ticks += 5
    assert desk.verify(token()).key_id == "oauth:shop-backend"


def test_a_single_key_without_id_is_meant() -> None:
    alone = json.loads(key_set("rsa"))
    del alone["keys"][0]["kid"]
    assert set(read_key_set(json.dumps(alone).encode())) == {None}
    assert set(read_key_set(key_set("rsa"))) == {None, "rsa"}
    assert set(read_key_set(key_set("rsa", "ec"))) == {"rsa", "ec"}


def test_keys_that_are_not_for_signatures_here_are_passed_over() -> None:
    found = json.loads(key_set("rsa", "oct", "ec384"))["keys"]
    short = {**found[0], "kid": "short", "n": found[0]["n"][:170]}
    others = [
        {**found[0], "kid": "enc", "use": "enc"},
        {**found[0], "kid": "pss", "alg": "PS256"},
        {"kty": "new", "kid": "new"},
        {"kty": "RSA"},
    ]
    assert set(read_key_set(json.dumps({"keys": [*found, short, *others]}).encode())) - {None} == {"rsa"}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": 7}', b'{"keys": [7]}', b"[" * 100_000, b"\xff"])
def test_what_is_no_key_set_is_refused(content: bytes) -> None:
    with pytest.raises(JwksError):
        read_key_set(content)


def settings(jwks: str) -> Settings:
    return Settings(oauth_issuer=ISSUER, oauth_audience=AUDIENCE, oauth_jwks=jwks)


def test_keys_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set("rsa"))
    verifier = open_tokens(settings(str(path)), open_log(io.StringIO()))
    assert verifier is not None and set(verifier._keys) == {"rsa", None}
    verifier.close()
    assert open_tokens(Settings(), open_log(io.StringIO())) is None


def test_a_file_that_is_not_there_or_an_open_line_do_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        open_tokens(settings(str(tmp_path / "nowhere.json")), open_log(io.StringIO()))
    with pytest.raises(SettingsError, match="must be an https URL or a file"):
        open_tokens(settings("http://id.example/jwks"), open_log(io.StringIO()))


def test_without_its_library_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(SettingsError, match=r"pip install 'yingda\[oauth\]'"):
        open_tokens(settings("https://id.example/jwks"), open_log(io.StringIO()))


def test_a_file_too_long_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(b" " * (512 * 1024 + 1))
    with pytest.raises(JwksError, match="is longer than"):
        fetcher(str(path))()
