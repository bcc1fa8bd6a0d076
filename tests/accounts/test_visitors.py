import pytest
from django.http import HttpResponse, JsonResponse
from django.test import AsyncRequestFactory, RequestFactory

from accounts.visitors import VisitorCookieMiddleware, visitor_name, visitor_of


def page(request):
    return HttpResponse("<p>hello</p>")


def test_a_page_gives_a_browser_its_VisitorCookieMiddleware():
    response = VisitorCookieMiddleware(page)(RequestFactory().get("/"))

    cookie = response.cookies["visitor"]
    assert visitor_of(cookie.value) == cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 365 * 24 * 3600)
    assert cookie["secure"] == ""


def test_over_https_the_cookie_stays_on_https():
    response = VisitorCookieMiddleware(page)(RequestFactory().get("/", secure=True))

    assert response.cookies["visitor"]["secure"] is True


def test_a_browser_that_has_one_keeps_it():
    request = RequestFactory().get("/")
    request.COOKIES["visitor"] = visitor_name()

    assert "visitor" not in VisitorCookieMiddleware(page)(request).cookies


@pytest.mark.parametrize("value", ["", "x", "a" * 23, "<script>", "a" * 21 + "\n"])
def test_a_cookie_that_we_did_not_make_is_replaced(value):
    request = RequestFactory().get("/")
    request.COOKIES["visitor"] = value

    assert "visitor" in VisitorCookieMiddleware(page)(request).cookies


def test_the_api_sets_no_cookie():
    response = VisitorCookieMiddleware(lambda request: JsonResponse({}))(RequestFactory().get("/api/"))

    assert "visitor" not in response.cookies


async def test_asynchronous_views_give_it_too():
    async def async_page(request):
        return page(request)

    response = await VisitorCookieMiddleware(async_page)(AsyncRequestFactory().get("/"))

    assert "visitor" in response.cookies
