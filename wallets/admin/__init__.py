"""The Django admin of people, wallets, keys and control. See ``base`` for what all share."""

from wallets.admin import control, keys, ledger, people, platform, tickets, wallets

__all__ = ["control", "keys", "ledger", "people", "platform", "tickets", "wallets"]
