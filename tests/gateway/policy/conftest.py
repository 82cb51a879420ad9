"""A correct policy file, and how tests bend it."""

from collections.abc import Callable

import pytest

from gateway import policy

ENVIRON = {"OPENAI_API_KEY": "sk-test", "KEEPTRUSTS_API_TOKEN": "kt_live_test"}
SMALL = """\
version: '1'
providers:
  targets:
    - id: openai
      provider: openai
      secret_key_ref: {env: OPENAI_API_KEY}
consumer_groups:
  - name: engineering
    api_key: kt_cg_engineering
    wallet_team_id: team_engineering
"""

Load = Callable[..., policy.PolicyFile]
Errors = Callable[..., list[str]]


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment variables the files of these tests refer to."""
    return dict(ENVIRON)


@pytest.fixture
def loaded(environ: dict[str, str]) -> Load:
    """Loads the small file with ``more`` appended, after replacing ``old`` by ``new``."""

    def load(more: str = "", old: str = "", new: str = "", **extra: str) -> policy.PolicyFile:
        return policy.loads(SMALL.replace(old, new, 1) + more, environ | extra)

    return load


@pytest.fixture
def errors(environ: dict[str, str]) -> Errors:
    """The errors of a text, as ``line:column message (suggestion)``."""

    def find(text: str | bytes, **options: object) -> list[str]:
        try:
            policy.loads(text, environ, **options)  # type: ignore[arg-type]
        except policy.PolicyError as error:
            return [
                str(problem).removeprefix("policy-config.yaml:")
                for problem in error.problems
                if problem.severity is policy.Severity.ERROR
            ]
        return []

    return find
