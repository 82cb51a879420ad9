"""The part of /v1 about requests: events, usage, spend, prices, and corrections of charges."""
