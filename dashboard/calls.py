"""Which calls of its callbacks the board takes: Dash answers any other with a 500 and a traceback in the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Names = tuple[tuple[str, str], ...]


class _Part(msgspec.Struct, frozen=True):
    id: str
    property: str


class _Call(msgspec.Struct, frozen=True):
    output: str
    outputs: list[_Part] | _Part
    inputs: list[_Part]
    state: list[_Part] = []
    changedPropIds: list[str] = []  # noqa: N815 - Dash's name


class Calls:
    """The calls that fit one of these callbacks, as Dash lists them for browsers. Values are the callbacks' own affair."""

    def __init__(self, listed: Iterable[Mapping[str, Any]]) -> None:
        self._known = {
            each["output"]: (_names(each["inputs"]), _names(each["state"]), _outputs(each["output"]))
            for each in listed
            if not each.get("clientside_function")
        }

    def fit(self, body: bytes) -> bool:
        """Whether it is a call of one of them, with its inputs, states and outputs."""
        try:
            call = msgspec.json.decode(body, type=_Call)
        except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
            return False
        several = isinstance(call.outputs, list)
        outputs = call.outputs if isinstance(call.outputs, list) else [call.outputs]
        given = (_ids(call.inputs), _ids(call.state), _ids(outputs))
        return self._known.get(call.output) == given and several == call.output.startswith("..")


def _outputs(name: str) -> Names:
    """Of `..a.children...b.data@7f..`, or of `a.children`."""
    parts = name.removeprefix("..").removesuffix("..").split("...") if name.startswith("..") else [name]
    return tuple((part.rpartition(".")[0], _plain(part.rpartition(".")[2])) for part in parts)


def _names(parts: Sequence[Mapping[str, str]]) -> Names:
    return tuple((part["id"], part["property"]) for part in parts)


def _ids(parts: Sequence[_Part]) -> Names:
    return tuple((part.id, _plain(part.property)) for part in parts)


def _plain(prop: str) -> str:
    """Without what tells the writers of one property from each other."""
    return prop.partition("@")[0]
