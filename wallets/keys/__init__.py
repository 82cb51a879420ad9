"""Credentials: made here, shown once, kept as digests; rotated with overlap, revoked at once."""

from wallets.keys.authentication import authenticate
from wallets.keys.ending import revoke, rotate
from wallets.keys.issuing import issue_api_token, issue_group_key, issue_user_key
from wallets.keys.secret import GROUP, LIVE, PERSONAL, digest

__all__ = [
    "GROUP",
    "LIVE",
    "PERSONAL",
    "authenticate",
    "digest",
    "issue_api_token",
    "issue_group_key",
    "issue_user_key",
    "revoke",
    "rotate",
]
