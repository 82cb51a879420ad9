"""Words of the protocols: they are the same in every request and say nothing of their own."""

_WORDS = """
    role content type text name id index status format detail strict title description
    system developer user assistant tool function custom message
    tool_calls tool_call_id tool_use_id call_id arguments function_call parameters input_schema
    tool_choice tools functions input output source data url file_id file_data filename
    image_url input_audio audio file media_type image document refusal annotations citations
    input_text output_text input_image input_file summary_text reasoning_text
    tool_use tool_result server_tool_use thinking redacted_thinking signature is_error
    function_call_output custom_tool_call custom_tool_call_output reasoning summary phase
    encrypted_content item_reference compaction image_generation_call result
    cache_control ephemeral ttl response_format json_schema json_object schema verbosity
    object string number integer boolean array null properties required items enum const
    additionalProperties anyOf allOf oneOf not default minimum maximum minLength maxLength
    minItems maxItems pattern $defs $ref $schema
    base64 auto any none low medium high completed in_progress incomplete
    image/png image/jpeg image/gif image/webp application/pdf text/plain
    wav mp3 flac opus pcm16
"""
PROTOCOL = frozenset(_WORDS.split())
