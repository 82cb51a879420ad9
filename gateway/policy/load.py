"""The way from a file to a policy, and to everything that is wrong with it."""

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path as FilePath

from gateway.policy import aliases, enforcement, rules, shape, standins
from gateway.policy.file import PolicyFile, resolved
from gateway.policy.problems import PolicyError, Problem, Severity
from gateway.policy.rules import NOTHING_KNOWN, Known
from gateway.policy.schema import PolicyDocument
from gateway.policy.source import MAX_BYTES, START, Path, Source, read

NO_SECRETS: Mapping[str, str] = {}


def load(
    path: str | PathLike[str],
    environ: Mapping[str, str],
    *,
    secrets: Mapping[str, str] = NO_SECRETS,
    known: Known = NOTHING_KNOWN,
) -> PolicyFile:
    """The policy of the file at ``path``; raises ``PolicyError`` with every problem.

    ``environ`` gives environment variables, ``secrets`` stored ones by name. A team or organization
    that is not among the ``known`` is an error.
    """
    name = fspath(path)
    try:
        data = _bytes(name)
    except OSError as error:
        raise PolicyError([_unreadable(name, error)]) from error
    return loads(data, environ, path=name, secrets=secrets, known=known)


def loads(
    data: bytes | str,
    environ: Mapping[str, str],
    *,
    path: str = "policy-config.yaml",
    secrets: Mapping[str, str] = NO_SECRETS,
    known: Known = NOTHING_KNOWN,
) -> PolicyFile:
    """As ``load``, for text that is at hand; ``path`` is only named in problems."""
    document, problems = _examined(data, path, environ, secrets, known)
    if document is None or any(found.severity is Severity.ERROR for found in problems):
        raise PolicyError(problems)
    return resolved(document, environ, secrets, path)


def lint(
    path: str | PathLike[str],
    environ: Mapping[str, str],
    *,
    secrets: Mapping[str, str] = NO_SECRETS,
    known: Known = NOTHING_KNOWN,
) -> list[Problem]:
    """Everything to say about the file at ``path``, by line. Empty: nothing. Never raises."""
    name = fspath(path)
    try:
        data = _bytes(name)
    except OSError as error:
        return [_unreadable(name, error)]
    return _examined(data, name, environ, secrets, known)[1]


def _bytes(path: str) -> bytes:
    with FilePath(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unreadable(path: str, error: OSError) -> Problem:
    return Problem(path, *START, f"cannot read the file: {error.strerror or error}")


def _examined(
    data: bytes | str,
    path: str,
    environ: Mapping[str, str],
    secrets: Mapping[str, str],
    known: Known,
) -> tuple[PolicyDocument | None, list[Problem]]:
    source = read(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
    document: PolicyDocument | None = None
    report = _Report(path, source)
    if source.value is not None or not source.findings:
        aliases.apply(source)
        document, misfits = shape.check(source.value)
        for where, message, hint in misfits:
            report.add(where, message, hint)
        for where, message in enforcement.not_enforced(source.value):
            report.add(where, message, severity=Severity.WARNING)
        wrong = [where for where, _, _ in misfits]
        rest = document or standins.valid_part(source.value, wrong)
        if rest is not None:
            for broken in rules.broken(rest, environ, stored_secrets=secrets, known=known):
                if not standins.concerns(broken[0], wrong):
                    report.add(*broken)
    return document, report.problems()


class _Report:
    """Gathers problems with their places."""

    def __init__(self, path: str, source: Source) -> None:
        self.path = path
        self.source = source
        self.found: list[Problem] = []

    def add(
        self, where: Path, message: str, hint: str = "", severity: Severity = Severity.ERROR
    ) -> None:
        """Note one finding at the place of ``where``."""
        line, column = self.source.place(where)
        self.found.append(Problem(self.path, line, column, message, hint, severity))

    def problems(self) -> list[Problem]:
        """All findings in the order of the text."""
        read_findings = [
            Problem(self.path, *finding.place, finding.message) for finding in self.source.findings
        ]
        return sorted(read_findings + self.found, key=lambda found: (found.line, found.column))
