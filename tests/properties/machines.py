"""The number of examples of a state machine."""

import math

from hypothesis import settings

# A hundred by day: an example is one walk, and few walks reach the rare states.
EXAMPLES_PER_EXAMPLE = 100 / 60


def machine_settings(*, steps: int) -> settings:
    """Return the settings of a state machine: more examples than other properties have, of at most this many steps."""
    return settings(max_examples=math.ceil(settings().max_examples * EXAMPLES_PER_EXAMPLE), stateful_step_count=steps)
