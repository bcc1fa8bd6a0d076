from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User
from accounts.socket_auth import SocketAuthentication
from accounts.tickets import ticket_issue
from livestream.actors import ANONYMOUS, actor_of

pytestmark = pytest.mark.django_db(transaction=True)
SESSION_ID = UUID("0b9f7a52-6a43-4b4c-9a38-58c4f6b1a001")
PATH = f"/ws/live/{SESSION_ID}/"
HERE = [("host", "shop.example:8000"), ("origin", "http://shop.example:8000")]


@pytest.fixture(autouse=True)
def our_address(settings):
    settings.ALLOWED_HOSTS = ["shop.example", ".wild.example", "[::1]"]
    settings.TRUSTED_ORIGINS = ["https://app.example", "http://Dev.example:3000"]
    settings.SECURE_PROXY_SSL_HEADER = None


async def connect(headers=(), *, path=PATH, scheme=None):
    """Return the scope that the room's consumer would get, and the answer to the handshake."""
    seen = {}

    async def room(scope, receive, send):
        seen.update(scope)
        await receive()
        await send({"type": "websocket.accept"})

    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    communicator = WebsocketCommunicator(SocketAuthentication(room), path, headers=encoded)
    if scheme:
        communicator.scope["scheme"] = scheme
    await communicator.send_input({"type": "websocket.connect"})
    answer = await communicator.receive_output()
    await communicator.wait()
    return seen, answer


ORIGINS = [
    # origin, scheme of the handshake, allowed
    ("http://shop.example:8000", "ws", True),
    ("HTTP://SHOP.example:8000", "ws", True),
    ("https://shop.example:8000", "wss", True),
    ("https://app.example", "ws", True),
    ("https://app.example:443", "wss", True),
    ("http://dev.example:3000", "ws", True),
    ("null", "ws", False),
    ("", "ws", False),
    ("http://evil.example", "ws", False),
    ("http://shop.example:8001", "ws", False),
    ("http://shop.example", "ws", False),
    ("https://shop.example:8000", "ws", False),
    ("http://shop.example:8000", "wss", False),
    ("http://shop.example:8000.evil.example", "ws", False),
    ("http://shop.example.evil.example:8000", "ws", False),
    ("http://evilshop.example:8000", "ws", False),
    ("http://sub.shop.example:8000", "ws", False),
    ("http://shop.example:8000@evil.example", "ws", False),
    ("http://evil.example#@shop.example:8000", "ws", False),
    ("http://shop.example:8000/", "ws", False),
    ("http://app.example", "ws", False),
    ("https://app.example:444", "ws", False),
    ("https://app.example.evil.example", "ws", False),
    ("file://", "ws", False),
    ("http://shop.example:8000 http://evil.example", "ws", False),
    ("http://shop.example:8000, http://evil.example", "ws", False),
    ("ws://shop.example:8000", "ws", False),
    ("http://shop.example:99999", "ws", False),
    ("http://[::1", "ws", False),
    ("http://shop.example:8000\\.evil.example", "ws", False),
]


@pytest.mark.parametrize(("origin", "scheme", "allowed"), ORIGINS)
async def test_only_our_own_pages_may_connect(origin, scheme, allowed):
    scope, answer = await connect([("host", "shop.example:8000"), ("origin", origin)], scheme=scheme)

    expected = {"type": "websocket.accept"} if allowed else {"type": "websocket.close", "code": 4403}
    assert answer == expected
    assert bool(scope) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("shop.example", True), ("a.wild.example", True), ("[::1]:8000", True), ("evil.example", False), ("", False)],
)
async def test_the_own_address_counts_only_where_it_is_ours(host, allowed):
    _, answer = await connect([("host", host), ("origin", f"http://{host}")])

    assert (answer["type"] == "websocket.accept") is allowed


async def test_two_origins_or_two_hosts_are_refused():
    _, two_origins = await connect([*HERE, ("origin", "http://shop.example:8000")])
    _, two_hosts = await connect([*HERE, ("host", "shop.example:8000")])

    assert two_origins["type"] == two_hosts["type"] == "websocket.close"


@pytest.mark.parametrize(("behind_proxy", "allowed"), [(True, True), (False, False)])
async def test_a_proxys_scheme_counts_only_where_there_is_a_proxy(settings, behind_proxy, allowed):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if behind_proxy else None
    headers = [("host", "shop.example"), ("origin", "https://shop.example"), ("x-forwarded-proto", "https")]

    _, answer = await connect(headers)

    assert (answer["type"] == "websocket.accept") is allowed


async def test_a_foreign_page_is_refused_even_with_a_ticket(ben):
    ticket = ticket_issue(actor=actor_of(ben), session_id=SESSION_ID, now=datetime.now(UTC)).ticket

    scope, answer = await connect([("origin", "https://evil.example")], path=f"{PATH}?ticket={ticket}")

    assert answer["type"] == "websocket.close"
    assert scope == {}


async def test_who_brings_nothing_is_nobody_in_particular():
    scope, _ = await connect(HERE)

    assert scope["actor"].user_id is None
    assert scope["actor_error"] is None
    assert len(scope["actor"].visitor) == 22


def cookies_of(user):
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


async def test_a_session_cookie_signs_in(ben):
    cookie = await sync_to_async(cookies_of)(ben)

    scope, _ = await connect([*HERE, ("cookie", f"visitor=abcdefghijklmnopqrstuv; {cookie}")])

    actor = scope["actor"]
    assert (actor.user_id, actor.username, actor.display_name, actor.is_staff) == (ben.pk, "ben", "Ben", False)
    assert actor.visitor == "abcdefghijklmnopqrstuv"


async def test_without_an_origin_a_cookie_is_ignored(ben):
    cookie = await sync_to_async(cookies_of)(ben)

    scope, answer = await connect([("cookie", f"visitor=abcdefghijklmnopqrstuv; {cookie}")])

    assert answer["type"] == "websocket.accept"
    assert scope["actor"].user_id is None
    assert scope["actor"].visitor != "abcdefghijklmnopqrstuv"


@pytest.mark.parametrize("what", ["password", "closed", "deleted", "logged out"])
async def test_a_session_that_is_over_signs_nobody_in(ben, what):
    def prepare():
        client = Client()
        client.force_login(ben)
        cookie = f"sessionid={client.cookies['sessionid'].value}"
        match what:
            case "password":
                ben.set_password("another horse entirely")
                ben.save()
            case "closed":
                User.objects.filter(pk=ben.pk).update(is_active=False)
            case "deleted":
                ben.delete()
            case "logged out":
                client.logout()
        return cookie

    cookie = await sync_to_async(prepare)()
    scope, _ = await connect([*HERE, ("cookie", cookie)])

    assert scope["actor"].user_id is None
    assert scope["actor_error"] is None


@pytest.mark.parametrize(
    "cookie", ["sessionid=", "sessionid=x", "sessionid=" + "a" * 5000, "sessionid=';--", "=;=;", "a"]
)
async def test_a_strange_cookie_is_no_error(cookie):
    scope, _ = await connect([*HERE, ("cookie", cookie)])

    assert scope["actor"].user_id is None


async def test_a_bearer_token_signs_in_without_an_origin(ben):
    scope, _ = await connect([("authorization", f"Bearer {AccessToken.for_user(ben)}")])

    assert scope["actor"].user_id == ben.pk
    assert scope["actor_error"] is None


async def test_a_bearer_token_comes_before_a_cookie(ben, eve):
    cookie = await sync_to_async(cookies_of)(eve)

    scope, _ = await connect([*HERE, ("cookie", cookie), ("authorization", f"Bearer {AccessToken.for_user(ben)}")])

    assert scope["actor"].user_id == ben.pk


def expired(user):
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=61))
    return str(token)


@pytest.mark.parametrize("kind", ["x", "", "a.b.c", "expired", "refresh", "long", "ä", "none"])
async def test_a_bad_bearer_token_is_told_after_the_handshake(ben, kind):
    token = {
        "expired": expired(ben),
        "refresh": str(RefreshToken.for_user(ben)),
        "long": "x" * 1_000_000,
        "none": "eyJhbGciOiJub25lIn0." + str(AccessToken.for_user(ben)).split(".")[1] + ".",
    }.get(kind, kind)

    scope, answer = await connect([("authorization", f"Bearer {token}")])

    assert answer["type"] == "websocket.accept"
    assert scope["actor"].user_id is None
    assert scope["actor_error"].code == "token.invalid"
    assert scope["actor_error"].status == 401


async def test_another_kind_of_authorization_is_not_ours():
    scope, _ = await connect([("authorization", "Basic YTpi")])

    assert scope["actor"].user_id is None
    assert scope["actor_error"] is None


async def test_a_ticket_signs_in_once(ben):
    ticket = ticket_issue(actor=actor_of(ben), session_id=SESSION_ID, now=datetime.now(UTC)).ticket

    first, _ = await connect(path=f"{PATH}?ticket={ticket}")
    second, _ = await connect(path=f"{PATH}?ticket={ticket}")

    assert first["actor"].user_id == ben.pk
    assert (second["actor"].user_id, second["actor_error"].code) == (None, "ticket.invalid")


async def test_a_ticket_for_another_room_signs_nobody_in(ben):
    ticket = ticket_issue(actor=actor_of(ben), session_id=uuid4(), now=datetime.now(UTC)).ticket

    scope, _ = await connect(path=f"{PATH}?ticket={ticket}")

    assert scope["actor_error"].code == "ticket.invalid"


async def test_no_ticket_and_no_token_is_logged(ben, caplog):
    caplog.set_level("DEBUG")
    ticket = ticket_issue(actor=actor_of(ben), session_id=SESSION_ID, now=datetime.now(UTC)).ticket
    token = str(AccessToken.for_user(ben))

    await connect(path=f"{PATH}?ticket={ticket}")
    await connect([("authorization", f"Bearer {token}x")])

    assert ticket not in caplog.text
    assert token not in caplog.text


async def test_the_servers_own_send_reaches_the_consumer():
    sends = []

    async def room(scope, receive, send):
        sends.append(send)

    async def send(message):
        pass

    scope = {"type": "websocket", "path": PATH, "headers": [], "query_string": b""}
    await SocketAuthentication(room)(scope, None, send)

    assert sends == [send]
    assert "actor" not in scope
    assert ANONYMOUS.visitor == ""
