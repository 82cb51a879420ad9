"""How many completion tokens a stream has delivered, before its provider says it."""

from gateway.proxy.call import COMPLETION_SLACK, COMPLETION_SLACK_SHARE, Call
from gateway.proxy.route import Stream
from gateway.tokens import counters


class Meter:
    """A bound of the completion tokens a stream has delivered.

    It is never too low at first: the exact count where the tokenizer is known, else one token per
    byte. Once ``tight`` an unknown tokenizer is taken for the likely one, with the margin by which
    a provider's own count may exceed the bound of a request: money that is there is not kept from
    an answer that it pays for. Between two counts every byte counts as a token: text is counted
    once it could matter, and only what is new of it.
    """

    def __init__(self, call: Call) -> None:
        admitted = call.admission
        assert admitted is not None
        self._call = call
        self._choices = admitted.estimate.choices
        self._counter = counters.bounding(call.event.model, official=admitted.target.official)
        self._stream: Stream | None = None
        self._read = 0
        self._prompt: int | None = None
        self.counted = 0
        self.tight = False

    @property
    def prompt_tokens(self) -> int:
        """Of the request, as near to the truth as is known."""
        if self._prompt is None:
            self._prompt = self._call.route.count_prompt(self._call.request, self._call.event.model)
        return self._prompt

    def bound(self, stream: Stream, free: int) -> int:
        """So many tokens at most; exact work is done only where they may be more than ``free``."""
        if stream is not self._stream:
            self._stream, self._read, self.counted = stream, 0, 0
        if self._bound(stream) > free:
            self.counted += self._counter.text(stream.fresh())
            self._read = stream.size()
        return self._bound(stream)

    def tighten(self, stream: Stream) -> bool:
        """Count by the likely tokenizer from now on, all over again; False: that is done already.

        A tokenizer that is known needs no margin, its count stays as it is.
        """
        if self.tight or self._counter is not counters.BYTES:
            return False
        self.tight, self._counter = True, counters.likely(self._call.event.model)
        stream.fresh()
        self.counted, self._read = self._counter.text(stream.text()), stream.size()
        return True

    def _bound(self, stream: Stream) -> int:
        counted = self.counted + stream.size() - self._read
        if not self.tight:
            return counted
        return counted + counted // COMPLETION_SLACK_SHARE + COMPLETION_SLACK * self._choices
