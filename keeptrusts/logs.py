"""Structured logs: one line per event, with the request id, without secrets."""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_NAMES = re.compile(
    r"password|passwd|secret|token$|api_key|authorization|cookie|credential|private_key|field_key",
    re.IGNORECASE,
)
SECRET_VALUES = re.compile(
    r"\bkt_(?:live|cg|user)_[\w-]+|\bsk-[\w-]{8,}|\bBearer\s+\S+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
HIDDEN = "[hidden]"


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values under secret names, and secrets that stand inside texts."""
    return {
        name: HIDDEN if SECRET_NAMES.search(name) else _without_secrets(value)
        for name, value in event.items()
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_VALUES.sub(HIDDEN, value)
    if isinstance(value, dict):
        return hide_secrets(None, "", value)
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
    hide_secrets,
]


def configuration(*, level: str, style: str) -> dict[str, Any]:
    """Django's LOGGING: `style` is `json` (one object a line) or `console` (for people)."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # The answer's status and the request id are enough; refused requests are no warning.
            "django.request": {"level": "ERROR"},
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": True},
        },
    }


def configure() -> None:
    """Send structlog's own loggers through the same handlers as everybody else's."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
