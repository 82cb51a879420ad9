"""A chat's messages as turns that alternate, and the system prompt beside them.

- What the system and the developer say stands together before the conversation, wherever it was
  said, as in Anthropic's own OpenAI compatible API.
- Neighbours of the same role become one turn; messages without content are left out.
- Every tool call is answered in the turn after it, and results come first in that turn.
"""

from collections.abc import Mapping
from typing import Any

from gateway.adapters.anthropic import parts, tools
from gateway.adapters.anthropic.fields import unsupported
from gateway.adapters.anthropic.parts import Block
from gateway.proxy.errors import invalid_field

Turn = dict[str, Any]

_USER = ("text", "image_url", "file")
_ASSISTANT = ("text", "refusal")
_RESULT = ("text", "image_url")


def conversation(messages: Any) -> tuple[list[Block], list[Turn]]:
    """The blocks of the system prompt, and the turns; raises a 400 that names the message."""
    if not isinstance(messages, list):
        raise invalid_field("messages", "must be a list")
    writer = _Writer()
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise invalid_field(f"messages.{index}", "must be an object with role and content")
        writer.add(message, f"messages.{index}")
    return writer.system, writer.finished()


class _Writer:
    """Writes turns, and keeps account of tool calls that wait for their results."""

    def __init__(self) -> None:
        self.system: list[Block] = []
        self._turns: list[Turn] = []
        self._waiting: dict[str, str] = {}
        """Name of the function by id of the call."""
        self._called: set[str] = set()

    def add(self, message: Mapping[str, Any], field: str) -> None:
        """One message, whatever its role."""
        role = message.get("role")
        if role in ("system", "developer"):
            self.system += self._marked(
                message, parts.blocks(message.get("content"), f"{field}.content", ("text",)), field
            )
        elif role == "user":
            self._say("user", message, self._content(message, field, _USER), field)
        elif role == "assistant":
            self._assistant(message, field)
        elif role in ("tool", "function"):
            self._result(message, field, older=role == "function")
        else:
            raise unsupported(f"{field}.role", "it can be system, developer, user, assistant, tool")

    def finished(self) -> list[Turn]:
        """All turns, once every message is there."""
        self._check_answered("messages")
        if not self._turns:
            raise invalid_field("messages", "must have a message of the user that is not empty")
        last = self._turns[-1]
        if last["role"] == "assistant":
            # Anthropic refuses an answer begun for it that ends in white space.
            last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()
        return self._turns

    def _content(
        self, message: Mapping[str, Any], field: str, kinds: tuple[str, ...]
    ) -> list[Block]:
        return parts.blocks(message.get("content"), f"{field}.content", kinds)

    def _assistant(self, message: Mapping[str, Any], field: str) -> None:
        if message.get("audio") is not None:
            raise unsupported(f"{field}.audio", "audio cannot be sent")
        if self._turns and self._turns[-1]["role"] == "user":
            self._check_answered(field)
        found = self._content(message, field, _ASSISTANT)
        refusal = message.get("refusal")
        if isinstance(refusal, str):
            found += parts.blocks(refusal, f"{field}.refusal", ())
        calls = tools.calls(message, field)
        if isinstance(message.get("function_call"), Mapping):
            number = f"call_{field.removeprefix('messages.')}"
            calls.append(tools.use(message["function_call"], number, f"{field}.function_call"))
        for call in calls:
            self._called_once(call, field)
        self._say("assistant", message, found + calls, field)

    def _called_once(self, call: Block, field: str) -> None:
        if call["id"] in self._called:
            raise invalid_field(f"{field}.tool_calls", f"the id '{call['id']}' is used twice")
        self._called.add(call["id"])
        self._waiting[call["id"]] = call["name"]

    def _result(self, message: Mapping[str, Any], field: str, *, older: bool) -> None:
        number = self._by_name(message, field) if older else self._by_id(message, field)
        del self._waiting[number]
        result: Block = {"type": "tool_result", "tool_use_id": number}
        if content := self._content(message, field, _RESULT):
            result["content"] = content
        self._say("user", message, [result], field)

    def _by_id(self, message: Mapping[str, Any], field: str) -> str:
        field = f"{field}.tool_call_id"
        number = tools.identity(message.get("tool_call_id"), field)
        if number not in self._waiting:
            raise invalid_field(field, "answers no tool call of the message before it")
        return number

    def _by_name(self, message: Mapping[str, Any], field: str) -> str:
        for number, name in self._waiting.items():
            if name == message.get("name"):
                return number
        raise invalid_field(f"{field}.name", "answers no function call of the message before it")

    def _check_answered(self, field: str) -> None:
        if self._waiting:
            number = next(iter(self._waiting))
            raise invalid_field(field, f"the tool call '{number}' has no message that answers it")

    def _say(self, role: str, message: Mapping[str, Any], said: list[Block], field: str) -> None:
        said = self._marked(message, said, field)
        if not said:
            return
        if not self._turns or self._turns[-1]["role"] != role:
            self._turns.append({"role": role, "content": []})
        content = self._turns[-1]["content"]
        content += said
        if role == "user":
            content.sort(key=lambda block: block["type"] != "tool_result")

    def _marked(self, message: Mapping[str, Any], said: list[Block], field: str) -> list[Block]:
        mark = parts.cache_mark(message, field)
        return [*said[:-1], said[-1] | mark] if said else []
