"""What the events of `/v1/responses` lack for OpenAI's own clients, filled in while they pass.

llama.cpp numbers neither events nor outputs nor parts, and begins with a response without output.
"""

import json
from typing import Any

BETWEEN = b"\n\n"
DATA = b"data: "
OF_PARTS = ("response.content_part", "response.output_text", "response.refusal")


class Numbering:
    """One stream; `feed` takes blocks as they come and gives whole events."""

    def __init__(self) -> None:
        self._kept = b""
        self._number = 0
        self._items: dict[str, int] = {}
        self._parts: dict[str, int] = {}

    def feed(self, block: bytes) -> bytes:
        """The events that are complete now, numbered."""
        *events, self._kept = (self._kept + block).split(BETWEEN)
        return b"".join(self._event(event) + BETWEEN for event in events)

    def end(self) -> bytes:
        """What came after the last whole event, as it is."""
        return self._kept

    def _event(self, event: bytes) -> bytes:
        return b"\n".join(self._line(line) for line in event.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(DATA):
            return line
        try:
            data = json.loads(line.removeprefix(DATA))
        except ValueError:
            return line
        if not isinstance(data, dict):
            return line
        return DATA + json.dumps(self._filled(data), ensure_ascii=False).encode()

    def _filled(self, data: dict[str, Any]) -> dict[str, Any]:
        kind = str(data.get("type", ""))
        found: dict[str, Any] = {"sequence_number": self._number}
        self._number += 1
        item = str(data.get("item_id") or (data.get("item") or {}).get("id") or "")
        if item:
            found["output_index"] = self._items.setdefault(item, len(self._items))
        if kind == "response.content_part.added":
            self._parts[item] = self._parts.get(item, -1) + 1
        if kind.startswith(OF_PARTS):
            found["content_index"] = self._parts.get(item, 0)
        if isinstance(data.get("response"), dict):
            data["response"].setdefault("output", [])
        return found | data
