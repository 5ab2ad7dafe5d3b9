"""What access tokens prove, and everything that they do not."""

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.adapters.jwt import ALGORITHMS, JwtVerifier, TokenOptions, sign_token
from kernel.errors import Denied, TokenExpired, Unauthenticated, Unavailable
from kernel.identity import ANONYMOUS
from tests.support.clock import START, ManualClock
from tests.support.tokens import SECRET, TOKEN_OPTIONS, access_token

OTHER_SECRET = "another secret that is 32 bytes long or longer"
LONG_SECRET = "x" * 64
NOW = int(START.timestamp())
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
EC = {name: ec.generate_private_key(curve) for name, curve in CURVES.items()}


def private_key(algorithm):
    return {"HS": LONG_SECRET, "RS": RSA, "Ed": ED}.get(algorithm[:2]) or EC[algorithm]


def pem(private, tmp_path, name="key.pem"):
    text = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / name).write_bytes(text)
    return str(tmp_path / name)


def token(claims=None, *, key=SECRET, algorithm="HS256", **headers):
    claims = {"sub": "amina", "exp": NOW + 60} if claims is None else claims
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def verifier(clock, **options):
    return JwtVerifier(TokenOptions(**{"hmac_keys": (f":{SECRET}",), **options}), clock)


async def refused(tokens, text):
    with pytest.raises(Unauthenticated) as caught:
        await tokens.verify(text)
    assert not isinstance(caught.value, TokenExpired)


@pytest.fixture
def tokens(clock):
    return verifier(clock)


async def test_a_good_token_names_its_user_its_end_and_its_claims(tokens, clock):
    claims = {"sub": "أمينة", "exp": NOW + 60, "info": {"name": "أمينة"}, "tier": 3}

    principal = await tokens.verify(token(claims))

    assert principal.user == "أمينة"
    assert principal.expires_at == clock.now() + timedelta(seconds=60)
    assert principal.claims == claims
    assert principal.key_id is None


async def test_info_is_handed_on_as_it_was_written(tokens):
    payload = b'{"sub": "amina", "info": {"n": 1.50,  "\\u0061": [ ]}}'
    text = jwt.PyJWS().encode(payload, SECRET, algorithm="HS256")

    assert (await tokens.verify(text)).info == b'{"n": 1.50,  "\\u0061": [ ]}'


@pytest.mark.parametrize("claims", [{"sub": "amina"}, {"sub": "amina", "info": None}])
async def test_without_info_there_is_none(tokens, claims):
    assert (await tokens.verify(token(claims))).info is None


async def test_a_token_without_an_end_has_none(tokens):
    assert (await tokens.verify(token({"sub": "amina"}))).expires_at is None


async def test_a_token_of_the_year_9999_has_its_end_then(tokens):
    principal = await tokens.verify(token({"sub": "amina", "exp": 253402300799}))

    assert principal.expires_at.year == 9999


async def test_expire_at_moves_the_end_of_the_connection(tokens, clock):
    claims = {"sub": "amina", "exp": NOW + 60, "expire_at": NOW + 900}

    assert (await tokens.verify(token(claims))).expires_at == clock.now() + timedelta(minutes=15)


async def test_expire_at_zero_means_never(tokens):
    claims = {"sub": "amina", "exp": NOW + 60, "expire_at": 0}

    assert (await tokens.verify(token(claims))).expires_at is None


@pytest.mark.parametrize("claim", ["exp", "expire_at"])
async def test_a_token_expires_when_its_end_and_the_leeway_have_passed(tokens, clock, claim):
    text = token({"sub": "amina", claim: NOW + 60})

    clock.move(seconds=64)
    await tokens.verify(text)
    clock.move(seconds=1)
    with pytest.raises(TokenExpired):
        await tokens.verify(text)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_from_the_future_is_refused_until_then(tokens, clock, claim):
    text = token({"sub": "amina", claim: NOW + 60})

    await refused(tokens, text)
    clock.move(seconds=55)
    await tokens.verify(text)


@pytest.mark.parametrize("claims", [{"sub": ""}, {}])
async def test_who_is_not_named_is_anonymous(tokens, claims):
    principal = await tokens.verify(token({**claims, "exp": NOW + 60}))

    assert principal.user_id == ANONYMOUS
    with pytest.raises(Denied):
        _ = principal.user


async def test_info_may_come_in_base_64(tokens):
    principal = await tokens.verify(token({"sub": "amina", "b64info": "eyJuIjogMX0="}))

    assert principal.info == b'{"n": 1}'


@pytest.mark.parametrize("b64info", ["eyJuIjo=", "no base 64", "/w=="])
async def test_info_in_base_64_that_is_no_json_is_refused(tokens, b64info):
    await refused(tokens, token({"sub": "amina", "b64info": b64info}))


async def test_a_token_of_another_purpose_says_what_it_says(tokens):
    claims = await tokens.claims(token({"sub": "amina", "channel": "news", "exp": NOW + 60}))

    assert json.loads(claims.payload)["channel"] == "news"
    assert claims.expires_at == datetime.fromtimestamp(NOW + 60, UTC)


async def test_a_token_of_another_purpose_ends_as_well(tokens):
    with pytest.raises(TokenExpired):
        await tokens.claims(token({"channel": "news", "exp": NOW - 60}))


@pytest.mark.parametrize("sub", ["two words", "x" * 129, "\u202e", 7, None])
async def test_what_cannot_name_a_user_is_refused(tokens, sub):
    payload = json.dumps({"sub": sub}).encode()

    await refused(tokens, jwt.PyJWS().encode(payload, SECRET, algorithm="HS256"))


async def test_a_subscription_token_is_no_access_token(tokens):
    await refused(tokens, token({"sub": "amina", "channel": "news"}))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "amina", "exp": "soon"},
        {"sub": "amina", "exp": 1e18},
        {"sub": "amina", "exp": -1e18},
        {"sub": "amina", "exp": True},
        {"sub": "amina", "expire_at": 1.5},
        {"sub": "amina", "aud": {"a": 1}},
        {"sub": "amina", "iss": 1},
    ],
)
async def test_claims_that_make_no_sense_are_refused(tokens, claims):
    payload = json.dumps(claims).encode()

    await refused(tokens, jwt.PyJWS().encode(payload, SECRET, algorithm="HS256"))


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"7", b"nonsense", b'{"sub": "\xff"}', b"[" * 9000]
)
async def test_a_payload_that_is_no_claims_is_refused(tokens, payload):
    await refused(tokens, jwt.PyJWS().encode(payload, SECRET, algorithm="HS256"))


async def test_the_audience_must_be_named_if_there_is_one(clock):
    tokens = verifier(clock, audience="zaffa")

    await tokens.verify(token({"sub": "amina", "aud": "zaffa"}))
    await tokens.verify(token({"sub": "amina", "aud": ["other", "zaffa"]}))
    for wrong in ({}, {"aud": "other"}, {"aud": []}):
        await refused(tokens, token({"sub": "amina", **wrong}))


async def test_the_issuer_must_be_the_one_if_there_is_one(clock):
    tokens = verifier(clock, issuer="https://id.example.dz")

    await tokens.verify(token({"sub": "amina", "iss": "https://id.example.dz"}))
    for wrong in ({}, {"iss": "https://id.example.com"}):
        await refused(tokens, token({"sub": "amina", **wrong}))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm_works_with_its_key(clock, tmp_path, algorithm):
    key = private_key(algorithm)
    if algorithm.startswith("HS"):
        options = {"hmac_keys": (f":{key}",)}
    else:
        options = {"public_key_files": (f":{pem(key, tmp_path)}",)}
    tokens = verifier(clock, algorithms=(algorithm,), **options)
    await tokens.open()

    assert (await tokens.verify(token(key=key, algorithm=algorithm))).user == "amina"


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"HS256"}))
async def test_an_algorithm_that_is_not_allowed_is_refused(clock, tmp_path, algorithm):
    files = tuple(
        f":{pem(key, tmp_path, f'{number}.pem')}"
        for number, key in enumerate([RSA, ED, *EC.values()])
    )
    tokens = verifier(
        clock, hmac_keys=(f":{LONG_SECRET}",), public_key_files=files, algorithms=("HS256",)
    )
    await tokens.open()

    await refused(tokens, token(key=private_key(algorithm), algorithm=algorithm))


async def test_an_unsigned_token_is_refused(clock):
    tokens = verifier(clock, algorithms=ALGORITHMS)

    await refused(tokens, token(key=None, algorithm="none"))
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
    body = token().split(".")[1]
    await refused(tokens, f"{head}.{body}.")


async def test_a_public_key_is_never_taken_for_a_shared_secret(clock, tmp_path):
    """The key confusion attack: HS256, signed with the text of the RSA public key."""
    path = pem(RSA, tmp_path)
    tokens = verifier(clock, public_key_files=(f"r:{path}",), algorithms=ALGORITHMS)
    await tokens.open()
    text = (tmp_path / "key.pem").read_bytes()
    forged = _signed_by_hand({"alg": "HS256", "kid": "r"}, text)

    await refused(tokens, forged)


async def test_a_shared_secret_is_never_taken_for_a_public_key(clock, tmp_path):
    text = (pem(RSA, tmp_path), (tmp_path / "key.pem").read_text())[1]
    tokens = verifier(clock, hmac_keys=(f":{text}",), algorithms=ALGORITHMS)

    await refused(tokens, token(key=RSA, algorithm="RS256"))


@pytest.mark.parametrize("key", [OTHER_SECRET, SECRET + "x"])
async def test_a_token_signed_with_another_key_is_refused(tokens, key):
    await refused(tokens, token(key=key))


async def test_a_token_whose_claims_were_changed_is_refused(tokens):
    head, _, signature = token().split(".")
    body = token({"sub": "root"}).split(".")[1]

    await refused(tokens, f"{head}.{body}.{signature}")


async def test_keys_are_replaced_by_accepting_both_for_a_while(clock):
    tokens = verifier(clock, hmac_keys=(f"new:{SECRET}", f"old:{OTHER_SECRET}"))

    await tokens.verify(token(key=SECRET, kid="new"))
    await tokens.verify(token(key=OTHER_SECRET, kid="old"))
    await tokens.verify(token(key=OTHER_SECRET))
    await refused(tokens, token(key=SECRET, kid="old"))
    await refused(tokens, token(key=SECRET, kid="unknown"))


async def test_a_key_without_an_id_serves_tokens_with_any(tokens):
    await tokens.verify(token(kid="whatever"))


@given(
    text=st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,9}")
)
@settings(max_examples=100, deadline=None)
async def test_no_text_does_more_than_be_refused(text):
    await refused(verifier(ManualClock()), text)


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]),
        st.sampled_from(["HS256", "none", "", None, 1, [], ["b64"], {}, True]),
    )
)
@settings(max_examples=100, deadline=None)
async def test_no_header_does_more_than_be_refused(header):
    tokens = verifier(ManualClock(), hmac_keys=(f":{OTHER_SECRET}",))

    await refused(tokens, _signed_by_hand(header, SECRET.encode()))


async def test_a_token_of_a_megabyte_is_refused_unread(tokens):
    await refused(tokens, token({"sub": "amina", "x": "x" * 1_000_000}))


@pytest.mark.parametrize("text", ["no PEM at all", ""])
async def test_a_file_that_holds_no_public_key_stops_the_start(clock, tmp_path, text):
    (tmp_path / "key.pem").write_text(text)
    tokens = verifier(clock, public_key_files=(f":{tmp_path}/key.pem",))

    with pytest.raises(ValueError, match=r"key\.pem"):
        await tokens.open()


async def test_a_key_of_a_kind_that_cannot_sign_stops_the_start(clock, tmp_path):
    path = pem(x25519.X25519PrivateKey.generate(), tmp_path)

    with pytest.raises(ValueError, match=r"key\.pem"):
        await verifier(clock, public_key_files=(f":{path}",)).open()


async def test_a_missing_key_file_stops_the_start(clock, tmp_path):
    with pytest.raises(FileNotFoundError):
        await verifier(clock, public_key_files=(f":{tmp_path}/none.pem",)).open()


class Provider:
    """An identity provider that publishes its keys."""

    def __init__(self):
        self.url = ""
        self.asked = 0
        self.status = 200
        self.keys = []
        self.body = None
        self.slowly = asyncio.Event()
        self.slowly.set()

    async def answer(self, _request):
        self.asked += 1
        await self.slowly.wait()
        body = json.dumps({"keys": self.keys}) if self.body is None else self.body
        return web.Response(status=self.status, text=body)


def jwk(private, kid, **more):
    kinds = {rsa.RSAPrivateKey: "RSA", ed25519.Ed25519PrivateKey: "OKP"}
    algorithm = {"RSA": "RS256", "OKP": "EdDSA"}.get(
        next((kind for each, kind in kinds.items() if isinstance(private, each)), ""), "ES256"
    )
    form = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key(), as_dict=True)
    return {**form, "kid": kid, **more}


@asynccontextmanager
async def serving(provider):
    application = web.Application()
    application.router.add_get("/keys", provider.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield provider
    finally:
        await runner.cleanup()


@pytest.fixture
async def provider():
    async with serving(Provider()) as serving_provider:
        serving_provider.keys = [jwk(RSA, "one"), jwk(ED, "two"), jwk(EC["ES256"], "three")]
        yield serving_provider


@pytest.fixture
def published(provider, clock):
    return verifier(clock, hmac_keys=(), jwks_url=provider.url)


def by_rsa(key=RSA, kid="one"):
    return token(key=key, algorithm="RS256", **({"kid": kid} if kid else {}))


async def test_published_keys_of_every_family_are_fetched_once(published, provider):
    await published.verify(by_rsa())
    await published.verify(token(key=ED, algorithm="EdDSA", kid="two"))
    await published.verify(token(key=EC["ES256"], algorithm="ES256", kid="three"))
    await published.verify(by_rsa(kid=""))

    assert provider.asked == 1


async def test_what_keys_at_hand_can_tell_is_told_at_once_and_the_rest_takes_waiting(
    published, provider, clock
):
    both = verifier(clock, jwks_url=provider.url)

    assert both.verify_at_once(token()) == await both.verify(token())
    with pytest.raises(Unauthenticated):
        both.verify_at_once(token(key=OTHER_SECRET))
    assert both.verify_at_once(by_rsa()) is None
    assert (await both.verify(by_rsa())).user == "amina"
    assert published.verify_at_once(by_rsa()) is None


async def test_tokens_that_arrive_together_ask_for_the_keys_once(published, provider):
    provider.slowly.clear()
    waiting = [asyncio.create_task(published.verify(by_rsa())) for _ in range(20)]
    await asyncio.sleep(0.05)
    provider.slowly.set()

    assert [principal.user for principal in await asyncio.gather(*waiting)] == ["amina"] * 20
    assert provider.asked == 1


@pytest.mark.parametrize("kid", ["next", ""])
async def test_a_new_key_is_found_when_the_first_token_uses_it(published, provider, clock, kid):
    await published.verify(by_rsa())
    clock.move(seconds=30)
    provider.keys = [jwk(OTHER_RSA, kid)]

    await published.verify(by_rsa(OTHER_RSA, kid))

    assert provider.asked == 2


async def test_unknown_keys_make_us_ask_at_most_once_in_a_while(published, provider, clock):
    await refused(published, by_rsa(OTHER_RSA, "next"))
    clock.move(seconds=1)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await published.verify(by_rsa(OTHER_RSA, "next"))
    assert provider.asked == 1

    clock.move(seconds=30)
    await refused(published, by_rsa(OTHER_RSA, "next"))
    assert provider.asked == 2


async def test_a_forged_token_that_names_a_known_key_makes_us_ask_nothing(
    published, provider, clock
):
    await published.verify(by_rsa())
    clock.move(minutes=5)

    await refused(published, by_rsa(OTHER_RSA, "one"))

    assert provider.asked == 1


async def test_a_withdrawn_key_ends_when_the_set_is_old(published, provider, clock):
    await published.verify(by_rsa())
    provider.keys = []
    clock.move(hours=1)

    await refused(published, by_rsa_for_ever())


def by_rsa_for_ever():
    return token({"sub": "amina"}, key=RSA, algorithm="RS256", kid="one")


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"body": "nonsense"}, {"body": "{}"}, {"body": " " * 1_000_001}]
)
async def test_known_keys_are_kept_while_the_provider_fails(published, provider, clock, fault):
    await published.verify(by_rsa_for_ever())
    for name, value in fault.items():
        setattr(provider, name, value)
    clock.move(hours=1)

    await published.verify(by_rsa_for_ever())

    assert provider.asked == 2


async def test_without_any_answer_yet_nobody_is_refused_for_good(published, provider, clock):
    provider.status = 503
    with pytest.raises(Unavailable):
        await published.verify(by_rsa_for_ever())

    provider.status = 200
    clock.move(seconds=30)
    await published.verify(by_rsa_for_ever())


async def test_who_finds_known_keys_does_not_wait_for_a_slow_provider(published, provider, clock):
    await published.verify(by_rsa_for_ever())
    provider.slowly.clear()
    clock.move(hours=1)
    asking = asyncio.create_task(published.verify(by_rsa_for_ever()))
    await asyncio.sleep(0.05)

    await published.verify(by_rsa_for_ever())

    assert not asking.done()
    provider.slowly.set()
    await asking


async def test_keys_that_we_cannot_use_are_left_out(published, provider):
    secret = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    provider.keys = [
        {"kty": "oct", "k": secret, "kid": "secret"},
        {"kty": "from the future"},
        {"kty": "RSA", "n": 7, "e": None},
        {},
        jwk(OTHER_RSA, "two", use="enc"),
        jwk(RSA, "one", use="sig"),
    ]

    await published.verify(by_rsa())
    await refused(published, token(kid="secret"))
    await refused(published, by_rsa(OTHER_RSA, "two"))


async def test_a_token_for_development_is_accepted_where_it_was_made(clock):
    options = TokenOptions(hmac_keys=(f"dev:{SECRET}",), audience="zaffa", issuer="me")
    made = sign_token(
        options, "amina", now=clock.now(), lifetime=timedelta(hours=1), info={"name": "A"}
    )

    principal = await JwtVerifier(options, clock).verify(made)

    assert (principal.user, principal.info) == ("amina", b'{"name":"A"}')
    assert principal.expires_at == clock.now() + timedelta(hours=1)
    assert jwt.get_unverified_header(made)["kid"] == "dev"


async def test_a_token_of_the_test_support_is_accepted(clock):
    principal = await JwtVerifier(TOKEN_OPTIONS, clock).verify(access_token("b", now=clock.now()))

    assert principal.user == "b"


def test_without_a_shared_secret_no_token_is_made():
    with pytest.raises(LookupError):
        sign_token(TokenOptions(), "amina", now=START, lifetime=timedelta(hours=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"hmac_keys": ("a:short",)},
        {"hmac_keys": (SECRET,)},
        {"public_key_files": ("path",)},
        {"jwks_url": "ftp://x"},
        {"jwks_pause_seconds": 0},
        {"jwks_age_seconds": 1},
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"leeway_seconds": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TokenOptions(**wrong)


def test_secrets_are_not_shown():
    assert SECRET not in repr(TOKEN_OPTIONS)


def _signed_by_hand(header, key):
    def encoded(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    body = {"sub": "amina"}
    text = encoded(json.dumps(header).encode()) + b"." + encoded(json.dumps(body).encode())
    return (text + b"." + encoded(hmac.digest(key, text, hashlib.sha256))).decode()
