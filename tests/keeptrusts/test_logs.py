"""Log lines carry the request id and no secrets."""

import json
import logging
import logging.config
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from keeptrusts import logs


@pytest.fixture
def output() -> Iterator[StringIO]:
    """What one logger of the JSON configuration writes."""
    configuration = logs.configuration(level="INFO", style="json")
    formatter = dict(configuration["formatters"]["structured"])
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    logger = logging.getLogger("tests.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)


def line(output: StringIO) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(output.getvalue())
    return entry


def test_a_line_is_one_object_with_time_level_and_logger(output: StringIO) -> None:
    logging.getLogger("tests.logs").info("paid %d", 3)
    entry = line(output)
    assert (entry["event"], entry["level"], entry["logger"]) == ("paid 3", "info", "tests.logs")
    assert entry["timestamp"].endswith("Z")


def test_lines_of_a_request_carry_its_id(output: StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        logging.getLogger("tests.logs").info("paid")
    assert line(output)["request_id"] == "req_1"


@pytest.mark.parametrize(
    "secret",
    [
        "kt_live_0123456789abcdef",
        "kt_cg_engineering_abc123",
        "kt_user_0123456789",
        "sk-proj-0123456789",
        "Bearer abc.def",
    ],
)
def test_secrets_in_texts_are_hidden(output: StringIO, secret: str) -> None:
    logging.getLogger("tests.logs").info("refused %s here", secret)
    assert line(output)["event"] == "refused [hidden] here"


def test_passwords_in_addresses_are_hidden(output: StringIO) -> None:
    logging.getLogger("tests.logs").info("lost postgres://kt:hunter2@db/keeptrusts")
    assert line(output)["event"] == "lost postgres://[hidden]@db/keeptrusts"


@pytest.mark.parametrize("name", ["password", "api_key", "Authorization", "secret_key", "token"])
def test_values_under_secret_names_are_hidden(output: StringIO, name: str) -> None:
    extra = {"detail": {name: "plain", "tokens": 12}}
    logging.getLogger("tests.logs").info("event", extra=extra)
    assert line(output)["detail"] == {name: "[hidden]", "tokens": 12}


def test_secrets_in_tracebacks_are_hidden(output: StringIO) -> None:
    try:
        raise ValueError("kt_live_0123456789abcdef")
    except ValueError:
        logging.getLogger("tests.logs").exception("failed")
    assert "kt_live_" not in output.getvalue()
    assert "ValueError: [hidden]" in line(output)["exception"]
