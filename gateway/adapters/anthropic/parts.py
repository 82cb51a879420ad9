"""Parts of a message's content: text, pictures, files."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from gateway.adapters.anthropic.fields import unsupported
from gateway.proxy.errors import invalid_field

Block = dict[str, Any]

PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[\w.+-]+=[^;,]*)*);base64,", re.ASCII)


def blocks(content: Any, field: str, kinds: tuple[str, ...]) -> list[Block]:
    """Content as blocks; parts of other ``kinds`` are refused. Blank texts are left out, for
    Anthropic refuses them and they say nothing.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    if not isinstance(content, list):
        raise invalid_field(field, "must be a string or a list of parts")
    found = (_block(part, f"{field}.{index}", kinds) for index, part in enumerate(content))
    return [block for block in found if block is not None]


def text_block(text: str) -> Block:
    """A block of text."""
    return {"type": "text", "text": text}


def cache_mark(holder: Mapping[str, Any], field: str) -> Block:
    """The ``cache_control`` of a part, message or tool, as something to merge into its block.

    What a write to the cache costs is within the hold: every prompt token is held at the dearest
    rate it can have.
    """
    mark = holder.get("cache_control")
    if mark is None:
        return {}
    field = f"{field}.cache_control"
    if not isinstance(mark, Mapping) or mark.get("type") != "ephemeral":
        raise invalid_field(field, 'must be {"type": "ephemeral"}, with a ttl of "5m" or "1h"')
    if mark.get("ttl") is None:
        return {"cache_control": {"type": "ephemeral"}}
    if mark["ttl"] not in ("5m", "1h"):
        raise invalid_field(f"{field}.ttl", 'must be "5m" or "1h"')
    return {"cache_control": {"type": "ephemeral", "ttl": mark["ttl"]}}


def _block(part: Any, field: str, kinds: tuple[str, ...]) -> Block | None:
    if not isinstance(part, Mapping):
        raise invalid_field(field, "must be an object with a type")
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise unsupported(f"{field}.type", f"here only {' and '.join(kinds)} can be sent")
    if kind == "image_url":
        block: Block | None = _picture(part, f"{field}.image_url")
    elif kind == "file":
        block = _document(part.get("file"), f"{field}.file")
    else:
        block = _text(part, kind, field)
    return None if block is None else block | cache_mark(part, field)


def _text(part: Mapping[str, Any], name: str, field: str) -> Block | None:
    text = part.get(name)
    if not isinstance(text, str):
        raise invalid_field(f"{field}.{name}", "must be a string")
    return text_block(text) if text.strip() else None


def _picture(part: Mapping[str, Any], field: str) -> Block:
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(address, str):
        raise invalid_field(f"{field}.url", "must be a string")
    if address.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": address}}
    kind, data = _data(address, f"{field}.url", "an http(s) URL or ")
    if kind not in PICTURES:
        raise unsupported(f"{field}.url", f"pictures may be {', '.join(PICTURES)}")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _document(file: Any, field: str) -> Block:
    """Text files only: what a PDF costs goes by its pages, which its bytes do not bound."""
    if not isinstance(file, Mapping):
        raise invalid_field(field, "must be an object with file_data")
    if file.get("file_data") is None:
        raise unsupported(f"{field}.file_id", "send the text of the file as file_data")
    kind, data = _data(file["file_data"], f"{field}.file_data", "")
    if not kind.startswith("text/"):
        raise unsupported(
            f"{field}.file_data", "only text files have a price that is known before they are sent"
        )
    block: Block = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": _decoded(data, field)},
    }
    name = file.get("filename")
    return block | ({"title": name} if isinstance(name, str) and name else {})


def _data(address: Any, field: str, otherwise: str) -> tuple[str, str]:
    found = _DATA.match(address) if isinstance(address, str) else None
    if found is None or len(address) == found.end():
        raise invalid_field(field, f"must be {otherwise}a data: URL in base64")
    return found[1].lower(), address[found.end() :]


def _decoded(data: str, field: str) -> str:
    try:
        text = base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    if not text.strip():
        raise invalid_field(f"{field}.file_data", "must be text in UTF-8, in base64")
    return text
