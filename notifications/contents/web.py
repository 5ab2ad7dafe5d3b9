"""Options of `showNotification` that content may set for browsers."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from notifications.contents.words import Address, Body, Data, Instant, Line, names_of

Pulses = Annotated[list[Annotated[int, Meta(ge=0, le=10_000)]], Meta(max_length=32)]


class WebAction(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A button."""

    action: Line
    title: Line
    icon: Address | UnsetType = UNSET


class Web(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """How a browser shows it; `data` reaches the service worker in place of everybody's."""

    actions: Annotated[list[WebAction], Meta(max_length=8)] | UnsetType = UNSET
    badge: Address | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    dir: Literal["auto", "ltr", "rtl"] | UnsetType = UNSET
    icon: Address | UnsetType = UNSET
    image: Address | UnsetType = UNSET
    lang: Line | UnsetType = UNSET
    renotify: bool | UnsetType = UNSET
    require_interaction: bool | UnsetType = UNSET
    silent: bool | UnsetType = UNSET
    tag: Line | UnsetType = UNSET
    timestamp: Instant | UnsetType = UNSET
    vibrate: Pulses | UnsetType = UNSET


OPTIONS = names_of(Web)
"""With `data`, which is no option of `showNotification` but stands beside it."""
