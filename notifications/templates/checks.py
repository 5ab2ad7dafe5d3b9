"""What is wrong with a template, all of it at once. Pure.

Fatal problems keep it from being published: what is sent later can then only fail for what
whoever sends it left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from kernel.errors import Refusal
from notifications.errors import TemplateInvalid, VariableMissing, VariableUnfit, VariableUnknown
from notifications.templates.builtin import BUILT_IN
from notifications.templates.messages import merged, messages_of
from notifications.templates.patterns import FORMS, Pattern, Place, Value, forms_of
from notifications.templates.ports import Rehearsal
from notifications.templates.rendering import Beside, Rendering
from notifications.templates.scanning import NUMERIC, Forms, Use
from notifications.templates.types import Problem, Template, Variable, VariableKind
from notifications.types import Content, Text

BUTTONS = 3
"""What Android shows; iPhones show four, browsers two."""

LINK_BYTES = 1024


def problems_of(
    name: str, template: Template, *, rehearsal: Rehearsal, fallback: Sequence[str]
) -> Sequence[Problem]:
    """Everything that is wrong with it, the fatal first."""
    found = list(_of_variables(name, template))
    for locale, text in template.texts.items():
        found += _of_text(name, template, locale, merged(template, text))
    if not template.texts:
        found.append(Problem("template.invalid", "The template has no text."))
    elif not any(locale in template.texts for locale in fallback):
        languages = " or ".join(fallback)
        found.append(_advice(f"Who reads none of its languages gets any: write {languages}."))
    if not any(each.fatal for each in found):
        found += _of_example(name, template, rehearsal, fallback)
    return sorted(found, key=lambda each: not each.fatal)


def examples_of(template: Template) -> Mapping[str, Value]:
    """The variables' examples, or for want of one the variable's name, or a number."""
    return {name: _example(name, each) for name, each in template.variables.items()}


def _example(name: str, variable: Variable) -> Value:
    if variable.example != "":
        return variable.example
    return 5 if variable.kind is VariableKind.NUMBER else f"[{name}]"


def _of_variables(name: str, template: Template) -> Iterator[Problem]:
    for variable, each in template.variables.items():
        if not each.fits(each.example) and each.example != "":
            yield _problem(VariableUnfit(variable, "a number", template=name), field="example")
    if name not in BUILT_IN:
        return
    given = BUILT_IN[name].variables
    for variable, each in template.variables.items():
        if variable not in given:
            # Nobody fills it: the house tells only what it knows.
            yield _problem(VariableUnknown(variable, template=name))
        elif each.kind is not given[variable].kind:
            wanted = "a number" if given[variable].kind is VariableKind.NUMBER else "words"
            yield _problem(VariableUnfit(variable, wanted, template=name))
        elif given[variable].optional and not each.optional:
            message = f"The variable {variable!r} is optional in what the house tells."
            yield Problem("template.invalid", message, variable=variable)


def _of_text(name: str, template: Template, locale: str, text: Text) -> Iterator[Problem]:
    found: list[Problem] = []
    uses: dict[str, set[Use]] = {}

    def looked_at(field: str, message: str, place: Place) -> None:
        try:
            pattern = Pattern(message, locale, place)
        except TemplateInvalid as error:
            found.append(_problem(error, locale=locale, field=field))
            return
        for variable, some in pattern.uses.items():
            uses.setdefault(variable, set()).update(some)
        for forms in pattern.forms:
            found.extend(_of_forms(locale, field, forms))

    messages_of(text, looked_at)
    yield from found
    broken = any(each.fatal for each in found)
    for variable in sorted(uses.keys() | template.variables.keys()):
        yield from _of_variable(name, template, locale, variable, uses.get(variable, set()), broken)
    ids = [each.id for each in text.actions]
    if len(set(ids)) < len(ids):
        yield Problem("template.invalid", "Two buttons have one id.", locale, "actions")
    if len(ids) > BUTTONS:
        yield _advice(f"Android shows {BUTTONS} buttons at most.", locale, "actions")


def _of_variable(
    name: str, template: Template, locale: str, variable: str, uses: set[Use], broken: bool
) -> Iterator[Problem]:
    declared = template.variables.get(variable)
    if declared is None:
        yield _problem(VariableUnknown(variable, template=name, locale=locale))
        return
    if not uses:
        # What could not be read may well have used it.
        if not declared.optional and not broken:
            message = f"The text in {locale!r} does not use the variable {variable!r}."
            yield Problem(VariableMissing.code, message, locale, variable=variable)
        return
    if uses & NUMERIC and (declared.kind is VariableKind.TEXT or Use.SELECT in uses):
        yield _problem(VariableUnfit(variable, "a number", template=name, locale=locale))
    elif Use.SELECT in uses and declared.kind is VariableKind.NUMBER:
        yield _problem(VariableUnfit(variable, "words", template=name, locale=locale))


def _of_forms(locale: str, field: str, forms: Forms) -> Iterator[Problem]:
    if forms.use is Use.SELECT:
        return
    named = {keyword for keyword in forms.keywords if not keyword.startswith("=")}
    for keyword in sorted(named - set(FORMS)):
        message = f"{keyword!r} is no plural form; there are {', '.join(FORMS)} and =N."
        yield Problem("template.invalid", message, locale, field, forms.variable)
    has = forms_of(locale, forms.use)
    if lacking := [form for form in FORMS if form in has - named]:
        message = f"{locale!r} also has the form {' and '.join(lacking)}, said here as 'other'."
        yield _advice(message, locale, field, forms.variable)
    if useless := [form for form in FORMS if form in named - has - {"other"}]:
        message = f"No whole number has the form {' or '.join(useless)} in {locale!r}."
        yield _advice(message, locale, field, forms.variable)


def _of_example(
    name: str, template: Template, rehearsal: Rehearsal, fallback: Sequence[str]
) -> Iterator[Problem]:
    """What only shows when it is filled in."""
    rendering = Rendering(template, name=name, fallback=fallback)
    examples = examples_of(template)
    for locale in template.texts:
        try:
            content = rendering.content(locale, examples, Beside(data={}))
        except Refusal as refusal:
            yield _problem(refusal, locale=locale)
            continue
        title, body = rendering.words(locale, examples)
        for field, whole, shown in (("title", title, content.title), ("body", body, content.body)):
            if whole != shown:
                size = f"{len(whole.encode())} bytes are cut to {len(shown.encode())}"
                yield _advice(f"With the examples, {size}.", locale, field)
        yield from _of_addresses(locale, content)
        for load in rehearsal.loads(content):
            if load.refused:
                message = f"{load.provider} would refuse it: {load.refused}."
                yield Problem("template.invalid", message, locale, load.provider)


def _of_addresses(locale: str, content: Content) -> Iterator[Problem]:
    links = {"link": content.link, **{f"actions.{a.id}.link": a.link for a in content.actions}}
    for field, link in links.items():
        if len(link.encode()) > LINK_BYTES or any(char <= " " for char in link):
            message = f"A link has at most {LINK_BYTES} bytes and no spaces."
            yield Problem("template.invalid", message, locale, field)
    if content.image and not _is_https(content.image):
        message = "A picture's address begins with https://."
        yield Problem("template.invalid", message, locale, "image")


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.netloc)


def _problem(refusal: Refusal, *, locale: str = "", field: str = "") -> Problem:
    variable = str(refusal.details.get("variable", ""))
    where = locale or str(refusal.details.get("locale", ""))
    return Problem(refusal.code, refusal.message, where, field, variable)


def _advice(message: str, locale: str = "", field: str = "", variable: str = "") -> Problem:
    return Problem("advice", message, locale, field, variable, fatal=False)
