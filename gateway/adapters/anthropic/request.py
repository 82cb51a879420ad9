"""A chat request as the body of ``/messages``."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.adapters.anthropic import fields, tools
from gateway.adapters.anthropic.fields import unsupported
from gateway.adapters.anthropic.messages import conversation
from gateway.proxy.errors import invalid_field

Body = dict[str, Any]

LEAST_BUDGET = 1024
_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only"}
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
}


def translated(request: Mapping[str, Any]) -> Body:
    """The body to send; raises ``Rejected`` (400) naming the field."""
    fields.check(request)
    system, turns = conversation(request.get("messages"))
    body: Body = {"model": request.get("model"), "max_tokens": _longest(request)}
    if system:
        body["system"] = system
    body["messages"] = turns
    body.update(_sampling(request))
    body.update(_tools(request))
    body.update(_thinking(request, body["max_tokens"]))
    if request.get("service_tier") is not None:
        body["service_tier"] = _tier(request["service_tier"])
    if (user := _user(request)) is not None:
        body["metadata"] = {"user_id": user}
    if request.get("stream") is True:
        body["stream"] = True
    return body


def _longest(request: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := request.get(name)) is not None:
            if type(value) is not int or value < 1:
                raise invalid_field(name, "must be a whole number of at least 1")
            return value
    raise invalid_field("max_tokens", "must be given")


def _sampling(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("temperature", "top_p"):
        if (value := request.get(name)) is not None:
            yield name, _share(value, name)
    if (top := request.get("top_k")) is not None:
        if type(top) is not int or top < 0:
            raise invalid_field("top_k", "must be a whole number")
        yield "top_k", top
    if stops := _stops(request.get("stop")):
        yield "stop_sequences", stops


def _share(value: Any, name: str) -> float:
    """Anthropic's range ends at 1. Its own OpenAI compatible API cuts in silence what is above."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise invalid_field(name, "must be a number from 0 to 1 for this model")
    return value


def _stops(stop: Any) -> list[str]:
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise invalid_field("stop", "must be a string or a list of strings")
    if not all(text.strip() for text in stops):
        raise unsupported("stop", "a stop sequence must not be blank")
    return stops


def _tools(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if offered := tools.definitions(request):
        yield "tools", offered
    if (choice := tools.choice(request, offered)) is not None:
        yield "tool_choice", choice


def _thinking(request: Mapping[str, Any], longest: int) -> Body:
    """``thinking`` and ``output_config``. All that is thought counts towards ``max_tokens``."""
    body: Body = {}
    output: Body = {}
    if (effort := request.get("reasoning_effort")) is not None:
        body["thinking"] = {"type": "disabled" if effort == "none" else "adaptive"}
        if effort != "none":
            output["effort"] = _effort(effort)
    if (thinking := request.get("thinking")) is not None:
        body["thinking"] = _given_thinking(thinking, longest)
    if (form := _format(request.get("response_format"))) is not None:
        output["format"] = form
    return body | ({"output_config": output} if output else {})


def _effort(effort: Any) -> str:
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise invalid_field("reasoning_effort", f"must be none, {', '.join(_EFFORTS)}")
    return _EFFORTS[effort]


def _given_thinking(thinking: Any, longest: int) -> Body:
    """Anthropic's own field, which its OpenAI compatible API takes as well."""
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    if kind not in ("enabled", "adaptive", "disabled"):
        raise invalid_field("thinking.type", "must be enabled, adaptive or disabled")
    if kind != "enabled":
        return {"type": kind}
    budget = thinking.get("budget_tokens")
    if type(budget) is not int or not LEAST_BUDGET <= budget < longest:
        raise invalid_field(
            "thinking.budget_tokens",
            f"must be a whole number from {LEAST_BUDGET} and below max_tokens ({longest})",
        )
    return {"type": "enabled", "budget_tokens": budget}


def _format(form: Any) -> Body | None:
    if form is None:
        return None
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "text":
        return None
    if kind != "json_schema":
        raise unsupported("response_format.type", "it can be text or json_schema")
    described = form.get("json_schema")
    schema = described.get("schema") if isinstance(described, Mapping) else None
    if not isinstance(schema, Mapping):
        raise invalid_field("response_format.json_schema.schema", "must be a JSON schema")
    return {"type": "json_schema", "schema": dict(schema)}


def _tier(tier: Any) -> str:
    if not isinstance(tier, str) or tier not in _TIERS:
        raise unsupported("service_tier", f"it can be {', '.join(_TIERS)}")
    return _TIERS[tier]


def _user(request: Mapping[str, Any]) -> str | None:
    """A digest: Anthropic wants no names or addresses, and refuses what looks like one."""
    for name in ("safety_identifier", "user"):
        if (value := request.get(name)) is not None:
            if not isinstance(value, str):
                raise invalid_field(name, "must be a string")
            return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return None
