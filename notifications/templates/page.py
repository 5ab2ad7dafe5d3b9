"""The preview as a page: each language on an Android phone and an iPhone, by day and by night.

No script, and nothing from elsewhere but the picture that a template shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from notifications.templates.schemas import ActionBody, PreviewBody, PreviewList, ProblemBody

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 1rem/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic", sans-serif;
  max-inline-size: 82rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.soft { opacity: .72; } .problem { margin: .2rem 0; } .fatal { color: #c33; font-weight: 600; }
code { font-family: ui-monospace, Consolas, monospace; font-size: .9em; unicode-bidi: isolate; }
.phones { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(18.5rem, 1fr)); }
.phone { border-radius: 1.4rem; padding: .8rem .7rem 1rem; min-block-size: 9.5rem; }
.phone > small { display: block; text-align: center; margin-block-end: .6rem; opacity: .75; }
.light { background: #dfe6ee; color: #1b1c1e; } .dark { background: #12151a; color: #e9eaec; }
.card { padding: .75rem .9rem; font-size: .9rem; line-height: 1.4; overflow-wrap: anywhere; }
.android .card { border-radius: 1.5rem; } .iphone .card { border-radius: 1.1rem; }
.light .card { background: #fdfcff; } .dark .card { background: #25282e; }
.head { display: flex; align-items: center; gap: .45rem; font-size: .76rem; opacity: .85; }
.icon { inline-size: 1.25rem; block-size: 1.25rem; border-radius: 50%; background: #0a6b5d;
  color: #fff; display: grid; place-items: center; font-size: .7rem; flex: none; }
.iphone .icon { inline-size: 2.2rem; block-size: 2.2rem; border-radius: .55rem; font-size: 1rem; }
.iphone .row { display: flex; gap: .65rem; align-items: center; }
.iphone .words { flex: 1; min-inline-size: 0; }
.iphone .top { display: flex; justify-content: space-between; gap: .5rem; }
.title { font-weight: 600; display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 1; overflow: hidden; }
/* As phones do: by the first letter with a direction that no isolate keeps apart. */
.title, .text, .buttons span { unicode-bidi: plaintext; text-align: start; }
.text { white-space: pre-line; display: -webkit-box; -webkit-box-orient: vertical;
  overflow: hidden; }
.android .text { -webkit-line-clamp: 10; } .iphone .text { -webkit-line-clamp: 4; }
.time { font-size: .76rem; opacity: .7; white-space: nowrap; }
.picture { inline-size: 100%; max-block-size: 9rem; object-fit: cover; border-radius: .8rem;
  margin-block-start: .5rem; background: #8883; min-block-size: 3rem; font-size: .6rem;
  overflow: hidden; }
.iphone .picture { inline-size: 2.4rem; block-size: 2.4rem; min-block-size: 0; margin: 0;
  border-radius: .4rem; flex: none; }
.android .buttons { display: flex; flex-wrap: wrap; gap: 1.2rem; margin-block-start: .6rem;
  font-weight: 600; font-size: .82rem; color: #0a6b5d; } .android.dark .buttons { color: #7ad9c8; }
.iphone .buttons { margin-block-start: .5rem; border-radius: .9rem; overflow: hidden; }
.iphone .buttons span { display: block; padding: .5rem .9rem; font-size: .85rem; }
.iphone.light .buttons span { background: #fdfcffcc; }
.iphone.dark .buttons span { background: #25282ecc; }
.iphone .buttons span + span { border-block-start: 1px solid var(--line); }
table { border-collapse: collapse; font-size: .85rem; margin-block-start: .6rem; }
td, th { text-align: start; padding: .15rem 1rem .15rem 0; vertical-align: top; }
""".strip()

_NOW = {"ar": "الآن", "fr": "maint.", "en": "now"}


def preview_page(shown: PreviewList) -> str:
    """The whole page, in HTML."""
    return "\n".join(_page(shown))


def _page(shown: PreviewList) -> Iterator[str]:
    name = escape(shown.name)
    version = f"version {shown.version}" if shown.version else "as it came with Zaffa"
    state = "in use" if shown.version == shown.live else "not in use"
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{name}: preview</title><style>{_STYLE}</style>"
    yield f'<h1><code>{name}</code></h1><p class="soft">{version}, {state}</p>'
    for problem in shown.problems:
        yield _problem(problem)
    if not shown.previews:
        yield "<p>It can be shown when it has no fatal problem.</p>"
    for preview in shown.previews:
        yield from _section(preview)


def _problem(problem: ProblemBody) -> str:
    where = " ".join(f"<code>{escape(each)}</code>" for each in (problem.locale, problem.field))
    sign = '<span class="fatal">must be mended:</span>' if problem.fatal else "advice:"
    return f'<p class="problem">{sign} {where} {escape(problem.message)}</p>'


def _section(preview: PreviewBody) -> Iterator[str]:
    read = "" if preview.language == preview.locale else f", reads {escape(preview.language)}"
    yield f'<h2>{escape(preview.locale)}<span class="soft">{read}</span></h2><div class="phones">'
    for shade in ("light", "dark"):
        yield from _phone("android", "Android", shade, preview, _android_card(preview))
    for shade in ("light", "dark"):
        yield from _phone("iphone", "iPhone", shade, preview, _iphone_card(preview))
    yield "</div><table>"
    cut = " (shortened)" if preview.shortened else ""
    yield f"<tr><th>words<td>{preview.title_bytes} + {preview.body_bytes} bytes{cut}"
    for each in preview.providers:
        room = escape(each.refused) or f"{each.size} of {each.limit} bytes"
        yield f"<tr><th>{escape(each.provider)}<td>{room}"
    if preview.link:
        yield f"<tr><th>opens<td><code>{escape(preview.link)}</code>"
    yield "</table>"


def _phone(
    kind: str, name: str, shade: str, preview: PreviewBody, card: Iterator[str]
) -> Iterator[str]:
    yield f'<div class="phone {kind} {shade}"><small>{name}, {shade}</small>'
    yield f'<div lang="{escape(preview.locale)}" dir="{preview.direction}">'
    yield from card
    yield "</div></div>"


def _android_card(preview: PreviewBody) -> Iterator[str]:
    payload = _payload(preview, "fcm")
    own = _mapping(_mapping(payload.get("android")).get("notification"))
    title, body = str(own.get("title", preview.title)), str(own.get("body", preview.body))
    yield f'<div class="card"><div class="head"><span class="icon">ز</span>{_when(preview)}</div>'
    yield f"{_words('title', title)}{_words('text', body)}{_picture(preview.image)}"
    yield f"{_buttons(preview.actions)}</div>"


def _iphone_card(preview: PreviewBody) -> Iterator[str]:
    alert = _mapping(_mapping(_payload(preview, "apns").get("aps")).get("alert"))
    title, body = str(alert.get("title", preview.title)), str(alert.get("body", preview.body))
    subtitle = str(alert.get("subtitle", ""))
    yield '<div class="card"><div class="row"><span class="icon">ز</span><div class="words">'
    yield f'<div class="top">{_words("title", title)}<span class="time">{_when(preview)}</span>'
    yield f"</div>{_words('title', subtitle) if subtitle else ''}{_words('text', body)}</div>"
    yield f"{_picture(preview.image)}</div></div>{_buttons(preview.actions)}"


def _when(preview: PreviewBody) -> str:
    return _NOW.get(preview.locale.partition("-")[0], _NOW["en"])


def _words(kind: str, words: str) -> str:
    return f'<div class="{kind}">{escape(words)}</div>' if words else ""


def _picture(address: str) -> str:
    return f'<img class="picture" src="{escape(address)}" alt="image">' if address else ""


def _buttons(actions: Sequence[ActionBody]) -> str:
    titles = "".join(f"<span>{escape(each.title)}</span>" for each in actions)
    return f'<div class="buttons">{titles}</div>' if titles else ""


def _payload(preview: PreviewBody, provider: str) -> Mapping[str, Any]:
    return next((each.payload for each in preview.providers if each.provider == provider), {})


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
