"""The messages of a text, by their fields and where they stand. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from notifications.templates.patterns import Place
from notifications.templates.types import Template
from notifications.types import Text

SPOKEN = frozenset({"title", "subtitle", "body", "ticker"})
"""Providers' fields that people read; in all others a variable stays as it is."""

M = TypeVar("M")

Make = Callable[[str, str, Place], M]
"""Makes something of a message: its field, the message, its place."""


@dataclass(frozen=True, slots=True)
class Messages(Generic[M]):
    """What was made of each message of a text. In providers' fields it stands where they did."""

    title: M
    body: M
    link: M
    image: M
    actions: Sequence[tuple[str, M, M]]
    apple: Mapping[str, Any]
    android: Mapping[str, Any]
    web: Mapping[str, Any]


def messages_of(text: Text, make: Make[M]) -> Messages[M]:
    """Make something of each message."""
    return Messages(
        title=make("title", text.title, Place.WORDS),
        body=make("body", text.body, Place.WORDS),
        link=make("link", text.link, Place.LINK),
        image=make("image", text.image, Place.LINK),
        actions=[
            (
                each.id,
                make(f"actions.{each.id}.title", each.title, Place.WORDS),
                make(f"actions.{each.id}.link", each.link, Place.LINK),
            )
            for each in text.actions
        ],
        apple=_made("apple", text.apple, Place.PLAIN, make),
        android=_made("android", text.android, Place.PLAIN, make),
        web=_made("web", text.web, Place.PLAIN, make),
    )


def merged(template: Template, text: Text) -> Text:
    """A language's text, with what it shares with the others."""
    return replace(
        text,
        link=text.link or template.link,
        image=text.image or template.image,
        apple=_joined(template.apple, text.apple),
        android=_joined(template.android, text.android),
        web=_joined(template.web, text.web),
    )


def _joined(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both, where `own` wins; fields within fields are joined as well."""
    joined = dict(shared)
    for name, value in own.items():
        both = isinstance(value, Mapping) and isinstance(joined.get(name), Mapping)
        joined[name] = _joined(joined[name], value) if both else value
    return joined


def _made(field: str, value: Any, place: Place, make: Make[M]) -> Any:
    if isinstance(value, str):
        return make(field, value, place)
    if isinstance(value, Mapping):
        return {
            name: _made(f"{field}.{name}", each, Place.WORDS if name in SPOKEN else place, make)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_made(f"{field}.{at}", each, place, make) for at, each in enumerate(value)]
    return value
