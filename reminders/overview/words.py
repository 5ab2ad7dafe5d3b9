"""What the operators' page says, in the languages that we write in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reminders.firing import FiringClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The page in one language."""

    language: str
    direction: str = "ltr"
    title: str
    as_of: str
    coming: str
    none_coming: str
    peak: str
    in_all: str
    catching_up: str
    on_time: str
    waiting_plans: str
    no_plans: str
    colon: str = ":"
    spread: str
    classes: str
    firing_class: str
    planned: str
    due: str
    since: str
    state: str
    runs: str
    paused: str
    pause: str
    resume: str
    search: str
    event: str
    task: str
    user: str
    find: str
    replan: str
    replan_about: str
    dead: str
    none_dead: str
    retry: str
    reason: str
    when: str
    done: str
    failed: str
    members: str
    tasks: str
    why: str
    what_became: str
    outcome: str
    moved_by: str
    next_ones: str
    none_found: str
    zones: str
    zone: str
    offset: str
    changes: str
    stays: str
    planned_with: str
    ramadan: str
    hijri_year: str
    classes_named: Sequence[str]

    def class_named(self, name: str) -> str:
        """A class in words, beside its name."""
        return dict(zip(map(str, FiringClass), self.classes_named, strict=True)).get(name, name)


_ENGLISH = Words(
    language="en",
    title="Reminders",
    as_of="As of {at}. All times are UTC.",
    coming="The coming 24 hours, five minutes a bar",
    none_coming="Nothing is planned.",
    peak="Peak: {firings} in the minute of {at}.",
    in_all="{firings} in all.",
    catching_up="Catching up: what waits longest has been due for {age}.",
    on_time="On time: nothing has been due for long ({age}).",
    waiting_plans="Plans to be made again: {plans}, the first waits for {age}.",
    no_plans="No plan waits to be made again.",
    spread="Policy reminders of one moment spread over {minutes} minutes.",
    classes="Classes",
    firing_class="Class",
    planned="24 h",
    due="Due",
    since="since",
    state="State",
    runs="goes off",
    paused="paused since",
    pause="Pause",
    resume="Resume",
    search="Why, or why not",
    event="Event",
    task="Task",
    user="User",
    find="Find",
    replan="Plan again",
    replan_about="Make an event’s plan again. Nothing comes twice.",
    dead="Could not be told",
    none_dead="None within a month.",
    retry="Try again",
    reason="Reason",
    when="When",
    done="Done.",
    failed="The server could not be reached.",
    members="Who is in it",
    tasks="Tasks",
    why="Rules",
    what_became="What became of it",
    outcome="Outcome",
    moved_by="Moved by",
    next_ones="Next reminders",
    none_found="None.",
    zones="Time zones",
    zone="Zone",
    offset="Offset",
    changes="Changes next",
    stays="not within a year",
    planned_with="Planned with",
    ramadan="Ramadan",
    hijri_year="Year",
    classes_named=(
        "so long before", "at a time typed", "two days ahead and more", "near", "for the digest",
        "overdue", "payment", "payment, overdue", "news of the event", "the event’s day",
        "to guests", "digest",
    ),
)  # fmt: skip

_FRENCH = Words(
    language="fr",
    title="Rappels",
    as_of="Au {at}. Toutes les heures sont en UTC.",
    coming="Les prochaines 24 heures, cinq minutes par barre",
    none_coming="Rien n’est prévu.",
    peak="Pic : {firings} dans la minute de {at}.",
    in_all="{firings} en tout.",
    catching_up="Rattrapage : le plus ancien attend depuis {age}.",
    on_time="À l’heure : rien n’attend depuis longtemps ({age}).",
    waiting_plans="Plans à refaire : {plans}, le premier attend depuis {age}.",
    no_plans="Aucun plan n’attend d’être refait.",
    colon="\u00a0:",
    spread="Les rappels usuels d’un même moment s’étalent sur {minutes} minutes.",
    classes="Classes",
    firing_class="Classe",
    planned="24 h",
    due="Échus",
    since="depuis",
    state="État",
    runs="active",
    paused="suspendue depuis",
    pause="Suspendre",
    resume="Reprendre",
    search="Pourquoi, ou pourquoi pas",
    event="Événement",
    task="Tâche",
    user="Utilisateur",
    find="Chercher",
    replan="Replanifier",
    replan_about="Refaire le plan d’un événement. Rien n’est envoyé deux fois.",
    dead="N’ont pas pu être envoyés",
    none_dead="Aucun depuis un mois.",
    retry="Réessayer",
    reason="Raison",
    when="Quand",
    done="C’est fait.",
    failed="Le serveur est injoignable.",
    members="Participants",
    tasks="Tâches",
    why="Règles",
    what_became="Ce qu’il en est advenu",
    outcome="Issue",
    moved_by="Déplacé par",
    next_ones="Prochains rappels",
    none_found="Aucun.",
    zones="Fuseaux horaires",
    zone="Fuseau",
    offset="Décalage",
    changes="Prochain changement",
    stays="aucun d’ici un an",
    planned_with="Planifié avec",
    ramadan="Ramadan",
    hijri_year="Année",
    classes_named=(
        "tant de temps avant", "à une heure choisie", "deux jours avant et plus", "proche",
        "pour le récapitulatif", "en retard", "paiement", "paiement en retard",
        "nouvelles de l’événement", "jour de l’événement", "aux invités", "récapitulatif",
    ),
)  # fmt: skip

_ARABIC = Words(
    language="ar",
    direction="rtl",
    title="التذكيرات",
    as_of="في {at}. كل الأوقات بالتوقيت العالمي UTC.",
    coming="الساعات الأربع والعشرون القادمة، خمس دقائق لكل عمود",
    none_coming="لا شيء مبرمج.",
    peak="الذروة: {firings} في دقيقة {at}.",
    in_all="المجموع {firings}.",
    catching_up="استدراك: أقدم تذكير حان أجله منذ {age}.",
    on_time="في الموعد: لا شيء ينتظر منذ مدة طويلة ({age}).",
    waiting_plans="خطط تنتظر إعادتها: {plans}، أولها ينتظر منذ {age}.",
    no_plans="لا خطة تنتظر إعادتها.",
    spread="مدى توزّع التذكيرات المعتادة للحظة الواحدة، بالدقائق: {minutes}.",
    classes="الأصناف",
    firing_class="الصنف",
    planned="24 سا",
    due="حان أجلها",
    since="منذ",
    state="الحالة",
    runs="تعمل",
    paused="موقوفة منذ",
    pause="إيقاف",
    resume="استئناف",
    search="لماذا، أو لِمَ لا",
    event="المناسبة",
    task="المهمة",
    user="المستخدم",
    find="بحث",
    replan="إعادة التخطيط",
    replan_about="إعادة خطة مناسبة. لا يصل شيء مرتين.",
    dead="تعذّر إبلاغها",
    none_dead="لا شيء منذ شهر.",
    retry="إعادة المحاولة",
    reason="السبب",
    when="متى",
    done="تمّ.",
    failed="تعذّر الوصول إلى الخادم.",
    members="المشاركون",
    tasks="المهام",
    why="القواعد",
    what_became="ما آلت إليه",
    outcome="النتيجة",
    moved_by="ما أزاحه",
    next_ones="التذكيرات القادمة",
    none_found="لا شيء.",
    zones="المناطق الزمنية",
    zone="المنطقة",
    offset="الفارق",
    changes="التغيير القادم",
    stays="لا تغيير خلال سنة",
    planned_with="بيانات التخطيط",
    ramadan="رمضان",
    hijri_year="السنة",
    classes_named=(
        "قبل الموعد بمدة", "في وقت محدد", "قبل يومين فأكثر", "قريبة", "للملخص", "متأخرة",
        "دفعات", "دفعات متأخرة", "أخبار المناسبة", "يوم المناسبة", "للمدعوين", "الملخص",
    ),
)  # fmt: skip

_WORDS: Mapping[str, Words] = {each.language: each for each in (_ENGLISH, _FRENCH, _ARABIC)}


def words_for(languages: Sequence[str]) -> Words:
    """In the first of the languages that we write in, else in English."""
    return next((_WORDS[each] for each in languages if each in _WORDS), _ENGLISH)
