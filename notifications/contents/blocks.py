"""The fields that only one provider knows, read and checked. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kernel.errors import InvalidInput
from kernel.operations import invalid_input
from notifications.contents.android import Android
from notifications.contents.apple import Apple
from notifications.contents.web import Web

BLOCKS: Mapping[str, type[msgspec.Struct]] = {"apple": Apple, "android": Android, "web": Web}
"""What may stand under each name of a content."""


def block_of(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a block says, as its provider names it. Raises `InvalidInput` with the field's path."""
    try:
        said: dict[str, Any] = msgspec.to_builtins(msgspec.convert(given, BLOCKS[name]))
    except msgspec.ValidationError as error:
        told = invalid_input(error, BLOCKS[name]).details
        raise InvalidInput(f"{name}.{told['field']}", str(told["rule"])) from None
    return said
