from uuid import UUID

import pytest

from kernel.errors import Denied
from kernel.identity import Principal, Scope
from kernel.ids import UserId

USER = Principal(user_id=UserId("amina"))
SERVER = Principal(key_id=UUID(int=1), scopes=frozenset({Scope.USERS}))


def test_a_user_has_a_name_and_no_scope():
    assert USER.user == "amina"
    with pytest.raises(Denied, match="API key"):
        USER.require(Scope.USERS)


def test_a_server_has_its_scopes_and_no_name():
    SERVER.require(Scope.USERS)
    with pytest.raises(Denied, match="pushes"):
        SERVER.require(Scope.PUSHES)
    with pytest.raises(Denied, match="access token"):
        assert SERVER.user


def test_scopes_without_a_key_are_worth_nothing():
    with pytest.raises(Denied):
        Principal(scopes=frozenset({Scope.USERS})).require(Scope.USERS)


def test_claims_are_not_shown():
    assert "hidden" not in repr(Principal(user_id=UserId("a"), claims={"email": "hidden"}))
