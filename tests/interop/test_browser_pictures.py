"""Pictures of any size as a page gives them to its net, beside what cynet gives it."""

import json

import numpy as np
import pytest
from dom import CHROMIUM, asked

import cynet
from cynet.data.images import given
from cynet.interop import save_html

pytestmark = [
    pytest.mark.chromium, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]  # fmt: skip
FLAT = (33, 70), (7, 5), (48, 64), (1, 1), (97, 96), (130, 210)  # (height, width)
TALL = (100, 40), (300, 33)  # which some versions of Pillow scale down first, and some along
WAYS = [  # (shape of the net's pictures, resize, kept)
    ((32, 32, 3), "crop", (32, 32)), ((20, 28, 1), "stretch", (20, 28)), ((8, 9, 3), "crop", (13, 10)),
]  # fmt: skip


def test_pictures_are_scaled_and_cut_as_cynet_does_it(tmp_path):
    pytest.importorskip("PIL")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in FLAT + TALL]
    told = [[np.dstack([image, np.full(image.shape[:2], 255)]).ravel().tolist(), *image.shape[1::-1]]
            for image in images]  # fmt: skip
    model, pixels = cynet.Sequential(cynet.GlobalAvgPool2d()), ((0,) * 3, (1,) * 3)
    save_html(model, tmp_path / "x.html", (1, 1, 3), pixels=pixels, kept=(7, 6))
    one = "Object.assign(DATA, { shape, resize, kept }), Array.from(fitted(pixels, width, height))"
    ways, each = json.dumps(WAYS), f"images.map(([pixels, width, height]) => ({one}))"
    script = f"((images) => {ways}.map(([shape, resize, kept]) => {each}))({json.dumps(told)})"
    found, tree = asked(tmp_path / "x.html", script)
    assert tree.one("p", id="said").text == "Give it a picture."  # there is none for testing
    assert "to 7 × 6, of which the net sees the middle" in tree.one("footer").text
    assert [section["id"] for section in tree.all("section")] == ["answer", "pictures", "drawing"]
    for (shape, resize, kept), answers in zip(WAYS, found, strict=True):
        top, left = (round((whole - part) / 2) for whole, part in zip(kept, shape[:2], strict=True))
        for image, answer in zip(images, answers, strict=True):
            planes = given.pixels(image, (*kept, shape[2]), resize).astype(int)
            wanted = planes[:, top : top + shape[0], left : left + shape[1]].transpose(1, 2, 0)
            off = np.abs(np.reshape(answer, shape) - wanted).max()
            assert off <= (image.shape[:2] in TALL or resize == "stretch"), (shape, image.shape, off)
