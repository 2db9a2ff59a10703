"""The colours of a passage: letters are legible on each, and each is told from the others by any eye."""

import re
from itertools import combinations

import numpy as np
import pytest

from cynet.core.pages import filling

STYLE = filling.style("cynet.report", "page.css")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): ([^;]+);", part)) for part in STYLE.split("prefers-color-scheme: dark", 1)
)
SHADES = {
    0: ("blue", 0.42),
    1: ("blue", 0.16),
    2: None,
    3: ("orange", 0.16),
    4: ("orange", 0.33),
    5: ("orange", 0.54),
}
# What red, green and blue light are to eyes without one kind of cones (Machado et al. 2009, severity 1).
EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def hexadecimal(text):
    return np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)], float)


def shade(mode, rank):
    card = hexadecimal(mode["card"])
    if SHADES[rank] is None:
        return card
    hue, part = SHADES[rank]
    return part * np.array(mode[f"{hue}-rgb"].split(), float) + (1 - part) * card


def light(color):
    part = color / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return float(light(color) @ [0.2126, 0.7152, 0.0722])


def lab(linear):
    """CIE L*a*b* of linear red, green and blue."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(matrix) @ np.clip(linear, 0, 1) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_style_has_these_shades():
    for rank, value in SHADES.items():
        found = re.search(
            rf"^\.p{rank} \{{ background: rgb\(var\(--(\w+)-rgb\) / (\.\d+)\); \}}", STYLE, re.M
        )
        assert (found and (found[1], float(found[2]))) == value, rank


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
def test_letters_are_legible_on_each(mode):
    ink = luminance(hexadecimal(mode["ink"]))
    for rank in SHADES:
        low, high = sorted((ink, luminance(shade(mode, rank))))
        assert (high + 0.05) / (low + 0.05) >= 4.5, rank  # WCAG 2, level AA


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_each_is_told_from_the_others(mode, eye):
    seen = {rank: lab(EYES[eye] @ light(shade(mode, rank))) for rank in SHADES}
    for one, other in combinations(SHADES, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 5, (one, other)  # 2.3 are just noticed
