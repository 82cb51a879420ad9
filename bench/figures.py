"""Medians, percentiles and plain tables."""

from collections.abc import Sequence
from statistics import median

__all__ = ["Table", "median", "number", "percentile"]


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of unsorted ``values``; ``share`` 0.99 is p99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def number(value: float | None) -> str:
    """Three figures that matter: 12,345 · 123 · 12.3 · 1.23 · 0.123; a dash for nothing."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.{2 if abs(value) >= 1 else 3}f}"


class Table:
    """Rows under headings; the first column is text, the others are figures."""

    def __init__(self, title: str, *headings: str) -> None:
        self.title = title
        self._rows: list[tuple[str, ...]] = [headings]

    def add(self, *cells: str | float | None) -> None:
        """One row; numbers are shown with three figures."""
        self._rows.append(tuple(cell if isinstance(cell, str) else number(cell) for cell in cells))

    def __str__(self) -> str:
        """The table as Markdown, aligned so that it reads well in a terminal too."""
        widths = [max(len(row[i]) for row in self._rows) for i in range(len(self._rows[0]))]
        lines = [self._line(row, widths) for row in self._rows]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines.insert(1, self._line(tuple(rule), widths))
        return "\n".join([f"\n{self.title}\n", *lines])

    @staticmethod
    def _line(row: tuple[str, ...], widths: list[int]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"
