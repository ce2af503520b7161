"""Bytes of a request to a type of the contract; what is wrong becomes one clear sentence with a JSON pointer."""

import json
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from api.problems import ApiProblem, invalid
from domain.entities.rejections import Reason
from schemas.http.problems import FieldProblem

Request = TypeVar("Request")

AT = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
ENDINGS = {
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "datetime": "a time",
}
NAIVE = "must name its offset from UTC, as 2016-03-01T17:00:00Z and 2016-03-01T12:00:00-05:00 do"
SHOWN = 60  # characters of a name that the caller chose

# What msgspec says, and what we say: with the groups of the pattern, or a function of them.
Words = str | Callable[[re.Match[str]], str]
SENTENCES: tuple[tuple[re.Pattern[str], Words], ...] = (
    (re.compile(r"Expected `datetime` with a timezone component"), NAIVE),
    (re.compile(r"Invalid RFC3339 encoded datetime"), "is not a date and time after RFC 3339, as 2016-03-01T17:00:00Z is"),
    (re.compile(r"Number out of range"), "is a number too large for this world"),
    (re.compile(r"Expected `array` of length >= (\d+)"), r"must have \1 item or more"),
    (re.compile(r"Expected `array` of length <= (\d+)"), r"may have \1 items at most"),
    (re.compile(r"Expected `str` of length >= (\d+)"), "must not be empty"),
    (re.compile(r"Expected `\w+` >= (\S+)"), r"must be \1 or more"),
    (re.compile(r"Expected `\w+` <= (\S+)"), r"must be \1 or less"),
    (re.compile(r"Expected `([\w |]+)`, got `(\w+)`"), lambda found: f"must be {_kind(found[1])}, not {_kind(found[2])}"),
)


def decode(decoder: "msgspec.json.Decoder[Request]", body: bytes) -> Request:
    """The request, or ApiProblem 422 that says what is wrong with it."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _problem(_field_problem(str(error))) from error
    except (ValueError, RecursionError) as error:  # msgspec's and Unicode's errors are ValueErrors
        raise _problem(_not_json(body, error)) from error


def _problem(found: FieldProblem) -> ApiProblem:
    return invalid(found.detail, [found])


def _field_problem(message: str) -> FieldProblem:
    """What msgspec says, in our words."""
    found = AT.match(message)
    what, pointer = (found["what"], _pointer(found["path"] or "")) if found else (message, "")
    for pattern, form in ((r"Object contains unknown field `(.*)`", "{} is not a known field"), (REQUIRED, "{} is missing")):
        if named := re.fullmatch(pattern, what, re.DOTALL):
            name = named[1][:SHOWN]
            pointer = f"{pointer}/{_escaped(name)}"
            return FieldProblem(pointer=pointer, reason=Reason.INVALID_SCHEMA, detail=form.format(f"`{pointer}`") + ".")
    return FieldProblem(pointer=pointer, reason=Reason.INVALID_SCHEMA, detail=f"{_subject(pointer)} {_words(what)}.")


REQUIRED = r"Object missing required field `(.*)`"


def _words(what: str) -> str:
    for pattern, words in SENTENCES:
        if found := pattern.match(what):
            return found.expand(words) if isinstance(words, str) else words(found)
    return f"cannot be used: {what}"


def _kind(names: str) -> str:
    return " or ".join(ENDINGS.get(name.strip(), name.strip()) for name in names.split("|"))


def _not_json(body: bytes, error: Exception) -> FieldProblem:
    """The first thing that is wrong, from the outside in."""
    if not body:
        return FieldProblem(pointer="", reason=Reason.INVALID_JSON, detail="The request body is empty.")
    try:
        text = body.decode()
    except UnicodeDecodeError as invalid_text:
        detail = f"The request body is not UTF-8 text: byte {invalid_text.start}."
        return FieldProblem(pointer="", reason=Reason.INVALID_UTF8, detail=detail)
    if (name := _no_number(text)) is not None:
        detail = f"The request body holds {name}, which is not a number in JSON."
        return FieldProblem(pointer="", reason=Reason.INVALID_JSON, detail=detail)
    place = re.search(r"\(byte \d+\)", str(error))
    detail = f"The request body is not JSON{' ' + place[0] if place else ''}."
    return FieldProblem(pointer="", reason=Reason.INVALID_JSON, detail=detail)


def _no_number(text: str) -> str | None:
    """NaN, Infinity or -Infinity, when that is what is wrong with the text."""
    found: list[str] = []
    try:
        json.loads(text, parse_constant=found.append)
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None


def _pointer(path: str) -> str:
    return "".join(f"/{_escaped(name) if name else number}" for name, number in STEP.findall(path))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _subject(pointer: str) -> str:
    return f"`{pointer}`" if pointer else "The request body"
