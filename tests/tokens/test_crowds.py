"""Many simultaneous token requests, or uses: checked together, and each on its own."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import AccessToken

from accounts.bearer import BearerAuthentication
from accounts.models import User
from livestream.actors import ANONYMOUS, actor_of
from livestream.errors import Conflict, Denied, Missing, NotAuthenticated
from providers.interface import MediaRole
from streams.models import ParticipantStatus
from tests.cast import let_in, make_show, make_user
from tokens.authorization import AuthorizedRequest, TokenRequest, authorize_all
from tokens.models import IssuedToken
from tokens.services import rows_store

pytestmark = pytest.mark.django_db
WATCH, PUBLISH = MediaRole.SUBSCRIBER, MediaRole.PUBLISHER


def row_of(show, user, token_hash):
    now = timezone.now()
    return IssuedToken(
        user_id=user.pk,
        session_id=show.pk,
        provider="builtin",
        token_hash=token_hash,
        channel_id=show.channel_id,
        uid=str(user.pk),
        role=WATCH.value,
        created_at=now,
        expires_at=now + timedelta(minutes=10),
    )


@pytest.mark.parametrize("size", [1, 3])
def test_the_checks_of_a_crowd_take_as_many_queries_as_those_of_one(ada, size, django_assert_num_queries):
    asked = [TokenRequest(make_show(ada).pk, actor_of(make_user()), WATCH) for _ in range(size)]

    with django_assert_num_queries(4):
        authorized = authorize_all(asked)

    assert [(one.session.pk, one.actor, one.role) for one in authorized] == [
        (one.session_id, one.actor, one.role) for one in asked
    ]


def test_each_of_a_crowd_is_told_what_is_true_of_them(ada, ben, eve):
    show, private = make_show(ada), make_show(ada, visibility="private")
    over, other = make_show(ada, state="ended"), make_show(ada)
    let_in(other, eve, status=ParticipantStatus.BANNED)

    answers = authorize_all(
        [
            TokenRequest(show.pk, actor_of(ada), PUBLISH),
            TokenRequest(show.pk, actor_of(ben), PUBLISH),
            TokenRequest(show.pk, ANONYMOUS, PUBLISH),
            TokenRequest(show.pk, ANONYMOUS, WATCH),
            TokenRequest(private.pk, actor_of(eve), WATCH),
            TokenRequest(private.pk, actor_of(ada), WATCH),
            TokenRequest(other.pk, actor_of(eve), WATCH),
            TokenRequest(over.pk, actor_of(ben), WATCH),
            TokenRequest(ben.pk, actor_of(ben), WATCH),
        ]
    )

    expected = [
        AuthorizedRequest,
        Denied,
        NotAuthenticated,
        AuthorizedRequest,
        Missing,
        AuthorizedRequest,
        Denied,
        Conflict,
        Missing,
    ]
    assert [type(answer) for answer in answers] == expected


def test_a_token_that_is_there_already_costs_nobody_else_theirs(show, ada, ben):
    first = row_of(show, ada, "a" * 64)
    assert rows_store([first]) == {}
    same, other = row_of(show, ben, "a" * 64), row_of(show, ben, "b" * 64)

    answers = rows_store([same, other])

    assert [type(answers.get(row.pk)) for row in (same, other)] == [IntegrityError, type(None)]
    assert set(IssuedToken.objects.values_list("user_id", "token_hash")) == {
        (ada.pk, "a" * 64),
        (ben.pk, "b" * 64),
    }


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}])
def test_a_bearer_token_ends_with_the_account_and_the_password(ben, change):
    token = AccessToken.for_user(ben)
    assert BearerAuthentication().get_user(token) == ben

    User.objects.filter(pk=ben.pk).update(**change)

    with pytest.raises(AuthenticationFailed):
        BearerAuthentication().get_user(token)


@pytest.mark.parametrize("claims", [{"user_id": None}, {"user_id": "nobody"}, {"hash_password": None}])
def test_a_bearer_token_without_its_claims_is_nobodys(ben, claims):
    token = AccessToken.for_user(ben)
    for name, value in claims.items():
        if value is None:
            del token[name]
        else:
            token[name] = value

    with pytest.raises(AuthenticationFailed):
        BearerAuthentication().get_user(token)
