"""What every table of a configuration has in common: strict keys, its node, and what editors are told of its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    model_validator,
)

from netsla.config.source import Map, Place


def _key(name: str) -> str:
    return name.rstrip("_")


class Table(BaseModel):
    """A group of keys; unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, alias_generator=_key)
    node: ClassVar[Map] = Map(Place(""))  # what a table was read from; tables made by default have none

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, data: Any, handler: ModelWrapValidatorHandler[Table]) -> Table:
        """Keep the node; a key without a value is as good as none."""
        if isinstance(data, Map):
            if None in data.values():
                known = {_key(name) for name in cls.model_fields}
                table = handler({k: v for k, v in data.items() if v is not None or k not in known})
            else:
                table = handler(data)
            table.__dict__["node"] = data  # beside the fields; a private attribute costs ten times as much
            return table
        return handler(data)

    def place(self, key: str = "") -> Place:
        """The place of a key's value, else of the table."""
        return self.node.at(key)

    def gives(self, key: str) -> bool:
        """Whether the key was written, rightly or wrongly."""
        return key in self.node.keys_at

    def value(self, key: str) -> Any:
        """The value of a key by its written name."""
        return getattr(self, key if key in type(self).model_fields else key + "_")


def either(*keys: str) -> dict[str, Any]:
    """JSON Schema: exactly one of some keys; `a+b` are two that go together."""
    return {"oneOf": [{"required": key.split("+")} for key in keys]}


def not_both(*keys: str) -> dict[str, Any]:
    """JSON Schema: keys that exclude each other."""
    return {"not": {"required": list(keys)}}


def by_word(key: str, words: Mapping[str, tuple[Sequence[str], Sequence[str]]], default: str = "") -> dict[str, Any]:
    """JSON Schema: for each word of a key the other keys that it needs, and those that mean nothing with it."""
    return {
        "allOf": [
            {
                "if": {"properties": {key: {"const": word}}, "required": [] if word == default else [key]},
                "then": {"required": list(needed), "properties": dict.fromkeys(idle, False)},
            }
            for word, (needed, idle) in words.items()
        ]
    }
