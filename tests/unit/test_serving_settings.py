"""Settings, and what is refused at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.settings import Settings, SettingsError, check_exposure, check_roles, is_loopback, load_settings, unknown_variables


def test_defaults_bind_to_loopback_and_need_no_key() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.bundle) == ("127.0.0.1", 8000, Path("models/current"))
    check_exposure(settings)


def test_variables_set_what_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGDA_MAX_QUEUE", "7")
    monkeypatch.setenv("YINGDA_PACK", "packs/tea")
    monkeypatch.setenv("YINGDA_KEYS_FILE", "")
    settings = load_settings()
    assert (settings.max_queue, settings.pack, settings.keys_file) == (7, Path("packs/tea"), None)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("PORT", "http"), ("WORKERS", "0"), ("LOG_LEVEL", "loud"), ("MAX_QUEUE", "0")]
)
def test_a_bad_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"YINGDA_{name}", value)
    with pytest.raises(SettingsError, match=f"YINGDA_{name}={value}"):
        load_settings()


def test_unknown_variables_are_named_with_the_nearest_known() -> None:
    warnings = unknown_variables(["PATH", "YINGDA_PORT", "yingda_host", "YINGDA_BUNDEL", "YINGDA_COLOUR"])
    assert warnings == [
        "YINGDA_BUNDEL is not a setting and has no effect; did you mean YINGDA_BUNDLE?",
        "YINGDA_COLOUR is not a setting and has no effect",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "shop.example", "localhost.example", "127.0.0.1.example"])
def test_any_other_address_is_refused_without_keys(host: str) -> None:
    with pytest.raises(SettingsError, match="YINGDA_KEYS_FILE"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, keys_file=Path("keys.json")))


def test_two_people_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="YINGDA_KEYS_FILE"):
        check_roles(Settings(two_people=True))
    check_roles(Settings(two_people=True, keys_file=tmp_path / "keys.json"))


def test_tokens_are_as_good_as_keys_but_not_by_halves(tmp_path: Path) -> None:
    issuer = {"oauth_issuer": "https://id.example", "oauth_audience": "yingda", "oauth_jwks": "https://id.example/jwks"}
    whole = Settings(host="0.0.0.0", two_people=True, **issuer)  # type: ignore[arg-type]
    check_exposure(whole)
    check_roles(whole)
    for name in issuer:
        half = {each: value for each, value in issuer.items() if each != name}
        with pytest.raises(SettingsError, match=f"set YINGDA_{name.upper()}, or unset all three"):
            check_exposure(Settings(keys_file=tmp_path / "keys.json", **half))  # type: ignore[arg-type]
