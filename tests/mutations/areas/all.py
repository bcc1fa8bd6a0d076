"""Every area, by name."""

from tests.mutations.areas import chat, stage, state

AREAS = {
    "state": state.MUTATIONS,
    "stage": stage.MUTATIONS,
    "chat": chat.MUTATIONS,
}
