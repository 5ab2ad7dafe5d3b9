"""What a guest sees who follows the link: a question, and that it was heard, or is none. Pure.

Nobody is logged in, so it is said in all of our languages, those that the reader's browser asks
for first.
Following the link changes nothing, since programs that show previews of links do that too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    question: str
    this: str
    every: str
    done: str
    damaged: str
    direction: str = "ltr"


_WORDS = {
    "ar": _Words(
        "تذكيرات الدعوات",
        "عمّ تريد ألّا نسألك بعد الآن؟",
        "عن هذه الدعوة",
        "عن كل الدعوات",
        "تمّ. لن نسألك بعد الآن.",
        "هذا الرابط غير كامل. افتحه من الإشعار مرة أخرى.",
        "rtl",
    ),
    "fr": _Words(
        "Rappels d’invitation",
        "À propos de quoi ne plus vous solliciter ?",
        "Cette invitation",
        "Toutes les invitations",
        "C’est fait. Vous ne serez plus sollicité.",
        "Ce lien est incomplet. Ouvrez-le à nouveau depuis la notification.",
    ),
    "en": _Words(
        "Invitation reminders",
        "What should we ask you about no more?",
        "This invitation",
        "All invitations",
        "Done. You will be asked no more.",
        "This link is not complete. Open it from the notification again.",
    ),
}

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1.1rem/1.6 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic", sans-serif;
  max-inline-size: 30rem; margin: 0 auto; padding: 2rem 1.2rem; }
section { padding-block: 1.4rem; } section + section { border-block-start: 1px solid #8884; }
h1 { font-size: 1.3rem; margin: 0; } p { margin: .4rem 0 .9rem; }
form { display: flex; flex-wrap: wrap; gap: .7rem; }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .7rem; border: 1px solid #0a6b5d;
  background: #0a6b5d; color: #fff; cursor: pointer; }
button + button { background: none; color: inherit; }
""".strip()


def question_page(languages: Sequence[str]) -> str:
    """Asks, with a button for this invitation and one for all; they post to the link."""
    return _page(languages, lambda words: f"<p>{escape(words.question)}</p>{_form(words)}")


def heard_page(languages: Sequence[str]) -> str:
    """Says that nothing more is asked."""
    return _page(languages, lambda words: f"<p>{escape(words.done)}</p>")


def damaged_page(languages: Sequence[str]) -> str:
    """Says that the link is none of ours, or only a piece of one."""
    return _page(languages, lambda words: f"<p>{escape(words.damaged)}</p>")


def _form(words: _Words) -> str:
    buttons = (("?everywhere=false", words.this), ("?everywhere=true", words.every))
    return (
        '<form method="post">'
        + "".join(f'<button formaction="{at}">{escape(said)}</button>' for at, said in buttons)
        + "</form>"
    )


def _page(languages: Sequence[str], body: Callable[[_Words], str]) -> str:
    ours = dict.fromkeys(each for each in (*languages, *_WORDS) if each in _WORDS)
    sections = "".join(
        f'<section lang="{language}" dir="{words.direction}"><h1>{escape(words.title)}</h1>'
        f"{body(words)}</section>"
        for language, words in ((each, _WORDS[each]) for each in ours)
    )
    return (
        f'<!doctype html><html lang="{next(iter(ours))}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{' · '.join(escape(_WORDS[each].title) for each in ours)}</title>"
        f"<style>{_STYLE}</style>{sections}</html>"
    )
