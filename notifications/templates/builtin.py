"""The templates that come with Zaffa: what rooms tell users of, and a server's own words."""

from collections.abc import Mapping, Sequence

from notifications.templates.builtin_reminders import REMINDERS
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text

_SENDER = Variable(example="Amina")
_TEXT = Variable(example="On se voit à 18 h ?")
_CONVERSATION = Variable(example="Traiteur", optional=True)
_COUNT = Variable(VariableKind.NUMBER, example=3)

_NEW_MESSAGES = {
    "ar": "{count, plural, zero{لا رسائل جديدة} one{رسالة جديدة} two{رسالتان جديدتان}"
    " few{# رسائل جديدة} many{# رسالة جديدة} other{# رسالة جديدة}}",
    "fr": "{count, plural, one{# nouveau message} many{# de nouveaux messages}"
    " other{# nouveaux messages}}",
    "en": "{count, plural, one{# new message} other{# new messages}}",
}

_BUTTONS = {
    "done": {"ar": "تمّ", "fr": "Fait", "en": "Done"},
    "snooze_1_hour": {"ar": "بعد ساعة", "fr": "Dans 1 heure", "en": "In 1 hour"},
    "snooze_tomorrow": {"ar": "غدًا", "fr": "Demain", "en": "Tomorrow"},
    "stop_reminding": {"ar": "كفى تذكيرًا", "fr": "Ne plus rappeler", "en": "Stop reminding"},
}
"""Of a reminder, what matters most first: browsers show two; a tap beside them opens it."""


_ALL_DONE = {"ar": "تمّت كلّها", "fr": "Tout est fait", "en": "All done"}
"""The first of them where several are told in one."""

_REMINDING = {"category": "TASK_REMINDER", "mutable-content": 1}
"""The app registers the category's buttons; its extension may word them from `actions`."""


_USUAL = ("done", "snooze_1_hour", "snooze_tomorrow")
_OF_OVERDUE = ("done", "snooze_tomorrow", "stop_reminding")


def _buttons(language: str, names: Sequence[str] = _USUAL) -> tuple[Action, ...]:
    return tuple(Action(name, _BUTTONS[name][language]) for name in names)


_TASK = {
    "task": Variable(example="Essayage de la robe"),
    "event": Variable(example="Mariage de Lina"),
    "when": Variable(example="demain à 10 h"),
}


def _several(title: Mapping[str, str]) -> Template:
    return Template(
        texts={
            language: Text(
                title[language],
                "{lines}",
                actions=(Action("done", _ALL_DONE[language]), *_buttons(language)[1:]),
            )
            for language in _ALL_DONE
        },
        apple=_REMINDING,
        variables={
            "event": Variable(example="Mariage de Lina", optional=True),
            "lines": Variable(example="Essayage de la robe · jeudi 15 juillet"),
        },
    )


BUILT_IN: Mapping[str, Template] = {
    "chat.message": Template(
        texts={
            "ar": Text("{sender}", "{text}"),
            "fr": Text("{sender}", "{text}"),
            "en": Text("{sender}", "{text}"),
        },
        variables={"sender": _SENDER, "text": _TEXT, "conversation": _CONVERSATION},
    ),
    "chat.message+conversation": Template(
        texts={
            "ar": Text("{conversation}", "{sender}: {text}"),
            "fr": Text("{conversation}", "{sender} : {text}"),
            "en": Text("{conversation}", "{sender}: {text}"),
        },
        variables={"sender": _SENDER, "text": _TEXT, "conversation": Variable(example="Traiteur")},
    ),
    "chat.message+count": Template(
        texts={
            locale: Text("{sender}", f"{words} · {{text}}")
            for locale, words in _NEW_MESSAGES.items()
        },
        variables={
            "sender": _SENDER,
            "text": _TEXT,
            "conversation": _CONVERSATION,
            "count": _COUNT,
        },
    ),
    "chat.message+conversation+count": Template(
        texts={
            "ar": Text("{conversation}", _NEW_MESSAGES["ar"] + " · {sender}: {text}"),
            "fr": Text("{conversation}", _NEW_MESSAGES["fr"] + " · {sender} : {text}"),
            "en": Text("{conversation}", _NEW_MESSAGES["en"] + " · {sender}: {text}"),
        },
        variables={
            "sender": _SENDER,
            "text": _TEXT,
            "conversation": Variable(example="Traiteur"),
            "count": _COUNT,
        },
    ),
    "task.reminder": Template(
        texts={
            "ar": Text("تذكير: {task}", "{event}، {when}", actions=_buttons("ar")),
            "fr": Text("Rappel : {task}", "{event}, {when}", actions=_buttons("fr")),
            "en": Text("Reminder: {task}", "{event}, {when}", actions=_buttons("en")),
        },
        apple=_REMINDING,
        variables={**_TASK, "overdue": Variable(example="1", optional=True)},
    ),
    "task.reminder+overdue": Template(
        texts={
            "ar": Text("متأخر: {task}", "{event}، {when}", actions=_buttons("ar", _OF_OVERDUE)),
            "fr": Text(
                "En retard : {task}", "{event}, {when}", actions=_buttons("fr", _OF_OVERDUE)
            ),
            "en": Text("Overdue: {task}", "{event}, {when}", actions=_buttons("en", _OF_OVERDUE)),
        },
        apple={**_REMINDING, "category": "TASK_OVERDUE"},
        variables={**_TASK, "overdue": Variable(example="1", optional=True)},
    ),
    "task.reminders": _several(dict.fromkeys(_ALL_DONE, "{event}")),
    "task.missed": _several(
        {
            "ar": "تذكيرات لم تصلك في وقتها",
            "fr": "Rappels pendant votre absence",
            "en": "Reminders while you were away",
        }
    ),
    **REMINDERS,
    "announcement": Template(
        texts={"en": Text("{title}", "{body}")},
        variables={"title": Variable(example="Zaffa"), "body": Variable(example="مرحبا بكم")},
    ),
}
"""An announcement is worded by whoever sends it.

One named `<template>+<variable>` replaces that template where the variable says something;
one named `<template>+count` words what stands for several. A stored template of the same name
replaces any of them.
"""

OF_MANY = "+count"
"""Ends the name of a template that words what stands for several."""


def variants(template: str, variables: Mapping[str, str | int | float]) -> list[str]:
    """The names to look for, best first: `chat.message+conversation`, `chat.message`."""
    special = [f"{template}+{name}" for name, value in variables.items() if value != ""]
    return [*(name for name in special if name in BUILT_IN), template]
