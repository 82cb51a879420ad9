"""``POST /v1/completions``: completions of a text, plain and streamed."""

from gateway import tokens
from gateway.pricing import catalogue
from gateway.proxy import fields
from gateway.proxy.route import Route
from gateway.proxy.routes import chat
from gateway.proxy.routes.chat_replay import ChatReplay

ROUTE = Route(
    name="completions",
    path="/v1/completions",
    upstream_path="/completions",
    price=tokens.completion_estimate,
    count_prompt=tokens.count_completion_prompt,
    answer_text=chat.answer_text,
    read_usage=chat.read_usage,
    stream=chat.ChatStream,
    stream_changes=chat.stream_changes,
    knows=catalogue.writes_text,
    check_fields=fields.COMPLETIONS.check,
    replay=ChatReplay("text_completion", "text_completion"),
    cacheable=True,
)
