"""The fingerprint of a data set, made of parts so that two of them tell what differs.

It reads `50000x3x32x32.1d6a2f0c.93f2c1ab.5b0e6d0f9a7c4e21`: count and picture shape, then the first digits of
SHA-256 of the classes, the labels and the pixels.
"""

import hashlib
import re

FORM = re.compile(r"(\d+)x(\d+x\d+x\d+)\.([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})")
PARTS = "count", "picture shape (channels x height x width)", "classes", "labels", "pixels"


def of(images, labels, classes):
    """The fingerprint of uint8 `images` (count, channels, height, width), int64 `labels` and their names."""
    names = _digest("\0".join(classes).encode(errors="surrogatepass"), 8)
    size = "x".join(map(str, images.shape))
    return f"{size}.{names}.{_digest(labels.astype('<i8').data, 8)}.{_digest(images.data, 16)}"


def _digest(data, digits):
    return hashlib.sha256(data).hexdigest()[:digits]


def changes(before, now):
    """What differs between two fingerprints, in words.

    Labels and pixels are a matter of course where the count differs, and are left out then.
    """
    found = [FORM.fullmatch(text) if isinstance(text, str) else None for text in (before, now)]
    if None in found:
        return f"fingerprint ({before} then, {now} now)"
    words = [
        f"{name} ({then} then, {today} now)" if name in PARTS[:2] else name
        for name, then, today in zip(PARTS, *(match.groups() for match in found), strict=True)
        if then != today
    ]
    if words and words[0].startswith(PARTS[0]):
        words = [word for word in words if word not in PARTS[3:]]
    return ", ".join(words)
