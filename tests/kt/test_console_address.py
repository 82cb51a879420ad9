"""Where refusals of a gateway say that the console is."""

import os
from pathlib import Path

import pytest

from keeptrusts.kt import database, gateway_run
from keeptrusts.kt.configuration import console_address

VARIABLE = "KEEPTRUSTS_PUBLIC_URL"


class Connected(Exception):
    """The settings would be loaded now."""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file of a console elsewhere; the start of a gateway ends where settings load."""

    def connect(data: Path | None) -> Path:
        raise Connected

    monkeypatch.setattr(database, "connect", connect)
    monkeypatch.setenv(VARIABLE, "as it was")
    monkeypatch.delenv(VARIABLE)
    file = tmp_path / "policy-config.yaml"
    file.write_text("version: '1'\napi: {url: 'http://console.test:9090/', token_env: TOKEN}\n")
    return file


def start(policy: Path) -> str | None:
    with pytest.raises(Connected):
        gateway_run.run(policy, host="127.0.0.1", port=1, workers=1, data=None)
    return os.environ.get(VARIABLE)


def test_a_gateway_links_to_the_console_of_its_policy_file(policy: Path) -> None:
    assert start(policy) == "http://console.test:9090"


def test_an_address_that_was_set_counts_more(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "https://keeptrusts.example.com")
    assert start(policy) == "https://keeptrusts.example.com"


@pytest.mark.parametrize(
    "text",
    ["version: '1'\n", "api: {url: nonsense}\n", "api: {url: 'http://['}\n", "api: [\n", "7\n"],
)
def test_a_policy_file_without_a_usable_address_says_nothing(policy: Path, text: str) -> None:
    policy.write_text(text)
    assert console_address(policy) == ""
    assert console_address(policy.with_name("none.yaml")) == ""
    assert start(policy) is None
