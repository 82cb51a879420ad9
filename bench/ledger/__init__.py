"""Operations per second of `ledger.post`, by batch size, number of wallets and engine."""
