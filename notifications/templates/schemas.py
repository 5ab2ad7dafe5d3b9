"""Bodies of the templates' API."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from notifications.templates.types import VariableKind

PAGE = 100

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.+-]{0,63}$", examples=["spring.offer"])]
Locale = Annotated[str, msgspec.Meta(min_length=2, max_length=35)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)]
Message = Annotated[str, msgspec.Meta(max_length=10_000)]
Address = Annotated[str, msgspec.Meta(max_length=2048)]
Value = str | int | float
Values = Annotated[dict[str, Value], msgspec.Meta(max_length=64)]
Fields = Annotated[dict[str, Any], msgspec.Meta(max_length=64)]


class ActionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button. `link` is what opens when it is tapped."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    title: Annotated[str, msgspec.Meta(max_length=1000)]
    link: Address = ""


class TextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The words of one language, in ICU's MessageFormat."""

    title: Message
    body: Message
    link: Address = ""
    image: Address = ""
    actions: Annotated[list[ActionBody], msgspec.Meta(max_length=8)] = []
    apple: Fields = {}
    android: Fields = {}
    web: Fields = {}


class VariableBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a variable holds. An optional one may be left out."""

    kind: VariableKind = VariableKind.TEXT
    example: Value = ""
    optional: bool = False


class TemplateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text per language, the variables they use, and what all languages share."""

    texts: Annotated[dict[Locale, TextBody], msgspec.Meta(min_length=1, max_length=64)]
    variables: Annotated[dict[str, VariableBody], msgspec.Meta(max_length=64)] = {}
    link: Address = ""
    image: Address = ""
    apple: Fields = {}
    android: Fields = {}
    web: Fields = {}


class PutTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next version. `note` says why, for those who read it later."""

    name: Name
    template: TemplateBody
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class OneTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a template."""

    name: Name


class OneVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a version, by default the newest; 0 is the template that came with Zaffa."""

    name: Name
    version: Number | None = None


class ListTemplates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE)] = PAGE


class PreviewTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version and its readers. Each `variable` is written `name=value`."""

    name: Name
    version: Number | None = None
    locale: Annotated[list[Locale], msgspec.Meta(max_length=16)] = []
    variable: Annotated[list[str], msgspec.Meta(max_length=64)] = []


class TryTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template that is not written down, its readers, and what fills it."""

    template: TemplateBody
    locales: Annotated[list[Locale], msgspec.Meta(max_length=16)] = []
    variables: Values = {}


class AskWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template that came with Zaffa, what fills it, and who reads it."""

    name: Name
    locale: Locale
    variables: Values = {}


class ProblemBody(msgspec.Struct, frozen=True):
    """What is wrong, and where. A fatal one keeps the template from being published."""

    code: str
    message: str
    locale: str
    field: str
    variable: str
    fatal: bool


class StandingBody(msgspec.Struct, frozen=True):
    """The newest version and the one in use; 0 is none, or the one that came with Zaffa."""

    name: str
    newest: int
    live: int
    changed_at: datetime


class PublicationBody(msgspec.Struct, frozen=True):
    """That a version was put to use; 0 took the template out of it."""

    version: int
    published_at: datetime
    published_by: str


class VersionBody(msgspec.Struct, frozen=True):
    """A version, what is wrong with it, and what has been in use, the latest first."""

    name: str
    version: int
    template: TemplateBody
    note: str
    created_at: datetime
    created_by: str
    live: int
    newest: int
    problems: list[ProblemBody]
    publications: list[PublicationBody]


class TemplateList(msgspec.Struct, frozen=True):
    """Stored templates, by name, and the names of those that came with Zaffa."""

    templates: list[StandingBody]
    built_in: list[str]
    cursor: str | None


class LoadBody(msgspec.Struct, frozen=True):
    """What a provider would be sent: `size` bytes of at most `limit`, or why it would refuse."""

    provider: str
    size: int
    limit: int
    refused: str
    payload: dict[str, Any]


class PreviewBody(msgspec.Struct, frozen=True):
    """What a reader of `locale` sees, in `language`. The bytes are those of the uncut words."""

    locale: str
    language: str
    direction: str
    title: str
    body: str
    link: str
    image: str
    actions: list[ActionBody]
    title_bytes: int
    body_bytes: int
    shortened: bool
    providers: list[LoadBody]


class PreviewList(msgspec.Struct, frozen=True):
    """How a template looks. None of it can be shown while it has a fatal problem."""

    name: str
    version: int
    live: int
    problems: list[ProblemBody]
    previews: list[PreviewBody]
