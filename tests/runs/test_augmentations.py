"""Augmentation written as text: what each name stands for, what is refused, what a run makes of it."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from cynet import data
from cynet.runs import augmentations
from cynet.runs.ranges import checked
from cynet.runs.settings import Settings
from cynet.runs.state import frozen_changes
from cynet.runs.weights import digests
from cynet.train import Session
from cynet.train.mixup import Cutmix, Mixup

pytestmark = pytest.mark.usefixtures("one_thread")
RATIO = (0.75, 1.3333333333333333)
FEW = Settings(model="uwnet2", data="tiny", batch_size=8, steps=3, workers=0, threads=1, lr=0.01)


@pytest.mark.parametrize(("text", "wanted"), [
    ("crop", "RandomCrop(4)"), ("crop:2:reflect", "RandomCrop(2, mode='reflect')"),
    ("crop:mode=reflect", "RandomCrop(4, mode='reflect')"), ("flip", "RandomHorizontalFlip(0.5)"),
    ("flip:.2", "RandomHorizontalFlip(0.2)"), ("rotate", "RandomRotation((-15, 15))"),
    ("rotate:0/30", "RandomRotation((0, 30))"), ("grayscale:.5", "RandomGrayscale(0.5)"),
    ("random-resized-crop:.3/1", f"RandomResizedCrop(None, scale=(0.3, 1), ratio={RATIO})"),
    ("random-resized-crop:24", f"RandomResizedCrop(24, scale=(0.08, 1), ratio={RATIO})"),
    ("random-resized-crop:24x30:.3/1", f"RandomResizedCrop((24, 30), scale=(0.3, 1), ratio={RATIO})"),
    ("random-resized-crop:.3/1:size=24x30", f"RandomResizedCrop((24, 30), scale=(0.3, 1), ratio={RATIO})"),
    ("affine", "RandomAffine((-10, 10), translate=(0.1, 0.1), scale=(0.9, 1.1))"),
    ("affine:5:shear=3", "RandomAffine((-5, 5), shear=(-3, 3, 0, 0))"),
    ("color-jitter:.4:hue=.1", "ColorJitter((0.6, 1.4), (1, 1), (1, 1), (-0.1, 0.1))"),
    ("color-jitter", "ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1))"),
    ("erase:1:value=-1/0/1", "RandomErasing(1, (0.02, 0.33), (0.3, 3.3), (-1.0, 0.0, 1.0))"),
    ("alternating-flip", "RandomFlip(mode='alternating')"), ("alternating-flip:random", "RandomFlip()"),
    ("trivial-augment", "TrivialAugmentWide(31)"), ("cutout:6", "Cutout(6)"), ("cutout", "Cutout(8)"),
    ("grayscale", "RandomGrayscale(0.1)"), ("erase", "RandomErasing(0.5, (0.02, 0.33), (0.3, 3.3), 0.0)"),
    ("random-resized-crop", f"RandomResizedCrop(None, scale=(0.08, 1), ratio={RATIO})"),
])  # fmt: skip
def test_what_a_name_stands_for(text, wanted):
    assert list(map(repr, augmentations.transforms(text))) == [wanted]
    assert checked("augment", text) == text


def test_every_name_stands_for_something_without_arguments():
    for name in augmentations.NAMES:
        assert augmentations.checked(name) == name
        made = augmentations.transforms(name)
        assert len(made) == (name not in augmentations.MIXED)
        with data.DataLoader(tiny.tiny(), 8, workers=0, transforms=made) as loader:
            assert next(iter(loader))[0].dtype == np.float32


def test_usual_augmentation_is_one_value_however_it_is_written():
    assert checked("augment", "crop:4,flip") is True
    assert augmentations.transforms(False) == []
    usual, named = (list(map(repr, augmentations.transforms(each))) for each in (True, "crop:4,flip"))
    assert usual == named == ["RandomCrop(4)", "RandomHorizontalFlip(0.5)"]


@pytest.mark.parametrize(("text", "words"), [
    ("crip", "wanted names out of crop, flip, .*, got 'crip' .did you mean crop"), ("crop,", "got ''"),
    ("crop,crop:3", "wanted crop at most once, got it twice"),
    ("crop:x", "crop: padding: wanted an int, got 'x'"),
    ("crop:1:2:3", "crop: wanted at most 2 arguments, got 'crop:1:2:3'"),
    ("crop:1:padding=2", "crop: wanted each of padding, mode at most once, got 'padding=2'"),
    ("rotate:nan", "rotate: degrees: wanted a number in"),
    ("rotate:1/2/3", "rotate: degrees: wanted two numbers"),
    ("mixup:0", "mixup: alpha: wanted a number in"), ("cutmix:1:seed=3", "cutmix: wanted each of alpha"),
    ("mixup,cutmix", "wanted one of mixup and cutmix, got mixup,cutmix"),
    ("alternating-flip,flip:.3", "wanted one of flip and alternating-flip, got flip,alternating-flip"),
    ("random-resized-crop:0", "random-resized-crop: size: wanted at least 1"),
    ("random-resized-crop:9:size=9", "wanted each of size, scale, ratio at most once, got 'size=9'"),
    ("random-resized-crop:9x9x9", "random-resized-crop: size: wanted an int, got .9x9x9"),
    ("random-resized-crop:1x99999", "size: wanted at most 16384"),
    ("crop:3x4", "crop: padding: wanted an int"),
    ("flip" + ",flip" * 99, "wanted at most 64 names and arguments, got 100"), ("flip\0", "wanted a name"),
])  # fmt: skip
def test_a_text_that_cannot_be_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=f"^augment: .*{words}"):
        checked("augment", text)


def test_what_mixes_batches_is_not_the_loaders():
    assert augmentations.mixing("flip", 3) is None
    mixup, cutmix = augmentations.mixing("flip,mixup:.4", 3), augmentations.mixing("cutmix", 5)
    assert isinstance(mixup, Mixup) and (mixup.alpha, mixup.seed) == (0.4, 3)
    assert augmentations.mixing("mixup", 3).alpha == 0.2
    assert isinstance(cutmix, Cutmix) and (cutmix.alpha, cutmix.seed) == (1.0, 5)


def trained(augment, **more):
    training = tiny.tiny()
    with Session(
        replace(FEW, augment=augment, **more).resolved(training), training, tiny.tiny("test")
    ) as session:
        session.train()
        return digests(session.model)


def test_the_weights_depend_on_each_name_and_not_on_workers():
    text = "random-resized-crop:.3/1,flip:.3,color-jitter,erase:1,cutmix"
    found = [trained(each) for each in (False, True, "cutmix", "erase:1", "random-resized-crop", text)]
    assert len({str(each) for each in found}) == 6
    assert trained(text, workers=2, threads=2) == found[-1]
    assert trained("crop:4,flip") == trained(True) and trained("mixup:.4") == trained(False, mixup=0.4)


def test_mixing_is_asked_for_once():
    with pytest.raises(ValueError, match="mixup: wanted 0 beside augment='cutmix', got"):
        trained("cutmix", mixup=0.2)


def test_another_augmentation_is_a_change_that_is_asked_about():
    stored = replace(FEW, augment="rotate:5").flat()
    assert Settings.unflat(stored).augment == "rotate:5"
    assert list(frozen_changes(stored, replace(FEW, augment="rotate:6"))) == [
        ("augment", "rotate:5", "rotate:6")
    ]


def test_a_text_of_so_many_parts_is_read_and_no_longer_one():
    many = ":".join(["erase", *["x"] * 63])
    for text, words in (
        (many, "erase: wanted at most"),
        (many + ":x", "wanted at most 64 names and arguments, got 65"),
    ):
        with pytest.raises(ValueError, match=f"^{words}"):
            augmentations.checked(text)
