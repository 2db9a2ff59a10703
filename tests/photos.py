"""Picture files for tests: drawn with Pillow, or PNG files of a kind that Pillow cannot write."""

import struct
import zlib

import numpy as np

RNG = np.random.default_rng(0)


def draw(path, height=9, width=7, mode="RGB", **options):
    """A random picture file; what is in it."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = RNG.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def folder_of(root, **counts):
    """A folder with so many pictures for each class."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            draw(root / name / f"{i}.png")
    return root


def pets(root):
    """A folder with five cats and four dogs; one deeper, one no picture, one hidden."""
    for i in range(4):
        draw(root / "cat" / f"{i}.png")
        draw(root / "dog" / f"{i}.jpg")
    draw(root / "cat" / "deep" / "x.bmp")
    (root / "cat" / "note.txt").write_text("no picture")
    draw(root / "cat" / ".hidden.png")
    (root / ".git").mkdir()
    return root


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(samples, bits, colour, clear=None, palette=None, exif=None):
    """A PNG file.

    Parameters
    ----------
    samples : integers (height, width) or (height, width, channels)
        Of `bits` each.
    bits, colour : int
        Bit depth and colour type as PNG numbers them.
    clear, palette, exif : bytes, optional
        The contents of tRNS, PLTE and eXIf.
    """
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    flat = samples.reshape(height, -1)
    if bits == 16:
        rows = np.ascontiguousarray(flat.astype(">u2")).view(np.uint8)
    elif bits == 8:
        rows = flat.astype(np.uint8)
    else:
        digits = (flat[..., None] >> np.arange(bits)[::-1]) & 1
        rows = np.packbits(digits.reshape(height, -1).astype(np.uint8), axis=1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = {
        b"IHDR": header, b"eXIf": exif, b"PLTE": palette, b"tRNS": clear, b"IDAT": packed, b"IEND": b""
    }  # fmt: skip
    parts = [_chunk(kind, content) for kind, content in chunks.items() if content is not None]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned_note(orientation):
    """EXIF that says how the camera was held, without the header that JPEG wants."""
    from PIL import Image

    note = Image.Exif()
    note[0x0112] = orientation
    return note.tobytes().removeprefix(b"Exif\0\0")


# What a picture must be turned by, (0, 1, ...), for each of EXIF's eight numbers.
UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}


def tiff(values, kind):
    """A TIFF file of values (height, width) or (height, width, 3), which Pillow cannot write.

    Parameters
    ----------
    values : ndarray
        Little-endian.
    kind : {1, 2, 3}
        1 without a sign, 2 with one, 3 floats.
    """
    height, width, channels = (*values.shape, 1)[:3]
    bits, content = 8 * values.dtype.itemsize, values.tobytes()
    one = {256: width, 257: height, 259: 1, 262: 2 if channels == 3 else 1, 277: channels, 279: len(content)}
    several = {258: bits, 339: kind}  # one of each channel
    start = 8 + 2 + 12 * (len(one) + len(several) + 1) + 4
    entries, extra = [], b""
    for tag in sorted([*one, *several, 273]):
        if tag in several and channels == 3:
            entries.append(struct.pack("<HHII", tag, 3, 3, start + len(extra)))
            extra += struct.pack("<HHH", *[several[tag]] * 3)
        elif tag in several:
            entries.append(struct.pack("<HHIHH", tag, 3, 1, several[tag], 0))
        else:
            entries.append(struct.pack("<HHII", tag, 4, 1, one.get(tag, start + 12)))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    return head + extra.ljust(12, b"\0") + content
