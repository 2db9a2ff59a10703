"""What is wrong with a hole: the smallest shape, the first wrong element, and the mistake that was made.

Design: a hint is given only where the numbers say so. Each mistake of an exercise is a twin that makes it;
what a student's function gave for all wrong cases has to equal it. Mistakes that any function can have (a
constant factor, an output that is added to, threads in each other's way) are recognised in the same way.
"""

from __future__ import annotations

import numpy as np

from . import showing
from .exercise import LIMIT
from .trying import FILLS

STEP = 1e-5  # of finite differences, relative
LOOSE = 10.0  # times what is allowed: how near a mistake's twin has to be
KEPT = "a second call with the same arguments gives other numbers: something is kept from call to call"
DEPENDS = (
    "what it gives depends on what was in the output before: set that to 0 before you add to it, or assign"
)
ZERO = "everything is 0: was nothing added"
DIVISION = ", or is it a division of whole numbers, as -1 / 2 in Cython?"
RACE = (
    "calls with the same arguments give different numbers: threads of the prange write to the same element. "
    "Give each thread elements of its own, as one group or one row"
)
NAMES = {2.0: "twice what is wanted", 0.5: "half of what is wanted", -1.0: "the negative of what is wanted"}


def shares(found, wanted, allowed):
    """The error of each element as a share of what is allowed; NaN and infinities that are equal have
    none."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.asarray(found, np.float64)
        same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
        off = np.where(same, 0.0, np.abs(found - wanted) / allowed)
    return np.where(np.isnan(off), np.inf, off)


def explained(hole, wrong, language, large):
    """(lines, numbers, key, hint) of a hole that is wrong.

    Parameters
    ----------
    hole : Hole
    wrong : list of (DrawnCase, arrays, arrays)
        What it gave in the two calls for each case that is wrong, small ones first.
    language : {"python", "cython"}
    large : DrawnCase
        The one at which races show.

    Returns
    -------
    list of str, list of str, str or None, str or None
    """
    case, first, second = wrong[0]
    key, hint = recognised(hole, wrong, language, large)
    takes = ", ".join(each.name for each in hole.takes)
    lines = [f"{hole.name}({takes}), the smallest shape that is wrong: {case}"]
    more, found, wanted = _elements(hole, case, first, second)
    return lines + more, showing.numbers(hole, case, found, wanted, hint is None), key, hint


def _elements(hole, case, first, second):
    """The first wrong element, in words; the results of the call that has it, and those wanted."""
    wanted = hole.computed(hole.twin, case.values)
    allowed = hole.allowed(case.values, wanted)
    for found in (first, second):
        for number, value in enumerate(hole.gives):
            bad = shares(found[number], wanted[number], allowed[number]) > 1
            if not bad.any():
                continue
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            told = f"{value.name}[{', '.join(map(str, place))}]" if place else value.name
            differences = _difference(hole, case, place) if number == 0 else ""
            text = (
                f"the first wrong element: {told}: wanted {_number(wanted[number][place])}{differences}, got "
            )
            lines = [f"{text}{_number(found[number][place])}"]
            if bad.size > 1:
                lines.append(f"{int(bad.sum())} of {bad.size} elements of {value.name} are wrong")
            return lines, found, wanted
    return [], first, wanted


def _number(value):
    return str(int(value)) if np.issubdtype(np.asarray(value).dtype, np.integer) else f"{float(value):.6g}"


def _difference(hole, case, place):
    slope = _slope(hole, case)
    return f" (finite differences: {_quotient(*slope, place):.4g})" if slope else ""


def _slope(hole, case):
    if hole.slope is None:
        return None
    values = {
        each.name: np.asarray(case.values[each.name], np.float64) if each.shape and each.kind == "float"
        else case.values[each.name] for each in hole.takes
    }  # fmt: skip
    return hole.slope(**values)


def _quotient(function, at, place):
    step = STEP * max(abs(float(at[place])), 1e-3)
    up, down = at.copy(), at.copy()
    up[place] += step
    down[place] -= step
    return (function(up) - function(down)) / (2 * step)


def against_differences(hole, case, found):
    """The largest difference of a gradient to finite differences, as a share of its largest element."""
    function, at = _slope(hole, case)
    quotients = [_quotient(function, at, place) for place in np.ndindex(at.shape)]
    scale = max(1.0, float(np.abs(quotients).max()))
    return float(np.abs(np.reshape(quotients, at.shape) - found).max()) / scale


# -- which mistake it is ------------------------------------------------------------
def recognised(hole, wrong, language, large):
    """(key, hint) of the mistake that gives these very numbers, or (None, None)."""
    if language == "cython" and (found := _of_outputs(hole, wrong, large)):
        return found
    for case, first, second in wrong:
        if all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True)):
            continue
        if language == "python":
            return "kept", KEPT
        raced = case.sizes == large.sizes or not _follows(first, second)
        return ("race", RACE) if raced else ("depends", DEPENDS)
    if not any(np.any(each) for _, found, _ in wrong for each in found):  # and not all that is wanted is 0
        return "zero", ZERO + (DIVISION if language == "cython" else "?")
    for mistake in hole.mistakes:
        if all(_equal(hole, mistake.wrong, case, found) for case, found, _ in wrong):
            return mistake.key, mistake.hint
    return _of_any(hole, wrong)


def _follows(first, second):
    """Whether two calls differ by what was in their outputs before."""
    with np.errstate(invalid="ignore"):
        changes = np.concatenate([np.ravel(b - a) for a, b in zip(first, second, strict=True)])
    return np.allclose(changes[changes != 0], FILLS[1] - FILLS[0], rtol=1e-3)


def _of_outputs(hole, wrong, large):
    """Mistakes with an output that is given as an array: it is added to, or not written."""
    added = unwritten = True
    for case, first, second in wrong:
        wanted = hole.computed(hole.twin, case.values)
        allowed = hole.allowed(case.values, wanted)
        for found, fill in ((first, FILLS[0]), (second, FILLS[case.sizes != large.sizes])):
            every = list(zip(found, wanted, allowed, strict=True))
            added = added and all((shares(f, w + fill, LOOSE * a) <= 1).all() for f, w, a in every)
            left = [np.asarray(f) == fill for f, _, _ in every]
            right = [shares(f, w, a) <= 1 for f, w, a in every]
            unwritten = unwritten and any(each.any() for each in left)
            unwritten = unwritten and all((l | r).all() for l, r in zip(left, right, strict=True))
    if added:
        return "accumulates", "it adds to what is in the output already: assign to it, or set it to 0 first"
    if unwritten:
        return (
            "unwritten",
            "some elements of the output are never written: they still hold what was there before",
        )
    return None


def _equal(hole, twin, case, found):
    """Whether a mistake's twin gives what was found."""
    try:
        with np.errstate(all="ignore"):
            made = hole.computed(twin, case.values)
    except (ValueError, IndexError, ZeroDivisionError):  # the mistake has another shape there
        return False
    told = [
        i for i, each in enumerate(made) if each.dtype != object
    ]  # of the others the mistake's twin says nothing
    made, found = [made[i] for i in told], [found[i] for i in told]
    if any(one.shape != other.shape for one, other in zip(made, found, strict=True)):
        return False
    allowed = hole.allowed(case.values, made)
    return all(
        (shares(f, m, LOOSE * np.maximum(a, LIMIT * np.abs(m))) <= 1).all()
        for f, m, a in zip(found, made, allowed, strict=True)
    )


def _of_any(hole, wrong):
    """Mistakes that any function can have."""
    if any(np.isnan(each).any() for _, found, _ in wrong for each in found if each.dtype.kind == "f"):
        return (
            "nan",
            "there is a NaN in it: look for 0/0, the root of a negative number, inf - inf, or an overflow",
        )
    several = [(case, found) for case, found, _ in wrong if sum(each.size for each in found) > 1]
    factors = [_factor(hole, *each) for each in several] or [None]
    if None not in factors and np.allclose(factors, factors[0], rtol=1e-3):
        factor = factors[0]
        text = next((text for known, text in NAMES.items() if abs(factor - known) < 1e-3), None)
        return "factor", f"it is {text or f'{factor:.4g} times what is wanted'}, everywhere"
    if None not in factors:
        return (
            "factor",
            f"it is a multiple of what is wanted, {factors[0]:.4g} times with this shape: a 1/N, perhaps?",
        )
    return None, None


def _factor(hole, case, found):
    """How many times what is wanted was found, where that is the same for every element."""
    wanted = hole.computed(hole.twin, case.values)
    wanted, found = (np.concatenate([np.ravel(a).astype(float) for a in each]) for each in (wanted, found))
    length = float(wanted @ wanted)
    if length == 0 or not np.isfinite(found).all():
        return None
    factor = float(found @ wanted) / length
    near = np.abs(found - factor * wanted).max() <= 1e-4 * max(1e-9, float(np.abs(found).max()))
    return factor if near and factor else None
