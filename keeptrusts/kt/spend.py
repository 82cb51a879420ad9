"""`kt spend`: what teams have used of their budget this month."""

from typing import Any

import typer

from keeptrusts.kt import output


def spend(
    team: str = typer.Option("", help="Slug of one team."),
    every: bool = typer.Option(False, "--all", help="All teams, as a table."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show the budget and the spend of this month, for one team or for all."""
    if bool(team) == every:
        raise typer.BadParameter("give either --team NAME or --all")
    from keeptrusts.kt.client import Client

    results = Client().get("/v1/spend", {"team": team})["results"]
    if as_json:
        output.line(output.as_json(results if every else results[0]))
    elif every:
        _show_all(results)
    else:
        _show_team(results[0])


def _show_team(result: dict[str, Any]) -> None:
    period = result["period"]
    output.line(f"Team: {result['team']}")
    output.line(f"Period: {period['start']} to {period['end']}")
    output.line(f"Budget: {output.dollars(result['budget'])}")
    output.line(f"Spent: {output.dollars(result['spent'])}")
    output.line(f"Remaining: {output.dollars(result['remaining'])}")
    output.line(f"Usage: {output.percent(result['usage_percent'])}")
    output.line(f"Balance: {output.dollars(result['balance'])} (team and its user wallets)")
    output.line(f"Burn rate: {output.dollars(result['burn_rate_per_day'])} per day")
    if result["drawn_from_organization"]:
        output.line(f"Drawn from organization: {output.dollars(result['drawn_from_organization'])}")
    output.line("Breakdown by model:")
    for model in result["models"]:
        output.line(f"  {model['model']}: {output.dollars(model['cost'])} ({_behind(model)})")


def _behind(model: dict[str, Any]) -> str:
    """What a cost stands for; it is net of the adjustments."""
    parts = [output.count(model["tokens"], "token"), output.count(model["requests"], "request")]
    if model["adjusted"]:
        parts.append(f"adjustments: {output.dollars(model['adjusted'])}")
    return ", ".join(parts)


def _show_all(results: list[dict[str, Any]]) -> None:
    headers = ("Team", "Budget", "Spent", "Remaining", "Usage")
    rows = [
        (
            result["team"],
            output.dollars(result["budget"]),
            output.dollars(result["spent"]),
            output.dollars(result["remaining"]),
            output.percent(result["usage_percent"]),
        )
        for result in results
    ]
    output.table(headers, rows)
