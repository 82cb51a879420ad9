"""Reads YAML text into plain values and remembers where each of them stands.

Only what a policy file needs: mappings with text keys, lists, text, whole numbers, finite decimal
numbers, booleans and null. Tags, anchors and aliases are refused, so a small file cannot
grow into a big one; size, depth and the number of values are bounded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_VALUES = 200_000

Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]
START: Place = (1, 1)

_TAG = "tag:yaml.org,2002:"
# libyaml where the wheel has it: ten times faster on a file with thousands of keys.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place (line and column from 1) of the text."""

    place: Place
    message: str


@dataclass(slots=True)
class Source:
    """The values of a YAML text, with the place of every key and every value by its path."""

    value: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Where ``path`` stands; what is not in the text stands where its nearest parent does."""
        while path:
            if found := self.keys.get(path) or self.values.get(path):
                return found
            path = path[:-1]
        return START

    def moved(self, old: Path, new: Path) -> None:
        """Give everything under ``old`` the path ``new``: an alias took its proper name."""
        for places in (self.keys, self.values):
            for path in [path for path in places if path[: len(old)] == old]:
                places[new + path[len(old) :]] = places.pop(path)


class _Stop(Exception):
    """The text cannot be read any further."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(place, message)


def read(data: bytes) -> Source:
    """Values and findings of ``data``. Never raises, whatever the bytes are."""
    source = Source()
    try:
        _Reader(_text(data), source).document()
    except _Stop as stop:
        source.findings.append(stop.finding)
    return source


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _Stop(START, f"the file is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Stop((line, 1), "the file is not UTF-8 text") from None


def _place(mark: Any) -> Place:
    return (mark.line + 1, mark.column + 1) if mark is not None else START


def _events(text: str) -> Iterator[Any]:
    """The events of ``text``; everything the YAML library raises becomes a stop with a place."""
    place = START
    try:
        for event in yaml.parse(text, Loader=_Loader):
            place = _place(event.start_mark)
            yield event
    except yaml.MarkedYAMLError as error:
        where = _place(error.problem_mark or error.context_mark)
        raise _Stop(where, f"this is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, OverflowError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise _Stop(place, f"this is not YAML: {reason}") from None


class _Reader:
    """Turns events into values, depth first."""

    def __init__(self, text: str, source: Source) -> None:
        self.events = _events(text)
        self.source = source
        self.resolver = yaml.SafeLoader("")
        self.read_values = 0

    def document(self) -> None:
        """Read the one document of the text."""
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise _Stop(START, "the file is empty")
        self.source.value = self._value(event, ())
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise _Stop(_place(event.start_mark), "the file has a second document; keep one")

    def _next(self) -> Any:
        return next(self.events)

    def _value(self, event: Any, path: Path) -> Any:
        place = _place(event.start_mark)
        self.read_values += 1
        if len(path) > MAX_DEPTH:
            raise _Stop(place, f"nested deeper than {MAX_DEPTH} levels")
        if self.read_values > MAX_VALUES:
            raise _Stop(place, f"more than {MAX_VALUES} values")
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _Stop(place, "anchors and aliases are not accepted; write the value out")
        self.source.values[path] = place
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = _place(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Stop(place, "a key must be text")
            self._key(result, event.value, place, path)
        return result

    def _key(self, result: dict[str, Any], key: str, place: Place, path: Path) -> None:
        where = (*path, key)
        if key in result:
            first = self.source.keys[where][0]
            self._find(place, f"duplicate key '{key}'; it stands on line {first} already")
            self._value(self._next(), (*path, key, "(again)"))
            return
        self.source.keys[where] = place
        result[key] = None
        result[key] = self._value(self._next(), where)

    def _sequence(self, path: Path) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            result.append(self._value(event, (*path, len(result))))
        return result

    def _scalar(self, event: Any) -> Any:
        place = _place(event.start_mark)
        if event.tag is not None and event.tag != "!":
            self._find(place, "tags are not accepted; write the value as it is")
            return event.value
        tag = self.resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        return self._plain(tag.removeprefix(_TAG), event.value, place)

    def _plain(self, kind: str, text: str, place: Place) -> Any:
        node = yaml.ScalarNode(_TAG + kind, text)
        try:
            if kind == "int":
                return self.resolver.construct_yaml_int(node)
            if kind == "float":
                return self._finite(self.resolver.construct_yaml_float(node), place)
        except (ValueError, OverflowError):
            self._find(place, "this number cannot be read")
            return 0
        if kind == "bool":
            return self.resolver.construct_yaml_bool(node)
        return None if kind == "null" else text

    def _finite(self, number: float, place: Place) -> float:
        if math.isfinite(number):
            return number
        self._find(place, "a number must be finite")
        return 0.0

    def _find(self, place: Place, message: str) -> None:
        self.source.findings.append(Finding(place, message))
