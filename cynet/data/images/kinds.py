"""Which files are pictures: by their endings, and by their first bytes where those say what is wrong."""

import contextlib
import functools
import importlib
import importlib.util
import os
import stat

# What Pillow only writes or only recognises, or would run a program for.
UNREAD = ("BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PALM", "PDF", "WMF")
FEATURES = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}  # which a Pillow may be built without
# Plug-ins of Pillow: (the package, its module, the endings that it reads).
PLUG_INS = (
    ("pillow-heif", "pillow_heif", (".heic", ".heif", ".hif", ".heics", ".heifs")),
    ("pillow-avif-plugin", "pillow_avif", (".avif", ".avifs")),
    ("pillow-jxl-plugin", "pillow_jxl", (".jxl",)),
)
BRANDS = {b"hei": "HEIC", b"hev": "HEIC", b"mif": "HEIC", b"msf": "HEIC", b"avi": "AVIF"}  # of ISO files
STARTS = (
    (b"%pdf", "it is a PDF document"),
    (b"%!ps", "it is a PostScript program"),
    (b"version https://git-lfs", "it is a pointer of Git LFS (git lfs pull fetches the file itself)"),
    (b"<svg", "it is an SVG drawing"),
    (b"<!doctype html", "it is a web page"),
    (b"<html", "it is a web page"),
    (b"<?xml", "it is an XML document"),
    (b"pk\x03\x04", "it is a zip archive"),
    (b"\x1f\x8b", "it is packed by gzip"),
    (b"\x93numpy", "it is an array of NumPy"),
)
UNKNOWN = "it is of no kind that is known"


def read_endings() -> frozenset[str]:
    """The endings of files that are read as pictures, lower-case with the dot: frozenset of str."""
    from PIL import Image, features

    Image.init()
    kinds = {*Image.OPEN, "MPO"} - set(UNREAD)  # Pillow opens MPO as the JPEG that it begins with
    for kind, feature in FEATURES.items():
        if kind in kinds and not features.check(feature):
            kinds.remove(kind)
    found = {ending for ending, kind in Image.registered_extensions().items() if kind in kinds}
    for _, module, endings in PLUG_INS:
        if importlib.util.find_spec(module):
            found.update(endings)
    return frozenset(found)


def missing_package(ending: str) -> str | None:
    """The package that makes Pillow read files of this ending, which it does not yet; None for no picture."""
    for package, _, endings in PLUG_INS:
        if ending in endings:
            return package
    from PIL import Image

    return "pillow" if Image.registered_extensions().get(ending) in FEATURES else None


@functools.cache
def use_plug_ins() -> None:
    """Let Pillow read with the plug-ins that are installed."""
    for _, module, _ in PLUG_INS:
        with contextlib.suppress(Exception):  # one that is not there, or broken, reads nothing
            getattr(importlib.import_module(module), "register_heif_opener", lambda: None)()


def decoder() -> str:
    """What reads pictures, as a text: Pillow's version and the plug-ins that are there."""
    from PIL import __version__

    there = [package for package, module, _ in PLUG_INS if importlib.util.find_spec(module)]
    return " ".join(["pillow", __version__, *there])


def of_plug_in(content: bytes) -> bool:
    """Whether these bytes begin as the files that a plug-in may read."""
    return content[4:8] == b"ftyp" or content.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL "))


def guess(content: bytes) -> str:
    """What bytes that Pillow does not know are, in words that follow the name of the file."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if content[4:8] == b"ftyp" and (kind := BRANDS.get(content[8:11])):
        package = PLUG_INS[0][0] if kind == "HEIC" else PLUG_INS[1][0]
        return f"it is {kind}, which the package {package} reads"
    if content.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return f"it is JPEG XL, which the package {PLUG_INS[2][0]} reads"
    if start and not content.strip(b"\0"):
        return "it holds nothing but zeros"
    return next((words for begin, words in STARTS if start.startswith(begin)), UNKNOWN)


def special(mode: int) -> str | None:
    """What something is that is no regular file, by its mode of `os.stat`; None for a regular one."""
    kinds = (
        (stat.S_ISREG, None), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    )  # fmt: skip
    return next((words for test, words in kinds if test(mode)), "no regular file")


def ending(name: str) -> str:
    """The ending of a file's name, lower-case with the dot; '' where it has none."""
    return os.path.splitext(name)[1].lower()
