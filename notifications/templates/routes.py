"""What can be asked of templates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

import msgspec

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from notifications.errors import (
    PushTooLarge,
    TemplateFull,
    TemplateInvalid,
    TemplateNotFound,
    VariableMissing,
    VariableUnfit,
    VariableUnknown,
)
from notifications.templates import schemas
from notifications.templates.authoring import Looked, Templates
from notifications.templates.builtin import BUILT_IN
from notifications.templates.page import preview_page
from notifications.templates.preview import Preview
from notifications.templates.types import Problem, Standing, Template, VariableKind

_FILLING = (TemplateInvalid, VariableMissing, VariableUnknown, VariableUnfit, PushTooLarge)


def operations(templates: Templates) -> list[AnyOperation]:
    """For servers and operators; users may ask what the house would tell them."""
    asked = _Asked(templates)
    on_admin = partial(Operation, scope=Scope.TEMPLATES)
    path = "/admin/v1/templates/{name}"
    return [
        on_admin(
            name="templates.list",
            method="GET",
            path="/admin/v1/templates",
            summary="List templates, and which of their versions are in use.",
            takes=schemas.ListTemplates,
            gives=schemas.TemplateList,
            run=asked.all,
            refusals=(InvalidInput, Denied),
        ),
        on_admin(
            name="templates.get",
            method="GET",
            path=path,
            summary="Read a version of a template, what is wrong with it and what was in use.",
            takes=schemas.OneVersion,
            gives=schemas.VersionBody,
            run=asked.show,
            refusals=(TemplateNotFound, Denied),
        ),
        on_admin(
            name="templates.put",
            method="PUT",
            path=path,
            summary="Write down the next version of a template, without using it yet.",
            takes=schemas.PutTemplate,
            gives=schemas.VersionBody,
            run=asked.put,
            refusals=(InvalidInput, TemplateFull, Denied),
        ),
        on_admin(
            name="templates.publish",
            method="POST",
            path=f"{path}/publish",
            summary="Put a version to use, by default the newest.",
            takes=schemas.OneVersion,
            gives=schemas.StandingBody,
            run=asked.publish,
            refusals=(TemplateNotFound, TemplateInvalid, Denied),
        ),
        on_admin(
            name="templates.roll_back",
            method="POST",
            path=f"{path}/rollback",
            summary="Put the version to use that was in use before.",
            takes=schemas.OneTemplate,
            gives=schemas.StandingBody,
            run=asked.roll_back,
            refusals=(TemplateNotFound, Denied),
        ),
        on_admin(
            name="templates.withdraw",
            method="POST",
            path=f"{path}/withdraw",
            summary="Use none of its versions; the one that came with Zaffa is back, if there is.",
            takes=schemas.OneTemplate,
            gives=schemas.StandingBody,
            run=asked.withdraw,
            refusals=(TemplateNotFound, Denied),
        ),
        on_admin(
            name="templates.preview",
            method="GET",
            path=f"{path}/preview",
            summary="See a version on an Android phone and an iPhone, in each language.",
            takes=schemas.PreviewTemplate,
            gives=schemas.PreviewList,
            run=asked.preview,
            page=lambda shown, _: preview_page(shown),
            refusals=(InvalidInput, TemplateNotFound, *_FILLING, Denied),
        ),
        on_admin(
            name="templates.try",
            method="POST",
            path="/admin/v1/template-previews",
            summary="See what a template would look like, and what is wrong with it.",
            takes=schemas.TryTemplate,
            gives=schemas.PreviewList,
            run=asked.try_out,
            refusals=(InvalidInput, *_FILLING, Denied),
        ),
        Operation(
            name="templates.words",
            method="POST",
            path="/v1/templates/{name}/words",
            summary="Word a notice that the device shows by itself, as a push would say it.",
            takes=schemas.AskWords,
            gives=schemas.PreviewBody,
            run=asked.words,
            rpc=True,
            refusals=(InvalidInput, TemplateNotFound, *_FILLING, Denied),
        ),
    ]


class _Asked:
    """From bodies to templates and back."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def all(self, principal: Principal, body: schemas.ListTemplates) -> schemas.TemplateList:
        page = await self._templates.all(principal, cursor=body.cursor, limit=body.limit)
        return schemas.TemplateList(
            [_standing(each) for each in page.items], sorted(BUILT_IN), page.cursor
        )

    async def show(self, principal: Principal, body: schemas.OneVersion) -> schemas.VersionBody:
        return _version(await self._templates.show(principal, body.name, body.version))

    async def put(self, principal: Principal, body: schemas.PutTemplate) -> schemas.VersionBody:
        template = _template(body.template)
        return _version(await self._templates.put(principal, body.name, template, note=body.note))

    async def publish(self, principal: Principal, body: schemas.OneVersion) -> schemas.StandingBody:
        return _standing(await self._templates.publish(principal, body.name, body.version))

    async def roll_back(
        self, principal: Principal, body: schemas.OneTemplate
    ) -> schemas.StandingBody:
        return _standing(await self._templates.roll_back(principal, body.name))

    async def withdraw(
        self, principal: Principal, body: schemas.OneTemplate
    ) -> schemas.StandingBody:
        return _standing(await self._templates.withdraw(principal, body.name))

    async def preview(
        self, principal: Principal, body: schemas.PreviewTemplate
    ) -> schemas.PreviewList:
        looked = await self._templates.show(principal, body.name, body.version)
        given = _given(body.variable, looked.version.template)
        return _previews(
            looked,
            self._templates.previews(principal, looked, variables=given, locales=body.locale),
        )

    async def try_out(self, principal: Principal, body: schemas.TryTemplate) -> schemas.PreviewList:
        looked = self._templates.look(principal, _template(body.template))
        return _previews(
            looked,
            self._templates.previews(
                principal, looked, variables=body.variables, locales=body.locales
            ),
        )

    async def words(self, principal: Principal, body: schemas.AskWords) -> schemas.PreviewBody:
        return _preview(
            await self._templates.words(principal, body.name, body.variables, body.locale)
        )


def _given(pairs: Sequence[str], template: Template) -> Mapping[str, str | int | float]:
    """Variables from a query string, where everything is text."""
    given: dict[str, str | int | float] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise InvalidInput("variable", "is written name=value")
        given[name] = value
        declared = template.variables.get(name)
        if declared is not None and declared.kind is VariableKind.NUMBER:
            try:
                given[name] = msgspec.json.decode(value, type=int | float)
            except msgspec.DecodeError:
                raise InvalidInput("variable", f"{name} is a number") from None
    return given


def _template(body: schemas.TemplateBody) -> Template:
    return msgspec.convert(msgspec.to_builtins(body), Template)


def _version(looked: Looked) -> schemas.VersionBody:
    version, standing = looked.version, looked.standing
    return schemas.VersionBody(
        name=version.name,
        version=version.number,
        template=msgspec.convert(msgspec.to_builtins(version.template), schemas.TemplateBody),
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
        live=standing.live if standing else 0,
        newest=standing.newest if standing else 0,
        problems=_problems(looked.problems),
        publications=[schemas.PublicationBody(**asdict(each)) for each in looked.publications],
    )


def _standing(standing: Standing) -> schemas.StandingBody:
    return schemas.StandingBody(**asdict(standing))


def _problems(problems: Sequence[Problem]) -> list[schemas.ProblemBody]:
    return [schemas.ProblemBody(**asdict(each)) for each in problems]


def _previews(looked: Looked, previews: Sequence[Preview]) -> schemas.PreviewList:
    return schemas.PreviewList(
        name=looked.version.name,
        version=looked.version.number,
        live=looked.standing.live if looked.standing else 0,
        problems=_problems(looked.problems),
        previews=[_preview(each) for each in previews],
    )


def _preview(preview: Preview) -> schemas.PreviewBody:
    content = preview.content
    return schemas.PreviewBody(
        locale=preview.locale,
        language=preview.language,
        direction=preview.direction,
        title=content.title,
        body=content.body,
        link=content.link,
        image=content.image,
        actions=[schemas.ActionBody(each.id, each.title, each.link) for each in content.actions],
        title_bytes=preview.title_bytes,
        body_bytes=preview.body_bytes,
        shortened=preview.shortened,
        providers=[schemas.LoadBody(**asdict(each)) for each in preview.loads],
    )
