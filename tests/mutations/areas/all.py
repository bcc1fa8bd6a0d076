"""Every area, by name."""

from tests.mutations.areas import chat, limits, media, page, providers, rooms, stage, state, tokens, webhooks

AREAS = {
    "state": state.MUTATIONS,
    "stage": stage.MUTATIONS,
    "chat": chat.MUTATIONS,
    "rooms": rooms.MUTATIONS,
    "tokens": tokens.MUTATIONS,
    "providers": providers.MUTATIONS,
    "webhooks": webhooks.MUTATIONS,
    "limits": limits.LIMITS,
    "admin": limits.ADMIN,
    "page": page.MUTATIONS,
    "media packets": media.WIRE,
    "media rooms": media.ROOMS,
}
