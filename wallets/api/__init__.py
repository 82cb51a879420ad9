"""The part of /v1 about people, keys, wallets and money; and the base of every other part."""
