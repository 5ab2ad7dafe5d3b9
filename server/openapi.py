"""The OpenAPI 3.1 document of a gateway, written from its operations. Pure."""

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kernel.errors import Denied, InvalidInput, RateLimited, Refusal, Unauthenticated
from kernel.operations import AnyOperation
from messaging.api.calls import ServerApi
from messaging.api.results import BatchResult, Error
from server.errors import STATUS, ErrorBody
from server.operations import LINES

_REF = "#/components/schemas/{name}"
_ALWAYS: tuple[type[Refusal], ...] = (InvalidInput, Unauthenticated, Denied, RateLimited)
_USER = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token that the application's own server signed for the user.",
    }
}
_SERVER = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The secret of a server, made by `zaffa key create`.",
    }
}

_ABOUT = (
    "Every error is `{code, message, details}`: `code` is for programs and never changes, "
    "`message` is for people. What has `x-rpc: true` can also be called over the WebSocket "
    "connection, by its operationId."
)
_ABOUT_METHODS = (
    "Methods, fields and numbers are those of Centrifugo's HTTP API. The status is 200 also when "
    "there is an `error` in the answer, unless `X-Centrifugo-Error-Mode: transport` is sent: "
    "then the error alone is the answer, with a status of its own."
)

Document = dict[str, Any]


def client_document(operations: Iterable[AnyOperation], *, version: str) -> Document:
    """For applications that act for one user."""
    users = [each for each in operations if each.scope is None]
    return _document("Zaffa client API", users, _USER, version)


def admin_document(operations: Iterable[AnyOperation], *, version: str) -> Document:
    """For the application's own servers."""
    servers = [each for each in operations if each.scope is not None]
    return _document("Zaffa admin API", servers, _SERVER, version)


def api_document(api: ServerApi, *, version: str) -> Document:
    """For back ends that speak to channels as they would to Centrifugo."""
    operations = [*api.commands.operations, *api.batches.operations]
    return _document(
        "Zaffa server API", operations, _SERVER, version, described=_Method, about=_ABOUT_METHODS
    )


def _document(
    title: str,
    operations: Sequence[AnyOperation],
    security: Mapping[str, object],
    version: str,
    *,
    described: "type[_Described] | None" = None,
    about: str = _ABOUT,
) -> Document:
    types = {each.takes for each in operations}
    types |= {each.gives for each in operations if not each.document}
    types |= {ErrorBody, Error}
    ordered = sorted(types, key=lambda each: str(getattr(each, "__name__", each)))
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    by_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, object]] = defaultdict(dict)
    for operation in operations:
        made = (described or _Described)(operation, by_type, components)
        paths[operation.path][operation.method.lower()] = made.document()
    _drop_unused(components, paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": about,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in security],
        "tags": [{"name": name} for name in sorted({_tag(each) for each in operations})],
        "paths": dict(paths),
        "components": {"schemas": components, "securitySchemes": security},
    }


class _Described:
    """One operation, being described."""

    def __init__(
        self,
        operation: AnyOperation,
        schemas: Mapping[type, dict[str, Any]],
        components: dict[str, Any],
    ) -> None:
        self._operation = operation
        self._schemas = schemas
        # Two rooms may use the same name; then the component's is longer.
        name = schemas[operation.takes]["$ref"].rpartition("/")[2]
        self._takes = _cleaned(components[name])
        self._components = components

    def document(self) -> dict[str, object]:
        operation = self._operation
        described: dict[str, object] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "tags": [_tag(operation)],
            "parameters": list(self._parameters()),
            "responses": {str(operation.status): self._answer(), **self._errors()},
        }
        if operation.open:
            described["security"] = []
        if operation.scope is not None:
            described["description"] = f"Needs an API key with the scope `{operation.scope}`."
        if operation.by_rpc:
            described["x-rpc"] = True
        if operation.method not in ("GET", "DELETE"):
            body = self._body()
            if body["properties"]:
                content = {"application/json": {"schema": body}}
                if operation.upload is not None:
                    content[operation.upload[0]] = {"schema": {"type": "string"}}
                described["requestBody"] = {
                    "required": bool(body.get("required")),
                    "content": content,
                }
        return described

    def _in_path(self, name: str) -> bool:
        return "{" + name + "}" in self._operation.path.replace(":uuid}", "}")

    def _parameters(self) -> Iterable[dict[str, object]]:
        in_query = self._operation.method in ("GET", "DELETE")
        for name, schema in self._takes.get("properties", {}).items():
            if not self._in_path(name) and not in_query:
                continue
            schema = dict(schema)
            parameter = {
                "name": name,
                "in": "path" if self._in_path(name) else "query",
                "required": name in self._takes.get("required", ()),
            }
            if description := schema.pop("description", ""):
                parameter["description"] = description
            yield {**parameter, "schema": schema}

    def _body(self) -> dict[str, Any]:
        body = dict(self._takes)
        properties = body.get("properties", {})
        body["properties"] = {n: each for n, each in properties.items() if not self._in_path(n)}
        required = [name for name in body.pop("required", ()) if not self._in_path(name)]
        if required:
            body["required"] = required
        body.pop("title", None)
        return body

    def _answer(self) -> dict[str, object]:
        if self._operation.status == 204:
            return {"description": "Done."}
        if media_type := self._operation.document:
            text = {"schema": {"type": "string"}}
            return {"description": "The document as it is now.", "content": {media_type: text}}
        schema = self._schemas[self._operation.gives]
        if self._operation.streams:
            described = "One JSON value a line, each when it comes; empty lines mean nothing."
            return {"description": described, "content": {LINES: {"schema": schema}}}
        return {"description": "Done.", "content": {"application/json": {"schema": schema}}}

    def _errors(self) -> dict[str, object]:
        by_status: dict[int, list[type[Refusal]]] = defaultdict(list)
        for refusal in (*_ALWAYS, *self._operation.refusals):
            if refusal not in by_status[STATUS[refusal.kind]]:
                by_status[STATUS[refusal.kind]].append(refusal)
        return {
            str(status): {
                "description": "; ".join(f"`{each.code}`: {_about(each)}" for each in refusals),
                "content": {
                    "application/json": {"schema": {"$ref": _REF.format(name=ErrorBody.__name__)}}
                },
            }
            for status, refusals in sorted(by_status.items())
        }


class _Method(_Described):
    """One method of the server API."""

    def _answer(self) -> dict[str, object]:
        schema: Mapping[str, object] = self._schemas[self._operation.gives]
        if self._operation.gives is not BatchResult:
            error = self._schemas[Error]
            schema = {"type": "object", "properties": {"result": schema, "error": error}}
        return {"description": "Done.", "content": {"application/json": {"schema": schema}}}

    def _errors(self) -> dict[str, object]:
        return {
            "400": {"description": "The body is not JSON."},
            "401": {"description": "There is no good API key."},
            "413": {"description": "The body is too large."},
        }


def _about(refusal: type[Refusal]) -> str:
    return (inspect.getdoc(refusal) or "").partition("\n")[0]


def _tag(operation: AnyOperation) -> str:
    return operation.name.rpartition(".")[0]


def _cleaned(schema: dict[str, Any]) -> dict[str, Any]:
    """Docstrings keep the indentation of the code; documents do not want it."""
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    return schema


def _drop_unused(components: dict[str, Any], paths: Mapping[str, object]) -> None:
    """Inputs are described in place, as parameters and bodies; only the rest is referred to."""
    while True:
        text = msgspec.json.encode([paths, components]).decode()
        unused = [name for name in components if f'"{_REF.format(name=name)}"' not in text]
        if not unused:
            break
        for name in unused:
            del components[name]
    for schema in components.values():
        _cleaned(schema)
