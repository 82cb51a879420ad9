"""Headers of Anthropic's API."""

from collections.abc import Mapping

VERSION = "2023-06-01"
PASSED_ON = (b"anthropic-version", b"anthropic-beta")
"""The rest stays here: ``anthropic-workspace-id``, say, would choose who pays the provider."""


def native_headers(api_key: str | None, given: Mapping[bytes, bytes]) -> dict[str, str]:
    """What a provider of kind ``anthropic`` is sent, on ``/messages`` and everywhere else.

    The key goes as ``x-api-key``, never as ``authorization``; the version is the client's where it
    names one. ``given``: the client's headers, names in lower case.
    """
    headers = {"anthropic-version": VERSION}
    for name in PASSED_ON:
        if value := given.get(name):
            headers[name.decode()] = value.decode("latin-1")
    if api_key is not None:
        headers["x-api-key"] = api_key
    return headers
