"""A JSON Schema's properties as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from docs._generate.markdown import code, sentence, table

Schema = Mapping[str, Any]
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "minItems": "{} at least",
    "maxItems": "{} at most",
    "pattern": "matches `{}`",
}


def fields(schema: Schema) -> str:
    """Name, type, whether it may be left out, and what it means."""
    required = set(schema.get("required", ()))
    rows = (_row(name, each, required=name in required) for name, each in schema.get("properties", {}).items())
    return table(("field", "type", "meaning"), rows)


def _row(name: str, schema: Schema, *, required: bool) -> Sequence[str]:
    optional = "" if required else f"May be left out{_default(schema)}. "
    return code(name), kind(schema), optional + sentence(schema.get("description", ""))


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default is None else f": `{str(default).lower() if isinstance(default, bool) else default}`"


def kind(schema: Schema) -> str:
    """A type in words, with a link where it is a named one."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower().strip('_')})"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(each) for each in schema["enum"])
    return _plain(schema) + _limits(schema)


def _plain(schema: Schema) -> str:
    name = schema.get("type", "anything")
    if "prefixItems" in schema:
        return f"list of {', '.join(kind(each) for each in schema['prefixItems'])}"
    if name == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if name == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind(schema['additionalProperties'])}"
    return f"{name} ({schema['format']})" if "format" in schema else str(name)


def _limits(schema: Schema) -> str:
    found = [words.format(schema[name]) for name, words in LIMITS.items() if name in schema]
    return f", {', '.join(found)}" if found else ""
