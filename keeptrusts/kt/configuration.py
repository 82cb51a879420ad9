"""Where the API is and which token to show it: the environment, else `api:` of a policy file
here."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keeptrusts.kt.errors import Failure

POLICY_FILES = ("policy-config.yaml", "policy-config.yml")
URL_VARIABLE = "KEEPTRUSTS_API_URL"
TOKEN_VARIABLE = "KEEPTRUSTS_API_TOKEN"


@dataclass(frozen=True)
class ApiAccess:
    """The address of the API (no trailing slash) and the bearer token."""

    url: str
    token: str


def api_access() -> ApiAccess:
    """What the commands that talk to the API use; raises Failure naming what is missing."""
    settings = _settings_of_policy_file()
    url = os.environ.get(URL_VARIABLE) or str(settings.get("url") or "")
    if not url:
        raise Failure(
            f"no API address: set {URL_VARIABLE} (for example http://127.0.0.1:8080), "
            f"or api.url in {POLICY_FILES[0]}"
        )
    if not url.startswith(("http://", "https://")):
        raise Failure(f"the API address {url!r} is no http:// or https:// URL: set {URL_VARIABLE}")
    name = str(settings.get("token_env") or TOKEN_VARIABLE)
    token = os.environ.get(TOKEN_VARIABLE) or os.environ.get(name) or ""
    if not token:
        raise Failure(f"no API token: set {name} to a token of the API (kt_live_…)")
    return ApiAccess(url.rstrip("/"), token.strip())


def console_address(policy_file: Path) -> str:
    """Where the policy file says the console is (no trailing slash); empty where it does not say
    it in a way that can be used. What is wrong with the file is not told here.
    """
    try:
        url = str(_settings_of(policy_file).get("url") or "")
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except (Failure, OSError, ValueError):
        return ""
    return url.rstrip("/") if usable else ""


def _settings_of_policy_file() -> dict[str, Any]:
    path = next((Path(name) for name in POLICY_FILES if Path(name).is_file()), None)
    return _settings_of(path) if path is not None else {}


def _settings_of(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    settings = document.get("api") if isinstance(document, dict) else None
    return settings if isinstance(settings, dict) else {}
