"""What reminders tell beside single tasks: digests, events, guests' answers, payments."""

from collections.abc import Mapping

from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Text

_EVENT = Variable(example="Mariage de Lina")
_WHEN = Variable(example="vendredi 16 juillet à 18:00")
_LINES = Variable(example="Essayage de la robe · jeudi 15 juillet", optional=True)


def _number(example: int) -> Variable:
    return Variable(VariableKind.NUMBER, example=example)


_TODAY = {
    "ar": "{today, plural, zero{لا مهام اليوم} one{مهمة واحدة اليوم} two{مهمتان اليوم}"
    " few{# مهام اليوم} many{# مهمة اليوم} other{# مهمة اليوم}}",
    "fr": "{today, plural, =0{Rien de prévu aujourd’hui} one{# tâche aujourd’hui}"
    " many{# de tâches aujourd’hui} other{# tâches aujourd’hui}}",
    "en": "{today, plural, =0{Nothing due today} one{# task today} other{# tasks today}}",
}
_AHEAD = {
    "ar": "{ahead, plural, zero{أسبوع بلا مهام} one{مهمة واحدة هذا الأسبوع} two{مهمتان هذا الأسبوع}"
    " few{# مهام هذا الأسبوع} many{# مهمة هذا الأسبوع} other{# مهمة هذا الأسبوع}}",
    "fr": "{ahead, plural, =0{Une semaine sans tâches} one{# tâche cette semaine}"
    " many{# de tâches cette semaine} other{# tâches cette semaine}}",
    "en": "{ahead, plural, =0{A week without tasks} one{# task this week}"
    " other{# tasks this week}}",
}
_OVERDUE = {
    "ar": "{overdue, plural, zero{} one{مهمة متأخرة\n} two{مهمتان متأخرتان\n}"
    " few{# مهام متأخرة\n} many{# مهمة متأخرة\n} other{# مهمة متأخرة\n}}",
    "fr": "{overdue, plural, =0{} one{# en retard\n} many{# en retard\n} other{# en retard\n}}",
    "en": "{overdue, plural, =0{} one{# overdue\n} other{# overdue\n}}",
}
_FOLDED = {
    "ar": "{folded, plural, zero{} one{تذكير لم يُرسل\n} two{تذكيران لم يُرسلا\n}"
    " few{# تذكيرات لم تُرسل\n} many{# تذكيرًا لم يُرسل\n} other{# تذكير لم يُرسل\n}}",
    "fr": "{folded, plural, =0{} one{# rappel non envoyé\n} many{# de rappels non envoyés\n}"
    " other{# rappels non envoyés\n}}",
    "en": "{folded, plural, =0{} one{# reminder not sent\n} other{# reminders not sent\n}}",
}
_WAITING = {
    "ar": "{waiting, plural, zero{أجاب الجميع} one{مدعو واحد لم يُجب} two{مدعوان لم يُجيبا}"
    " few{# مدعوين لم يُجيبوا} many{# مدعوًا لم يُجب} other{# مدعو لم يُجب}}",
    "fr": "{waiting, plural, =0{Tout le monde a répondu} one{# invité n’a pas répondu}"
    " many{# d’invités n’ont pas répondu} other{# invités n’ont pas répondu}}",
    "en": "{waiting, plural, =0{Everybody has answered} one{# guest has not answered}"
    " other{# guests have not answered}}",
}
_COMING = {
    "ar": "{coming, plural, zero{لم يؤكّد أحد حضوره بعد} one{مدعو واحد سيحضر} two{مدعوان سيحضران}"
    " few{# مدعوين سيحضرون} many{# مدعوًا سيحضر} other{# مدعو سيحضر}}",
    "fr": "{coming, plural, =0{personne ne vient encore} one{# vient} many{# viennent}"
    " other{# viennent}}",
    "en": "{coming, plural, =0{nobody is coming yet} one{# is coming} other{# are coming}}",
}
_OPEN = {
    "ar": "{open, plural, zero{كل شيء جاهز} one{بقيت مهمة واحدة} two{بقيت مهمتان}"
    " few{بقيت # مهام} many{بقيت # مهمة} other{بقيت # مهمة}}",
    "fr": "{open, plural, =0{Tout est prêt} one{Il reste # tâche} many{Il reste # de tâches}"
    " other{Il reste # tâches}}",
    "en": "{open, plural, =0{Everything is ready} one{# task is left} other{# tasks are left}}",
}

_EVE = {
    "event": _EVENT,
    "open": _number(3),
    "lines": _LINES,
    "when": Variable(example="vendredi 16 juillet à 18:00", optional=True),
}
"""To whom has nothing left to do, when it begins is said instead."""

_ASKED = {
    "event": _EVENT,
    "when": Variable(example="vendredi 2 juillet"),
    "day": Variable(example="vendredi 16 juillet à 18:00", optional=True),
}
"""By when a guest is to answer, and if it is known, when they would come."""

_LANGUAGES = ("ar", "fr", "en")


def _digest(title: Mapping[str, str], counted: str) -> Template:
    return Template(
        texts={
            each: Text(title[each], _OVERDUE[each] + _FOLDED[each] + "{lines}")
            for each in _LANGUAGES
        },
        variables={
            counted: _number(2),
            "overdue": _number(1),
            "folded": _number(1),
            "lines": _LINES,
        },
    )


REMINDERS: Mapping[str, Template] = {
    "reminders.digest": _digest(_TODAY, "today"),
    "reminders.week": _digest(_AHEAD, "ahead"),
    "event.eve": Template(
        texts={
            "ar": Text("غدًا: {event}", _OPEN["ar"] + "\n{lines}"),
            "fr": Text("Demain : {event}", _OPEN["fr"] + "\n{lines}"),
            "en": Text("Tomorrow: {event}", _OPEN["en"] + "\n{lines}"),
        },
        variables=_EVE,
    ),
    "event.eve+when": Template(
        texts={
            "ar": Text("غدًا: {event}", "{when}"),
            "fr": Text("Demain : {event}", "{when}"),
            "en": Text("Tomorrow: {event}", "{when}"),
        },
        variables={**_EVE, "open": Variable(VariableKind.NUMBER, example=0, optional=True)},
    ),
    "event.today": Template(
        texts={
            "ar": Text("اليوم: {event}", "{when}"),
            "fr": Text("C’est aujourd’hui : {event}", "{when}"),
            "en": Text("Today: {event}", "{when}"),
        },
        variables={"event": _EVENT, "when": _WHEN},
    ),
    "event.call": Template(
        texts={
            "ar": Text("موعد حضورك: {event}", "{when}"),
            "fr": Text("Vous êtes attendu : {event}", "{when}"),
            "en": Text("You are expected: {event}", "{when}"),
        },
        variables={"event": _EVENT, "when": _WHEN},
    ),
    "event.moved": Template(
        texts={
            "ar": Text("تغيّر موعد {event}", "الموعد الجديد: {when}"),
            "fr": Text("{event} change de date", "Nouvelle date : {when}"),
            "en": Text("{event} has moved", "The new date: {when}"),
        },
        variables={"event": _EVENT, "when": _WHEN},
    ),
    "event.undated": Template(
        texts={
            "ar": Text("{event} بلا موعد", "لم يُحدَّد موعد جديد بعد."),
            "fr": Text("{event} n’a plus de date", "La nouvelle date n’est pas encore connue."),
            "en": Text("{event} has no date now", "The new date is not known yet."),
        },
        variables={"event": _EVENT},
    ),
    "event.answers": Template(
        texts={
            "ar": Text("ردود المدعوين: {event}", f"{_WAITING['ar']}، {_COMING['ar']}. {{when}}"),
            "fr": Text("Réponses : {event}", f"{_WAITING['fr']}, {_COMING['fr']}. {{when}}"),
            "en": Text("Answers: {event}", f"{_WAITING['en']}, {_COMING['en']}. {{when}}"),
        },
        variables={
            "event": _EVENT,
            "when": _WHEN,
            "waiting": _number(28),
            "coming": _number(12),
        },
    ),
    "guest.answer": Template(
        texts={
            "ar": Text("هل ستحضر {event}؟", "يُرجى الرد في أجل أقصاه {when}."),
            "fr": Text("Serez-vous là ? {event}", "Merci de répondre au plus tard le {when}."),
            "en": Text("Will you come? {event}", "Please answer by {when}."),
        },
        variables=_ASKED,
    ),
    "guest.answer+day": Template(
        texts={
            "ar": Text("هل ستحضر {event}؟", "{day}. يُرجى الرد في أجل أقصاه {when}."),
            "fr": Text(
                "Serez-vous là ? {event}", "{day}. Merci de répondre au plus tard le {when}."
            ),
            "en": Text("Will you come? {event}", "{day}. Please answer by {when}."),
        },
        variables=_ASKED,
    ),
    "payment.unpaid": Template(
        texts={
            "ar": Text("دفعة غير مؤكدة: {task}", "{event}، {amount}، {when}"),
            "fr": Text("Paiement non confirmé : {task}", "{event}, {amount}, {when}"),
            "en": Text("Payment not confirmed: {task}", "{event}, {amount}, {when}"),
        },
        variables={
            "task": Variable(example="Acompte du traiteur"),
            "event": _EVENT,
            "amount": Variable(example="50 000 DA"),
            "when": _WHEN,
        },
    ),
}
