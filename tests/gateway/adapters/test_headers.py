"""What a provider of kind anthropic is sent of headers, and who has an adapter."""

from gateway import adapters

SENT_BY_CLIENT = {
    b"x-api-key": b"kt_cg_secret",
    b"authorization": b"Bearer kt_cg_secret",
    b"openai-organization": b"org-1",
    b"anthropic-workspace-id": b"wrkspc_1",
    b"anthropic-dangerous-direct-browser-access": b"true",
}


def test_the_key_goes_as_x_api_key_and_nothing_of_the_client_goes_on() -> None:
    assert adapters.native_headers("sk-ant", SENT_BY_CLIENT) == {
        "x-api-key": "sk-ant",
        "anthropic-version": "2023-06-01",
    }


def test_the_client_may_name_version_and_betas() -> None:
    given = {b"anthropic-version": b"2024-01-01", b"anthropic-beta": b"context-1m-2025-08-07"}
    assert adapters.native_headers(None, given) == {
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "context-1m-2025-08-07",
    }


def test_chat_has_an_adapter_for_anthropic_only() -> None:
    adapter = adapters.of("anthropic", "chat.completions")
    assert adapter is not None
    assert adapter.path == "/messages"
    assert adapter.headers("k", {})["x-api-key"] == "k"
    assert adapters.of("openai", "chat.completions") is None
    assert adapters.of("anthropic", "messages") is None


def test_only_anthropic_speaks_anthropic() -> None:
    assert adapters.speaks_anthropic("anthropic")
    assert not adapters.speaks_anthropic("openai")
