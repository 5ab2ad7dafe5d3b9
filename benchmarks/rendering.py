"""Rendering: from a template, parsed once, to what a device shows, within the limits.

One process on one core fills each template with other values each time, in rounds that take turns;
the table has the median of the rounds in microseconds of processor time. Beside it, what parsing
the template costs, which a node does once for each version.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping

from benchmarks.machine import SERVER_CORE, report, table
from notifications.templates.builtin import BUILT_IN
from notifications.templates.rendering import Beside, Rendering
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text

_DAYS = (
    "{days, plural, =0 {اليوم} zero {اليوم} one {غدًا} two {بعد يومين} few {بعد # أيام} "
    "many {بعد # يومًا} other {بعد # يوم}}"
)
INVITE = Template(
    texts={
        "ar": Text(
            "{guest}، دعوة زفاف",
            _DAYS + " يتزوج {couple}. نتمنى أن تكونوا معنا!",
            actions=(Action("yes", "سأحضر", "/events/{event}/yes"), Action("no", "لن أحضر")),
            apple={"alert": {"subtitle": "من {couple}"}},
        )
    },
    variables={
        "guest": Variable(),
        "couple": Variable(),
        "event": Variable(),
        "days": Variable(VariableKind.NUMBER),
    },
    link="/events/{event}",
    image="https://img.example.dz/{event}.jpg",
)
LONG = "كل ما يُكتب في رسالة طويلة 👩‍👩‍👧‍👦 " * 40

Fill = Callable[[int], Mapping[str, str | int | float]]

CASES: Mapping[str, tuple[Template, str, Fill]] = {
    "message in a conversation": (
        BUILT_IN["chat.message+conversation"],
        "fr-DZ",
        lambda n: {"sender": f"user-{n}", "text": "On se voit à 18 h ?", "conversation": "Noces"},
    ),
    "several messages": (
        BUILT_IN["chat.message+count"],
        "ar-DZ",
        lambda n: {"sender": f"user-{n}", "text": "سلام", "conversation": "", "count": n % 200},
    ),
    "reminder": (
        BUILT_IN["task.reminder"],
        "ar-DZ",
        lambda n: {"task": f"مهمة {n}", "event": "زفاف لينا", "when": "غدًا على العاشرة"},
    ),
    "invitation, six forms, buttons, picture": (
        INVITE,
        "ar-DZ",
        lambda n: {"guest": f"ضيف {n}", "couple": "Lina & Karim", "event": "8f3a", "days": n % 200},
    ),
    "message that is cut": (
        BUILT_IN["chat.message"],
        "ar-DZ",
        lambda n: {"sender": f"user-{n}", "text": LONG, "conversation": ""},
    ),
}

_BESIDE = Beside(data={"conversation_id": "01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a", "offset": "42"})


def rendered(template: Template, locale: str, fill: Fill, times: int) -> float:
    """Microseconds for one rendering."""
    rendering = Rendering(template)
    values = [fill(number) for number in range(times)]
    began = time.process_time()
    for each in values:
        rendering.content(locale, each, _BESIDE)
    return (time.process_time() - began) / times * 1e6


def parsed(template: Template, times: int) -> float:
    """Microseconds to make a template ready, with all its languages."""
    began = time.process_time()
    for _ in range(times):
        Rendering(template)
    return (time.process_time() - began) / times * 1e6


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=9)
    given.add_argument("--times", type=int, default=5000)
    options = given.parse_args()
    os.sched_setaffinity(0, {SERVER_CORE})
    renders: dict[str, list[float]] = {name: [] for name in CASES}
    parses: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(options.rounds):
        for name, (template, locale, fill) in CASES.items():
            renders[name].append(rendered(template, locale, fill, options.times))
            parses[name].append(parsed(template, options.times // 20))
    medians = {
        name: (statistics.median(renders[name]), statistics.median(parses[name])) for name in CASES
    }
    rows = [(name, f"{one:.1f}", f"{once:.0f}") for name, (one, once) in medians.items()]
    print(table(["template", "µs a rendering", "µs to parse, once"], rows))
    report("rendering", medians)


if __name__ == "__main__":
    main()
