"""The local model: a small real language model behind an OpenAI-compatible server, for trials
without a key.

`weights` finds the model file, `llama` serves it, `front` bounds its answers, `echo` stands in
where no wheel of the runtime exists, `serve` chooses between them and runs until it is told to
stop.
"""
