"""Two plain pages: what to try next, and the reference of all APIs. No script, no assets."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from server.house import Hints
from server.languages import languages_of
from server.openapi import Document

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a6b5d; }
@media (prefers-color-scheme: dark) { :root { --accent: #5fd0bd; } }
body { font: 1rem/1.6 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic", sans-serif;
  max-inline-size: 52rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin-block: 0 .5rem; } h2 { margin-block: 2.5rem .5rem; }
h3 { margin-block: 2rem .25rem; font-size: 1rem; }
a { color: var(--accent); } a:focus-visible { outline: 2px solid; outline-offset: 2px; }
code, pre { font-family: ui-monospace, Consolas, monospace; font-size: .9em;
  unicode-bidi: isolate; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem;
  padding: .6rem .8rem; overflow-x: auto; direction: ltr; text-align: left; }
table { border-collapse: collapse; inline-size: 100%; font-size: .92rem; }
th, td { text-align: start; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-block-end: 1px solid var(--line); }
[role="alert"] { border: 2px solid #c33; border-radius: .4rem; padding: .6rem .8rem; }
.verb { font-weight: 700; color: var(--accent); } .soft { opacity: .75; }
nav ul { columns: 2; padding-inline-start: 1.2rem; } li { break-inside: avoid; }
""".strip()


class _Words(NamedTuple):
    """The first page in one language."""

    direction: str
    about: str
    chat: str
    chat_where: str
    docs: str
    docs_link: str
    pushes: str
    health: str
    connect: str
    insecure: str


_LANGUAGES: Mapping[str, _Words] = {
    "en": _Words(
        "ltr",
        "A realtime messaging and push notification server. It is running.",
        "Chat in the terminal",
        "Open two terminals, one for each user:",
        "Read the API",
        "Reference of the client API and the admin API",
        "See pushes arrive",
        "Watch it",
        "Clients of the Centrifuge protocol connect here:",
        "This server is insecure: whoever reaches it may do everything in its channels, and ask "
        "its API without a key. It is for development on one machine.",
    ),
    "fr": _Words(
        "ltr",
        "Un serveur de messagerie en temps réel et de notifications push. Il fonctionne.",
        "Discuter dans le terminal",
        "Ouvrez deux terminaux, un par utilisateur :",
        "Lire l’API",
        "Référence des API client et d’administration",
        "Voir arriver les notifications",
        "Surveiller",
        "Les clients du protocole Centrifuge se connectent ici :",
        "Ce serveur n’est pas protégé : quiconque l’atteint peut tout faire dans ses canaux et "
        "appeler son API sans clé. Il sert au développement sur une seule machine.",
    ),
    "ar": _Words(
        "rtl",
        "خادم للمراسلة الفورية وإشعارات الهاتف. وهو يعمل الآن.",
        "المحادثة في الطرفية",
        "افتح نافذتين، واحدة لكل مستخدم:",
        "وثائق الواجهة البرمجية",
        "مرجع واجهة العملاء وواجهة الإدارة",
        "مشاهدة الإشعارات عند وصولها",
        "المراقبة",
        "تتصل برامج بروتوكول Centrifuge من هنا:",
        "هذا الخادم غير محمي: كل من يصل إليه يستطيع فعل كل شيء في قنواته واستدعاء واجهته "
        "البرمجية بلا مفتاح. وهو للتطوير على جهاز واحد فقط.",
    ),
}


def language_of(accepted: str) -> str:
    """The first language of an `Accept-Language` header that the page is written in."""
    return next((tag for tag in languages_of(accepted) if tag in _LANGUAGES), "en")


def index_page(*, url: str, languages: str, hints: Hints, insecure: bool = False) -> str:
    """The page at `/`: it is running, and this is what to try."""
    language = language_of(languages)
    words = _LANGUAGES[language]
    socket = url.replace("http", "ws", 1) + "/connection/websocket"
    return _page(
        "Zaffa · الزفّة",
        language,
        words.direction,
        "\n".join(
            [
                "<h1>Zaffa · الزفّة</h1>",
                f"<p>{escape(words.about)}</p>",
                *([f'<p role="alert">{escape(words.insecure)}</p>'] if insecure else ()),
                *_section(words.chat, _chats(words, hints)),
                *_section(
                    words.docs,
                    f'<p><a href="/docs">{escape(words.docs_link)}</a> · '
                    '<a href="/v1/openapi.json">openapi.json</a> · '
                    '<a href="/admin/v1/openapi.json">admin openapi.json</a> · '
                    '<a href="/api/openapi.json">server openapi.json</a></p>'
                    f"<p>{escape(words.connect)}</p><pre>{escape(socket)}</pre>",
                ),
                *(_section(words.pushes, _code(hints.pushes)) if hints.pushes else ()),
                *_section(
                    words.health,
                    '<p dir="ltr"><a href="/livez">/livez</a> · <a href="/readyz">/readyz</a> · '
                    '<a href="/metrics">/metrics</a></p>',
                ),
            ]
        ),
    )


def _chats(words: _Words, hints: Hints) -> str:
    commands = [command for _user, command in hints.chats] or ["zaffa chat --help"]
    lead = f"<p>{escape(words.chat_where)}</p>" if hints.chats else ""
    return lead + "".join(_code(command) for command in commands)


def _code(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _section(title: str, body: str) -> tuple[str, str]:
    return f"<h2>{escape(title)}</h2>", body


def _page(title: str, language: str, direction: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def reference_page(documents: Mapping[str, Document]) -> str:
    """The page at `/docs`: all APIs, written from their OpenAPI documents."""
    parts = ["<h1>Zaffa API</h1>", '<p><a href="/">Zaffa</a></p>']
    for path, document in documents.items():
        parts += _gateway(path, document)
    return _page("Zaffa API", "en", "ltr", "\n".join(parts))


def _gateway(path: str, document: Document) -> Iterator[str]:
    info = document["info"]
    yield f"<h2>{escape(info['title'])} {escape(info['version'])}</h2>"
    yield f"<p>{_text(info['description'])}</p>"
    for scheme in document["components"]["securitySchemes"].values():
        yield f"<p>{_text(scheme['description'])}</p>"
    yield f'<p><a href="{path}">{path}</a></p>'
    operations = [
        (method, route, operation)
        for route, methods in sorted(document["paths"].items())
        for method, operation in methods.items()
    ]
    links = "".join(
        f'<li><a href="#{each["operationId"]}">{escape(each["operationId"])}</a></li>'
        for _method, _route, each in operations
    )
    yield f"<nav><ul>{links}</ul></nav>"
    for method, route, operation in operations:
        yield from _operation(method, route, operation)
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<h3 id="{_anchor(document, name)}">{escape(name)}</h3>'
        yield f"<p>{_text(schema.get('description', ''))}</p>"
        yield _fields(document, schema)


def _operation(method: str, route: str, operation: dict[str, Any]) -> Iterator[str]:
    name = operation["operationId"]
    rpc = ' <span class="soft">also over RPC</span>' if operation.get("x-rpc") else ""
    yield (
        f'<h3 id="{name}"><span class="verb">{method.upper()}</span> '
        f'<code>{escape(route)}</code> <span class="soft">{escape(name)}</span>{rpc}</h3>'
    )
    yield f"<p>{_text(operation['summary'])} {_text(operation.get('description', ''))}</p>"
    rows = [
        (each["name"], each["in"], each["required"], each["schema"], each.get("description", ""))
        for each in operation["parameters"]
    ]
    body = operation.get("requestBody")
    if body:
        schema = body["content"]["application/json"]["schema"]
        rows += [
            (field, "body", field in schema.get("required", ()), each, each.get("description", ""))
            for field, each in schema["properties"].items()
        ]
    if rows:
        yield "<table><tr><th>field<th>where<th>type<th>about</tr>"
        for field, where, required, schema, about in rows:
            needed = "" if required else ' <span class="soft">optional</span>'
            yield (
                f"<tr><td><code>{escape(field)}</code>{needed}<td>{where}"
                f"<td>{escape(type_name(schema))}<td>{_text(about)}</tr>"
            )
        yield "</table>"
    yield "<table><tr><th>status<th>answer</tr>"
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json", {}).get("schema", {})
        shape = "" if not status.startswith("2") else escape(type_name(content))
        yield f"<tr><td>{status}<td>{shape or _text(answer['description'])}</tr>"
    yield "</table>"


def _fields(document: Document, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(type_name(each))}"
        f"<td>{_text(each.get('description', ''))}</tr>"
        for name, each in schema.get("properties", {}).items()
    )
    return f"<table><tr><th>field<th>type<th>about</tr>{rows}</table>" if rows else ""


def _anchor(document: Document, name: str) -> str:
    gateway = str(document["info"]["title"]).split()[1]
    return f"{gateway}-{name}"


def type_name(schema: dict[str, Any]) -> str:
    """A schema in a few words, as a reader would say it."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(type_name(each) for each in schema[choice])
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    name = schema.get("format") or schema.get("type") or "any JSON"
    rules = {
        "minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<",
        "minLength": "length ≥", "maxLength": "length ≤",
    }  # fmt: skip
    limits = [f"{sign} {schema[rule]}" for rule, sign in rules.items() if rule in schema]
    return ", ".join([str(name), *limits])


def _text(text: str) -> str:
    """Prose with `code` in it."""
    parts = escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)
    )
