"""What a URL of Redis says, and what is said of one that says nothing sensible."""

import pytest

from kernel.adapters.redis_address import Endpoint, RedisAddress, Setup, address_of
from kernel.adapters.redis_options import RedisOptions


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress(Setup.ALONE, (Endpoint("cache", 6379),))),
        ("redis://", RedisAddress(Setup.ALONE, (Endpoint("localhost", 6379),))),
        ("REDIS://h:1/2", RedisAddress(Setup.ALONE, (Endpoint("h", 1),), database=2)),
        ("redis://h:1?db=3", RedisAddress(Setup.ALONE, (Endpoint("h", 1),), database=3)),
        ("redis://[::1]:7", RedisAddress(Setup.ALONE, (Endpoint("::1", 7),))),
        ("redis://[fe80::1]", RedisAddress(Setup.ALONE, (Endpoint("fe80::1", 6379),))),
        (
            "rediss://amina:p%40ss%2Fword@h:1",
            RedisAddress(Setup.ALONE, (Endpoint("h", 1),), True, "amina", "p@ss/word"),
        ),
        ("redis://:secret@h", RedisAddress(Setup.ALONE, (Endpoint("h", 6379),), password="secret")),
        ("unix:///run/redis.sock", RedisAddress(Setup.ALONE, (Endpoint("/run/redis.sock", 0),))),
        (
            "unix://:secret@/run/r.sock?db=1",
            RedisAddress(Setup.ALONE, (Endpoint("/run/r.sock", 0),), password="secret", database=1),
        ),
        (
            "redis+sentinel://a,b:1/wedding",
            RedisAddress(
                Setup.SENTINEL, (Endpoint("a", 26379), Endpoint("b", 1)), master="wedding"
            ),
        ),
        (
            "rediss+sentinel://u:p@a:1,[::1]:2/wedding/4",
            RedisAddress(
                Setup.SENTINEL,
                (Endpoint("a", 1), Endpoint("::1", 2)),
                True,
                "u",
                "p",
                database=4,
                master="wedding",
            ),
        ),
        (
            "redis+cluster://a:1,b:2,c:3",
            RedisAddress(Setup.CLUSTER, (Endpoint("a", 1), Endpoint("b", 2), Endpoint("c", 3))),
        ),
        (
            "rediss+cluster://u:p@a",
            RedisAddress(Setup.CLUSTER, (Endpoint("a", 6379),), True, "u", "p"),
        ),
    ],
)
def test_a_url_says_how_to_reach_redis(url, address):
    assert address_of(url) == address
    assert RedisOptions(url=url).address == address


PASSWORD = "hunter22"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("hunter22", "must begin with"),
        ("http://:hunter22@h", "must begin with"),
        ("redis:hunter22@h", "must begin with"),
        ("redis://u:hunter22#x@h", "special characters"),
        ("redis://u:hunter22/x@h:1", "special characters"),
        ("redis://u:%ffhunter22@h", "special characters"),
        ("redis://u:[hunter22@h", "special characters"),
        ("redis://h:hunter22", "host:port"),
        ("redis://h:0", "host:port"),
        ("redis://h:65536", "host:port"),
        ("redis://::1:6379", "host:port"),
        ("redis://[::1:6379", "special characters"),
        ("redis://h/hunter22", "database by a number"),
        ("redis://h/1/hunter22", "database by a number"),
        ("redis://h?password=hunter22", "no option but db"),
        ("redis://u:pass?hunter22@h", "special characters"),
        ("redis://h?db=1&db=2", "no option but db"),
        ("redis://a,b", "several servers"),
        ("redis+sentinel://a,b", "name of the master"),
        ("redis+sentinel://a/", "name of the master"),
        ("redis+sentinel://a/m/hunter22", "database by a number"),
        ("redis+cluster://a/1", "only one"),
        ("redis+cluster://a,,b:x", "host:port"),
        ("unix://relative/path", "absolute path"),
        ("unix://", "absolute path"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_quoting_it(url, rule):
    with pytest.raises(ValueError, match="url") as caught:
        RedisOptions(url=url)

    assert rule in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_password_is_not_shown():
    options = RedisOptions(url=f"redis://:{PASSWORD}@h", sentinel_password=PASSWORD)

    assert PASSWORD not in repr(options)
    assert PASSWORD not in repr(options.address)


@pytest.mark.parametrize("half", [{"tls_certificate": "a.pem"}, {"tls_key": "a.key"}])
def test_a_certificate_comes_with_its_key(half):
    with pytest.raises(ValueError, match="belong together"):
        RedisOptions(**half)


def test_an_endpoint_is_shown_as_people_write_it():
    assert str(Endpoint("h", 1)) == "h:1"
    assert str(Endpoint("/run/r.sock", 0)) == "/run/r.sock"
