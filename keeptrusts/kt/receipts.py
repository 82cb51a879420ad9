"""The receipt of a request, as a person reads it in a terminal."""

from collections.abc import Iterator
from typing import Any

from keeptrusts.kt import output

Receipt = dict[str, Any]
WIDTH = 15


def lines(receipt: Receipt) -> Iterator[str]:
    """What and who, then the tokens and the money, then the attempts and the ledger's entries."""
    for name, text in (*_request(receipt), *_payment(receipt)):
        if text:
            yield f"{name + ':':<{WIDTH}} {text}"
    yield from _section("Tokens by class", _tokens(receipt))
    yield from _section("Attempts", map(_attempt, receipt["attempts"]))
    yield from _section("Ledger entries", map(_entry, receipt["transactions"]))


def _request(receipt: Receipt) -> Iterator[tuple[str, str]]:
    answer = "stream" if receipt["streamed"] else "plain"
    verdict = f"{receipt['verdict']} {receipt['reason_code'] or ''}".strip()
    yield "Request", receipt["id"]
    yield "Time", receipt["created_at"]
    yield "Verdict", f"{verdict}, status {receipt['status']}, {receipt['latency_ms']} ms"
    yield "Route", f"{receipt['route']} ({answer})"
    yield "Model", " ".join(filter(None, (receipt["provider"], receipt["model"])))
    for name in ("consumer_group", "team_id", "user_id", "key_id"):
        yield name.removesuffix("_id").replace("_", " ").capitalize(), receipt[name] or ""
    yield "Tags", ", ".join(f"{name}={value}" for name, value in receipt["tags"].items())
    yield "Flags", ", ".join(receipt["flags"])


def _payment(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "Wallet", receipt["wallet"] or ""
    yield "Held", output.dollars(receipt["hold"])
    yield "Cost", output.dollars(receipt["cost"])
    for name in ("written_off", "estimated_avoided_cost"):
        amount = receipt[name]
        label = name.removeprefix("estimated_").removesuffix("_cost")
        yield label.replace("_", " ").capitalize(), output.dollars(amount) if amount else ""
    yield "Price", receipt["price_version"]
    calculation = receipt["calculation"]
    yield "Formula", calculation["formula"] if calculation else ""


def _tokens(receipt: Receipt) -> Iterator[str]:
    calculation = receipt["calculation"]
    if calculation is None:
        for name, number in receipt["usage"].items():
            if number:
                yield f"{name.removesuffix('_tokens').replace('_', ' ')}: {number:,}"
        return
    for line in calculation["lines"]:
        name = line["token_class"].replace("_", " ")
        rate, cost = output.plain(line["usd_per_1k_tokens"]), output.plain(line["cost"])
        yield f"{name}: {line['tokens']:,} at ${rate} / 1K = ${cost}"


def _attempt(attempt: dict[str, Any]) -> str:
    facts = (f"{name} {output.plain(value)}" for name, value in attempt.items() if name != "target")
    return ", ".join((str(attempt.get("target", "-")), *facts))


def _entry(entry: dict[str, Any]) -> str:
    amount, balance = output.dollars(entry["amount"]), output.dollars(entry["balance_after"])
    return f"{entry['id']}  {entry['type']}  {amount}, balance {balance} ({entry['wallet']})"


def _section(title: str, rows: Iterator[str]) -> Iterator[str]:
    found = list(rows)
    if found:
        yield f"{title}:"
        yield from (f"  {row}" for row in found)
