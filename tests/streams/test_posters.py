"""The poster of a session."""

import io

import pytest
from PIL import Image

from livestream.actors import actor_of
from streams.models import StreamSession
from streams.services.show.sessions import session_start
from tests.bodies import assert_error
from tests.cast import let_in, make_show


def picture(kind="JPEG", size=(320, 180), color=(200, 30, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def url(session):
    return f"/api/v1/sessions/{session.pk}/poster/"


def put(client, session, body, kind="image/jpeg"):
    return client.generic("POST", url(session), body, content_type=kind)


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_a_picture_is_kept_small_and_given_back_as_jpeg(api, ada, show, kind, mime):
    answer = put(api(ada), show, picture(kind, (2000, 1000)), mime)

    assert answer.status_code == 200
    got = api().get(answer.json()["poster_url"])
    assert (got.status_code, got["Content-Type"]) == (200, "image/jpeg")
    kept = Image.open(io.BytesIO(got.content))
    assert (kept.format, kept.size) == ("JPEG", (640, 320))


def test_a_new_picture_has_a_new_address_and_the_old_file_is_gone(api, ada, show):
    first = put(api(ada), show, picture()).json()["poster_url"]
    old = StreamSession.objects.get(pk=show.pk).poster
    second = put(api(ada), show, picture(color=(0, 0, 0))).json()["poster_url"]

    assert first != second
    assert not old.storage.exists(old.name)


def test_metadata_of_a_picture_is_not_kept(api, ada, show):
    exif = Image.Exif()
    exif[0x9286] = "where I live"
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "JPEG", exif=exif)

    put(api(ada), show, out.getvalue())

    kept = StreamSession.objects.get(pk=show.pk).poster.read()
    assert b"where I live" not in kept


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("nobody", 401, "not_authenticated"), ("ben", 403, "session.not_host"), ("mo", 403, "session.not_host")],
)
def test_only_the_host_sets_it(api, show, ben, mo, who, status, code):
    assert_error(put(api({"nobody": None, "ben": ben, "mo": mo}[who]), show, picture()), status, code)


@pytest.mark.parametrize("status", ["kicked", "banned"])
def test_who_was_removed_is_listed_the_show_without_its_picture(api, client, ada, ben, cleo, show, status):
    session_start(session_id=show.pk, actor=actor_of(ada))
    poster = put(api(ada), show, picture()).json()["poster_url"]
    let_in(show, ben, status=status)
    let_in(show, cleo)

    assert_error(api(ben).get(poster), 403, f"session.{status}")
    for user, shown in ((ben, None), (cleo, poster)):
        (row,) = api(user).get("/api/v1/sessions/").json()["results"]
        assert (row["id"], row["poster_url"]) == (str(show.pk), shown)
        client.force_login(user)
        (card,) = client.get("/").context["live"]
        assert (card["id"], card["poster_url"]) == (str(show.pk), shown)


def test_a_stranger_finds_neither_the_poster_nor_the_private_session(api, ada, ben, eve):
    session = make_show(ada, visibility="private")
    put(api(ada), session, picture())
    let_in(session, ben)

    assert api(ben).get(url(session)).status_code == 200
    assert_error(api(eve).get(url(session)), 404, "session.missing")
    assert_error(put(api(eve), session, picture()), 404, "session.missing")


def test_a_session_without_one_says_so(api, show):
    assert_error(api().get(url(show)), 404, "poster.missing")


def test_a_session_that_is_over_gets_no_new_one(api, ada):
    assert_error(put(api(ada), make_show(ada, state="ended"), picture()), 409, "session.ended")


@pytest.mark.parametrize("size", [512 * 1024 + 1, 3 * 1024 * 1024])
def test_more_than_half_a_mebibyte_is_too_big(api, ada, show, size):
    assert_error(put(api(ada), show, b"\xff\xd8" + b"\0" * size), 413, "too_big")


def test_a_picture_with_too_many_pixels_is_refused(api, ada, show):
    assert_error(put(api(ada), show, picture("PNG", (5000, 4000)), "image/png"), 400, "poster.too_large")


@pytest.mark.parametrize("body", [b"", b"GIF89a", b"<svg/>", b"\xff\xd8\xff", picture()[:200], picture("PNG")[:60]])
def test_what_is_no_picture_is_refused(api, ada, show, body):
    assert_error(put(api(ada), show, body), 400, "poster.not_a_picture")


def test_another_kind_of_file_is_refused(api, ada, show):
    assert_error(put(api(ada), show, picture(), "text/html"), 415, "invalid.unsupported_media_type")
    gif = io.BytesIO()
    Image.new("RGB", (8, 8)).save(gif, "GIF")
    assert_error(put(api(ada), show, gif.getvalue(), "image/gif"), 400, "poster.not_a_picture")
