"""Settings: where they come from, and what stops the start."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kernel.options import declared, option
from server.failures import SettingsError
from server.settings import documentation, load, settings_of
from server.wiring.groups import Settings


@dataclass(frozen=True, slots=True)
class PostOptions:
    """How letters travel."""

    carriers: int = option(3, "Letters carried at once.")
    speed: float = option(1.5, "Letters a second.")
    towns: tuple[str, ...] = option((), "Towns served.")
    express: bool = option(False, "Whether haste is possible.")
    seal: str = option("", "What proves that a letter is ours.", secret=True)

    def __post_init__(self) -> None:
        if self.carriers < 1:
            raise ValueError("carriers must be at least 1")
        if self.seal == "weak":
            raise ValueError("seal must be stronger")


@dataclass(frozen=True, slots=True)
class Groups:
    post: PostOptions = field(default_factory=PostOptions)


def problems_of(environment: dict[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(Groups, environment=environment, file=file)
    return caught.value.problems


def test_without_anything_set_the_defaults_hold(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert load(Groups, environment={}) == Groups()


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text("[post]\ncarriers = 4\nspeed = 2\nexpress = true\n")

    loaded = load(
        Groups,
        environment={"ZAFFA_POST_CARRIERS": "5", "ZAFFA_POST_SPEED": "2.5"},
        file=file,
        overrides={"post.carriers": 6},
    )

    assert (loaded.post.carriers, loaded.post.speed, loaded.post.express) == (6, 2.5, True)


def test_a_list_in_the_environment_is_separated_by_commas():
    loaded = load(Groups, environment={"ZAFFA_POST_TOWNS": "Oran, Alger,Béjaïa"})

    assert loaded.post.towns == ("Oran", "Alger", "Béjaïa")


def test_zaffa_toml_in_the_working_directory_is_read(monkeypatch, tmp_path):
    (tmp_path / "zaffa.toml").write_text("[post]\ncarriers = 9\n")
    monkeypatch.chdir(tmp_path)

    assert load(Groups, environment={}).post.carriers == 9


def test_a_variable_can_name_the_file(tmp_path):
    (tmp_path / "other.toml").write_text("[post]\ncarriers = 8\n")

    loaded = load(Groups, environment={"ZAFFA_CONFIG": str(tmp_path / "other.toml")})

    assert loaded.post.carriers == 8


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("ZAFFA_POST_CARIERS", "ZAFFA_POST_CARRIERS"),
        ("ZAFFA_POST_EXPRES", "ZAFFA_POST_EXPRESS"),
        ("ZAFFA_CONFG", "ZAFFA_CONFIG"),
    ],
)
def test_an_unknown_variable_names_the_nearest_known_one(variable, nearest):
    assert problems_of({variable: "1"}) == [f"{variable} is unknown; did you mean {nearest}?"]


def test_an_unknown_name_in_the_file_names_the_nearest_known_one(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text("[post]\nspead = 2\n[pots]\ncarriers = 1\n")

    assert problems_of({}, file) == [
        f"{file}: post.spead is unknown; did you mean speed?",
        f"{file}: [pots] is unknown; did you mean post?",
    ]


def test_variables_of_others_are_left_alone():
    assert load(Groups, environment={"PATH": "/bin", "ZAFFA_TEST_DATABASE_URL": "x"}) == Groups()


def test_a_wrong_type_says_setting_rule_and_source():
    (problem,) = problems_of({"ZAFFA_POST_CARRIERS": "many"})

    assert problem.startswith("ZAFFA_POST_CARRIERS (post.carriers): expected `int`")
    assert problem.endswith("it comes from the environment")


def test_a_value_out_of_range_says_setting_rule_and_source(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text("[post]\ncarriers = 0\n")

    assert problems_of({}, file) == [
        f"ZAFFA_POST_CARRIERS (post.carriers): must be at least 1; it comes from [post] in {file}"
    ]


def test_values_that_do_not_go_together_are_told():
    with pytest.raises(SettingsError) as caught:
        load(Settings, environment={"ZAFFA_SUBSCRIPTION_TOKENS_LEEWAY_SECONDS": "26"})

    (problem,) = caught.value.problems
    assert "connections.expiry_grace_seconds" in problem
    assert "subscription_tokens" in problem


def test_all_problems_are_told_at_once():
    assert len(problems_of({"ZAFFA_POST_CARRIERS": "0", "ZAFFA_X": "1", "ZAFFA_Y": "1"})) == 3


def test_a_file_that_is_not_toml_stops_the_start(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text("carriers: 3")

    assert "cannot be read" in problems_of({}, file)[0]


def test_a_missing_file_that_was_asked_for_stops_the_start(tmp_path):
    assert "cannot be read" in problems_of({}, tmp_path / "none.toml")[0]


def test_a_secret_can_come_from_a_file(tmp_path):
    (tmp_path / "seal").write_text("lion\n")

    loaded = load(Groups, environment={"ZAFFA_POST_SEAL_FILE": str(tmp_path / "seal")})

    assert loaded.post.seal == "lion"


def test_the_settings_file_can_name_the_file_of_a_secret(tmp_path):
    (tmp_path / "seal").write_text("lion")
    (tmp_path / "zaffa.toml").write_text(f'[post]\nseal_file = "{tmp_path / "seal"}"\n')

    assert load(Groups, environment={}, file=tmp_path / "zaffa.toml").post.seal == "lion"


def test_a_secret_given_twice_stops_the_start(tmp_path):
    (tmp_path / "seal").write_text("lion")
    environment = {"ZAFFA_POST_SEAL": "bear", "ZAFFA_POST_SEAL_FILE": str(tmp_path / "seal")}

    assert problems_of(environment) == [
        "ZAFFA_POST_SEAL_FILE: ZAFFA_POST_SEAL is set as well; keep one"
    ]


def test_what_is_not_secret_cannot_come_from_a_file():
    assert (
        "ZAFFA_POST_CARRIERS_FILE is unknown" in problems_of({"ZAFFA_POST_CARRIERS_FILE": "x"})[0]
    )


def test_a_secret_is_never_shown(tmp_path):
    loaded = load(Groups, environment={"ZAFFA_POST_SEAL": "lion"})
    (problem,) = problems_of({"ZAFFA_POST_SEAL": "weak"})

    assert "lion" not in repr(loaded)
    assert "weak" not in problem
    assert "must be stronger" in problem


def test_every_option_of_every_room_has_a_sentence():
    for setting in settings_of(Settings):
        assert setting.option.reason.endswith("."), f"{setting.key} has no sentence"


def test_every_default_keeps_its_own_rules():
    assert load(Settings, environment={}, file=None, overrides={}) is not None


def test_names_of_settings_are_unambiguous():
    variables = [setting.variable for setting in settings_of(Settings)]

    assert len(variables) == len(set(variables))


def test_docs_settings_is_what_the_code_says():
    written = Path("docs/settings.md").read_text("utf-8")

    assert written == documentation(Settings), "run: zaffa doctor --settings > docs/settings.md"


def test_options_are_declared_with_what_they_are_for():
    assert [each.name for each in declared(PostOptions)][:2] == ["carriers", "speed"]
