"""Rates, bodies, origins, tickets, and moderators' actions in the admin."""

from tests.mutations.mutation import mutation

LIMITS = [
    mutation(
        "an idle bucket fills up for ever",
        "rate limit",
        "self.tokens = min(self.burst, self.tokens + (now - self.checked_at) * self.per_second)",
        "self.tokens = self.tokens + (now - self.checked_at) * self.per_second",
        "limits::test_a_bucket_never_gives_more_than_its_burst_and_its_rate",
    ),
    mutation(
        "a bucket gives more than it holds",
        "rate limit",
        "        if self.tokens < 1:\n",
        "        if self.tokens < 0:\n",
        "limits::test_a_bucket_never_gives_more_than_its_burst_and_its_rate",
    ),
    mutation(
        "one more than the limit",
        "rate limit",
        "None if reached[name] <= one.limit else",
        "None if reached[name] <= one.limit + 1 else",
        "limits::test_so_many_are_allowed_in_a_window_and_then_the_wait_is_told",
    ),
    mutation(
        "all are counted as one",
        "rate limit",
        'return f"limit:{asked.scope}:{digest}:{int(now // asked.seconds)}"',
        'return f"limit:{asked.scope}:{int(now // asked.seconds)}"',
        "limits::test_people_and_scopes_are_counted_apart",
    ),
    mutation(
        "a window never ends",
        "rate limit",
        ":{digest}:{int(now // asked.seconds)}",
        ":{digest}",
        "limits::test_what_was_counted_is_forgotten_after_its_window",
        "limits::test_so_many_are_allowed_in_a_window_and_then_the_wait_is_told",
    ),
    mutation(
        "without Redis everybody is refused",
        "rate limit",
        "return [None] * len(asked)",
        "return [1.0] * len(asked)",
        "limits::test_a_crowd_waits_once_for_a_cache_that_hangs",
    ),
    mutation(
        "a body that says it is too big is read",
        "body limit",
        "if announced.isdigit() and int(announced[:18]) > limit:",
        "if False:",
        "request limits::test_a_body_that_says_it_is_too_big_is_refused_unread",
    ),
    mutation(
        "a body that turns out too big is read",
        "body limit",
        "        if taken > limit:\n",
        "        if False:\n",
        "request limits::test_a_body_that_turns_out_too_big_is_refused_on_the_way",
    ),
    mutation(
        "any page opens a socket",
        "origins",
        "return origin == _own_origin(scope)",
        "return True",
        "socket sign-in::test_only_our_own_pages_may_connect",
    ),
    mutation(
        "the scheme of a page does not matter",
        "origins",
        "return origin == _own_origin(scope)",
        "return origin[1:] == (_own_origin(scope) or ())[1:]",
        "socket sign-in::test_only_our_own_pages_may_connect",
    ),
    mutation(
        "a proxy's header counts without a proxy",
        "origins",
        "    if settings.SECURE_PROXY_SSL_HEADER:\n        meta_name, secure_value = settings.SECURE_PROXY_SSL_HEADER",
        '    if True:\n        meta_name, secure_value = ("HTTP_X_FORWARDED_PROTO", "https")',
        "socket sign-in::test_a_proxys_scheme_counts_only_where_there_is_a_proxy",
    ),
    mutation(
        "the first of two origins counts",
        "origins",
        "origin = _parse(values[0]) if len(values) == 1 else None",
        "origin = _parse(values[0]) if values else None",
        "socket sign-in::test_two_origins_or_two_hosts_are_refused",
    ),
    mutation(
        "a host that is not ours counts",
        "origins",
        "if not domain or not validate_host(domain, allowed):",
        "if not domain:",
        "socket sign-in::test_the_own_address_counts_only_where_it_is_ours",
    ),
    mutation(
        "a ticket is good twice",
        "tickets",
        "return stored if stored is not None and cache.delete(name) else None",
        "return stored",
        "tickets::test_of_fifty_takers_at_once_one_gets_in",
        "tickets::test_a_ticket_is_for_one_room_and_gone_after_a_try_at_another",
    ),
    mutation(
        "a ticket opens every room",
        "tickets",
        'if stored["issued_at"] <= withdrawn_at or stored["session"] != session_id.hex:',
        'if stored["issued_at"] <= withdrawn_at:',
        "tickets::test_a_ticket_is_for_one_room_and_gone_after_a_try_at_another",
    ),
    mutation(
        "a ticket outlives a new password",
        "tickets",
        'if stored["issued_at"] <= withdrawn_at or stored["session"] != session_id.hex:',
        'if stored["session"] != session_id.hex:',
        "tickets::test_a_new_password_makes_tickets_worthless",
    ),
]

ADMIN = [
    mutation(
        "rows are deleted by hand",
        "read-only admin",
        '    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:\n        """Never."""\n'
        "        return False\n\n    def has_moderate",
        '    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:\n        """Never."""\n'
        "        return True\n\n    def has_moderate",
        "admin pages::test_nothing_is_added_or_deleted_by_hand",
    ),
    mutation(
        "rows are added by hand",
        "read-only admin",
        '    def has_add_permission(self, request: HttpRequest) -> bool:\n        """Never."""\n        return False',
        '    def has_add_permission(self, request: HttpRequest) -> bool:\n        """Never."""\n        return True',
        "admin pages::test_nothing_is_added_or_deleted_by_hand",
    ),
    mutation(
        "who may only read acts",
        "read-only admin",
        '.change_{self.opts.model_name}")',
        '.view_{self.opts.model_name}")',
        "admin actions::test_staff_without_the_right_has_no_actions",
    ),
    mutation(
        "moderators give rights",
        "accounts admin",
        "return bool(request.user.is_active and request.user.is_superuser)",
        "return bool(request.user.is_active and request.user.is_staff)",
        "admin people::test_a_moderator_gives_no_rights",
    ),
    mutation(
        "administrators take away their own rights",
        "accounts admin",
        "return (*self.readonly_fields, *(RIGHTS if own else ()))",
        "return self.readonly_fields",
        "admin people::test_an_administrator_does_not_lay_down_their_own_rights_by_mistake",
    ),
    mutation(
        "anybody on the staff ends a show from its page",
        "session admin",
        "        if not self.has_moderate_permission(request):\n            raise PermissionDenied\n",
        "",
        "admin actions::test_who_may_not_end_a_show_is_not_asked",
    ),
    mutation(
        "staff without the right removes messages",
        "chat admin",
        '@admin.action(description="Remove selected messages", permissions=["moderate"])',
        '@admin.action(description="Remove selected messages")',
        "admin actions::test_staff_without_the_right_has_no_actions",
    ),
]
