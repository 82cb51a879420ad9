"""The content filter: prompts are shown to the target's own moderation before they are sent on."""
