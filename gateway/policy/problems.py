"""What can be wrong with a policy file, said so that its author can mend it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps the file from being loaded; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``line`` and ``column`` count from 1; ``suggestion`` may be empty."""

    path: str
    line: int
    column: int
    message: str
    suggestion: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.path}:{self.line}:{self.column}: {self.severity}: {self.message}{hint}"


class PolicyError(Exception):
    """A policy file that cannot be used. ``problems`` has every finding, warnings included."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def did_you_mean(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """``did you mean 'x'?`` for the known word nearest to ``word``, or nothing."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"did you mean '{nearest[0]}'?" if nearest else ""
