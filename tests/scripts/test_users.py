"""`python -m scripts.servers.users` says in one sentence what is wrong with its variables."""

import pytest

from scripts.servers import users
from scripts.servers.roles import USERS

URL = "OMS_MANAGEMENT_URL"
NOBODY_LISTENS = "http://admin:secret@127.0.0.1:9"
WRONG = [
    ({}, "OMS_MANAGEMENT_URL is not set: export OMS_MANAGEMENT_URL=http://administrator:password@host:15672"),
    ({URL: ""}, "OMS_MANAGEMENT_URL is not set"),
    ({URL: "amqp://h:5672"}, "OMS_MANAGEMENT_URL is no http URL"),
    (
        {URL: NOBODY_LISTENS},
        "no password is set, so there is no user to make: set OMS_STOREFRONT_PASSWORD, OMS",
    ),
    (
        {URL: NOBODY_LISTENS, "OMS_UPSTREAM_PASSWORD": "x"},
        "OMS_UPSTREAM_PASSWORD is no password of ours; they are",
    ),
    (
        {URL: NOBODY_LISTENS, "OMS_RELAY_PASSWORD": "x"},
        "the management interface at OMS_MANAGEMENT_URL",
    ),
]


@pytest.mark.parametrize(("environment", "expected"), WRONG)
def test_a_wrong_variable_is_one_sentence(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (URL, *users.VARIABLES, "OMS_PREFIX", "OMS_VHOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["users"])
    assert users.main() == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert expected in err
    assert "secret" not in err


def test_it_says_how_it_is_used_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for argument, code in (("--help", 0), ("storefront", 2)):
        monkeypatch.setattr("sys.argv", ["users", argument])
        assert users.main() == code
        assert capsys.readouterr().out.startswith("usage: python -m scripts.servers.users\n")


def test_the_two_users_of_a_role_have_its_password() -> None:
    given = users.given_passwords({"OMS_CARRIER_PASSWORD": "c", "OMS_ADMIN_PASSWORD": "a"})
    assert given == {"carrier": "c", "carrier-events": "c"}
    assert set(users.given_passwords(dict.fromkeys(users.VARIABLES, "x"))) == set(USERS)
