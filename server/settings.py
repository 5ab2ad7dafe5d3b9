"""Settings: every room's options, loaded from a TOML file and the environment.

The settings are a dataclass whose fields are groups: `ZAFFA_RELAY_BATCH` in the environment
and `batch` under `[relay]` in the file set the field `batch` of the group `relay`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

import msgspec

from kernel.options import Option, declared
from server.failures import SettingsError
from server.setting_values import Unfit, converted, nearest, type_name

S = TypeVar("S")

PREFIX = "ZAFFA_"
CONFIG = "ZAFFA_CONFIG"
DEFAULT_FILE = Path("zaffa.toml")
_OTHERS = ("ZAFFA_TEST_",)
"""Names with our prefix that are not settings: those of the tests."""


class Given(NamedTuple):
    """A value somebody set, and where: for error messages, which never show the value."""

    value: object
    source: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of one group, and how it is called outside."""

    group: str
    option: Option
    type: Any

    @property
    def key(self) -> str:
        """As in the file: `group.option`."""
        return f"{self.group}.{self.option.name}"

    @property
    def variable(self) -> str:
        """As in the environment."""
        return f"{PREFIX}{self.group}_{self.option.name}".upper()


def settings_of(groups: type) -> Iterator[Setting]:
    """Every setting of a dataclass of groups, in order."""
    for group in fields(groups):
        options = get_type_hints(groups)[group.name]
        hints = get_type_hints(options)
        for option in declared(options):
            yield Setting(group.name, option, hints[option.name])


def load(
    groups: type[S],
    *,
    environment: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> S:
    """Settings from the defaults, then the file, the environment and the command line.

    `file` must exist; without it `ZAFFA_CONFIG` names one, and `zaffa.toml` in the working
    directory is read if it is there. `overrides` maps `group.option` to a value from the
    command line. Raises `SettingsError`, which names every problem at once.
    """
    return _Loading(groups).load(environment, file, overrides or {})


class _Loading(Generic[S]):
    """One loading: what was given, and what was wrong."""

    def __init__(self, groups: type[S]) -> None:
        self._groups = groups
        self._settings = {each.key: each for each in settings_of(groups)}
        self._by_variable = {each.variable: each for each in self._settings.values()}
        self._given: dict[str, Given] = {}
        self._problems: list[str] = []

    def load(
        self, environment: Mapping[str, str], file: Path | None, overrides: Mapping[str, object]
    ) -> S:
        self._from_file(_file_to_read(environment, file))
        self._from_environment(environment)
        for key, value in overrides.items():
            option = key.partition(".")[2].replace("_", "-")
            self._given[key] = Given(value, f"--{option} on the command line", is_text=False)
        built = {
            group.name: self._group(group.name, get_type_hints(self._groups)[group.name])
            for group in fields(self._groups)  # type: ignore[arg-type]
        }
        if self._problems:
            raise SettingsError(self._problems)
        try:
            return self._groups(**built)
        except ValueError as error:
            raise SettingsError([str(error)]) from error

    def _from_file(self, file: Path | None) -> None:
        if file is None:
            return
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self._problems.append(f"{file}: cannot be read: {error}")
            return
        names = {each.group for each in self._settings.values()}
        for group, table in content.items():
            if group not in names:
                self._problems.append(f"{file}: [{group}] is unknown{nearest(group, names)}")
            elif not isinstance(table, dict):
                self._problems.append(f"{file}: {group} must be a table: [{group}]")
            else:
                self._from_table(file, group, table)

    def _from_table(self, file: Path, group: str, table: dict[str, object]) -> None:
        known = [each.option.name for each in self._settings.values() if each.group == group]
        for name, value in table.items():
            key = f"{group}.{name}"
            if key in self._settings:
                self._given[key] = Given(value, f"[{group}] in {file}", is_text=False)
            elif name.endswith("_file") and self._is_secret(key.removesuffix("_file")):
                self._from_secret_file(key.removesuffix("_file"), str(value), f"{key} in {file}")
            else:
                self._problems.append(f"{file}: {key} is unknown{nearest(name, known)}")

    def _from_environment(self, environment: Mapping[str, str]) -> None:
        for variable, text in sorted(environment.items()):
            if not variable.startswith(PREFIX) or variable == CONFIG or _is_other(variable):
                continue
            setting = self._by_variable.get(variable)
            secret = self._by_variable.get(variable.removesuffix("_FILE"))
            if setting is not None:
                self._given[setting.key] = Given(text, "the environment", is_text=True)
            elif secret is not None and secret.option.secret:
                if secret.variable in environment:
                    self._problems.append(f"{variable}: {secret.variable} is set as well; keep one")
                self._from_secret_file(secret.key, text, variable)
            else:
                hint = nearest(variable, [*self._by_variable, CONFIG])
                self._problems.append(f"{variable} is unknown{hint}")

    def _is_secret(self, key: str) -> bool:
        return key in self._settings and self._settings[key].option.secret

    def _from_secret_file(self, key: str, path: str, source: str) -> None:
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._problems.append(f"{source}: {path} cannot be read: {type(error).__name__}")
            return
        self._given[key] = Given(text.rstrip("\r\n"), f"{path}, named by {source}", is_text=True)

    def _group(self, group: str, options: type) -> object | None:
        values: dict[str, object] = {}
        before = len(self._problems)
        for setting in self._settings.values():
            if setting.group != group or setting.key not in self._given:
                continue
            given = self._given[setting.key]
            try:
                values[setting.option.name] = converted(
                    given.value, setting.type, is_text=given.is_text
                )
            except Unfit as unfit:
                for rule in [_type_rule(setting)] if setting.option.secret else unfit.rules:
                    self._complain(setting, rule, given.source)
        if len(self._problems) > before:
            return None
        try:
            built: object = options(**values)
        except ValueError as error:
            self._broken_rule(group, str(error))
            return None
        return built

    def _broken_rule(self, group: str, rule: str) -> None:
        """Options check themselves and begin the sentence with the name of the guilty one."""
        name, _, rest = rule.partition(" ")
        setting = self._settings.get(f"{group}.{name}")
        if setting is None:
            self._problems.append(f"[{group}]: {rule}")
        else:
            given = self._given.get(setting.key)
            self._complain(setting, rest, given.source if given else "its default")

    def _complain(self, setting: Setting, rule: str, source: str) -> None:
        self._problems.append(f"{setting.variable} ({setting.key}): {rule}; it comes from {source}")


def _file_to_read(environment: Mapping[str, str], file: Path | None) -> Path | None:
    if file is not None:
        return file
    if environment.get(CONFIG):
        return Path(environment[CONFIG])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _is_other(variable: str) -> bool:
    return variable.startswith(_OTHERS)


def _type_rule(setting: Setting) -> str:
    return f"expected {type_name(setting.type)}"


def documentation(groups: type) -> str:
    """`docs/settings.md`: every setting with its default and its reason."""
    lines = [
        "# Settings",
        "",
        "Written by `zaffa doctor --settings`; a test compares it with the code.",
        "",
        "Each setting comes from, in rising order: its default, `zaffa.toml` in the working",
        "directory (or the file that `--config` or `ZAFFA_CONFIG` names), the environment, the",
        "command line. In the file, `ZAFFA_RELAY_BATCH` is `batch` under `[relay]`. Lists in the",
        "environment are separated by commas. A setting marked *secret* is never printed, and",
        "can be read from a file: add `_FILE` to the variable (`_file` to the name) and give the",
        "path. A name that is not in this list stops the start.",
    ]
    group = ""
    for setting in settings_of(groups):
        if setting.group != group:
            group = setting.group
            about = (get_type_hints(groups)[group].__doc__ or "").partition("\n")[0]
            lines += ["", f"## [{group}]", "", about, ""]
            lines += ["| variable | type | default | what for |", "|---|---|---|---|"]
        reason = setting.option.reason.replace("|", "\\|")
        if setting.option.secret:
            reason += " *Secret.*"
        default = _shown(setting.option.default)
        kind = type_name(setting.type)
        lines.append(f"| `{setting.variable}` | {kind} | {default} | {reason} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None or default in ("", (), [], {}) or isinstance(default, msgspec.Struct):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list | tuple | set | frozenset):
        return "`" + ", ".join(map(str, default)) + "`"
    return f"`{default}`"
