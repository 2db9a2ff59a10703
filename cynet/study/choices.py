"""What a study trains where nobody says, and the rates that somebody does: pure data, without NumPy."""

from cynet.runs.ranges import number

STEPS, SEEDS = 300, 3  # of a run, and of a round; runs of each kind
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
ROUNDS = (0.1, 0.03, 0.01, 0.003, 0.001)


def rates(text):
    """'.01,.1' as (0.01, 0.1), all above 0 and different, or ValueError."""
    try:
        found = tuple(number(0)(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or 0 in found or len(set(found)) < len(found):
        raise ValueError(f"wanted RATE,... such as .01,.1, all different and above 0, got {text!r}")
    return found


def rounds(text):
    """Rates, each less than the one before, or ValueError."""
    found = rates(text)
    if list(found) != sorted(found, reverse=True):
        raise ValueError(f"wanted each rate less than the one before, got {text!r}")
    return found


def spelled(values):
    """Rates as `rates` reads them: '.01,.1'."""
    return ",".join(f"{rate:g}".removeprefix("0") for rate in values)
