"""What a template would show, language by language, and what providers would be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifications.templates.patterns import Value
from notifications.templates.ports import Load, Rehearsal
from notifications.templates.rendering import Beside, Rendering
from notifications.types import Content

RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
"""Languages whose phones show everything from the right."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How a template looks to a reader of `locale`, who gets the text in `language`.

    `title_bytes` and `body_bytes` are what they would weigh uncut.
    """

    locale: str
    language: str
    content: Content
    title_bytes: int
    body_bytes: int
    loads: Sequence[Load]

    @property
    def direction(self) -> str:
        """Of the phone: that of its own language, whatever the text is in."""
        return "rtl" if self.locale.partition("-")[0] in RIGHT_TO_LEFT else "ltr"

    @property
    def shortened(self) -> bool:
        """Whether something was cut off."""
        shown = (len(self.content.title.encode()), len(self.content.body.encode()))
        return shown != (self.title_bytes, self.body_bytes)


def previews_of(
    rendering: Rendering,
    variables: Mapping[str, Value],
    locales: Sequence[str],
    *,
    rehearsal: Rehearsal,
) -> Sequence[Preview]:
    """One preview per locale. Raises what rendering raises."""
    return [_preview(rendering, variables, locale, rehearsal) for locale in locales]


def _preview(
    rendering: Rendering, variables: Mapping[str, Value], locale: str, rehearsal: Rehearsal
) -> Preview:
    content = rendering.content(locale, variables, Beside(data={}))
    title, body = rendering.words(locale, variables)
    return Preview(
        locale=locale,
        language=rendering.nearest(locale),
        content=content,
        title_bytes=len(title.encode()),
        body_bytes=len(body.encode()),
        loads=rehearsal.loads(content),
    )
