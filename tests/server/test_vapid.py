"""`zaffa vapid`: the key that browsers' subscriptions are made with."""

import stat

from server.cli.main import main


def test_a_key_is_made_once_readable_by_its_owner_and_shown_again(tmp_path, capsys):
    file = tmp_path / "vapid.pem"

    assert main(["vapid", "make", str(file)]) == 0
    made = capsys.readouterr().out
    assert main(["vapid", "show", str(file)]) == 0

    assert capsys.readouterr().out == made
    assert len(made.strip()) == 87
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path, capsys):
    file = tmp_path / "vapid.pem"
    main(["vapid", "make", str(file)])
    before = file.read_bytes()

    assert main(["vapid", "make", str(file)]) == 1

    assert file.read_bytes() == before
    assert "every subscription" in capsys.readouterr().err


def test_what_is_no_key_is_said_to_be_none(tmp_path, capsys):
    file = tmp_path / "vapid.pem"
    file.write_text("not a key")

    assert main(["vapid", "show", str(file)]) == 1
    assert main(["vapid", "show", str(tmp_path / "missing.pem")]) == 1
    assert "vapid.pem" in capsys.readouterr().err
