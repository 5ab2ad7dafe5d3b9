"""Signed ids of reports."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from notifications.reports.signing import ReportSigner

SIGNER = ReportSigner(["first", "second"])


@given(st.uuids())
def test_a_signed_id_names_its_push(push_id: UUID):
    assert SIGNER.named(SIGNER.signed(push_id)) == push_id


@given(st.text(max_size=64))
def test_no_other_text_names_any(text: str):
    assert SIGNER.named(text) is None


def test_what_an_older_key_signed_is_still_true_and_a_strangers_is_not():
    push_id = uuid4()

    assert SIGNER.named(ReportSigner(["second"]).signed(push_id)) == push_id
    assert SIGNER.named(ReportSigner(["third"]).signed(push_id)) is None


def test_one_changed_character_is_refused():
    signed = SIGNER.signed(uuid4())

    for place in range(len(signed) - 1):
        other = "A" if signed[place] != "A" else "B"
        assert SIGNER.named(f"{signed[:place]}{other}{signed[place + 1 :]}") is None


def test_without_a_key_nothing_is_signed_or_trusted():
    nobody = ReportSigner([])

    assert nobody.signed(uuid4()) == ""
    assert nobody.named(SIGNER.signed(uuid4())) is None
