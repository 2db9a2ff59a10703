"""Pickles as data: a reader that hands out stand-ins for what a pickle names, and imports nothing.

Design: a pickle is a program, and its GLOBAL instruction imports and hands out any function. Here it hands
out only what a kind of file needs, and even that in stand-ins, which check before they build. The unpickler
is the one written in Python: its memo is a dict (the one in C makes a table as long as the largest memo index
that the file names), and its instructions can be counted and narrowed. Left out are those that make something
of no file's kind, call a class without a stand-in's knowing, or make as many bytes as a number says.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .names import printable

LEFT_OUT = frozenset(
    code[0] for code in (
        pickle.EMPTY_SET, pickle.FROZENSET, pickle.ADDITEMS, pickle.BYTEARRAY8, pickle.NEXT_BUFFER,
        pickle.READONLY_BUFFER, pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.PERSID,
    )
)  # fmt: skip
SHOWN = 200  # letters of what a file says that a message shows


class DataUnpickler(pickle._Unpickler):
    """Reads one pickle of plain values and of what has a stand-in.

    Parameters
    ----------
    data : bytes
    most : int
        Instructions that are carried out; each makes a hundred bytes or so.
    encoding : str, optional
        Of the strings of Python 2; "bytes" leaves them as they are.

    Attributes
    ----------
    wanted : str
        What the pickle may hold, as messages say it.
    allowed : mapping of (module, name) to object
        The stand-ins.
    built : tuple of type
        Those of which an instance takes a state.
    keys : tuple of type
        What keys of a dict may be. The hash of a tuple a million deep overflows the stack of the process.
    """

    wanted = "plain values alone"
    allowed: Mapping[tuple[str, str], object] = {}
    built: tuple[type, ...] = ()
    keys: tuple[type, ...] = (str, bytes)
    stack: list[Any]

    def __init__(self, data: bytes, most: int, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(data), encoding=encoding)
        self.to_encode = len(data)
        self.dispatch = _Instructions(self, most)  # type: ignore[assignment, misc]

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for what a pickle names."""
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if (module, name) not in self.allowed:
            raise self.refused(f"{module}.{name}")
        return self.allowed[module, name]

    def _encode(self, text: str, encoding: str) -> bytes:
        """Stands in for _codecs.encode, by which Python 3 writes bytes into an old pickle."""
        self.to_encode -= len(text)
        if encoding != "latin1" or self.to_encode < 0:  # one text encoded over and over would fill the memory
            raise pickle.UnpicklingError("wanted each text encoded once, as latin1")
        return text.encode("latin1")

    def get_extension(self, code: int) -> None:
        """Refuse a name that stands in a table of this process."""
        raise self.refused(f"extension {code}")

    def refused(self, got: str) -> pickle.UnpicklingError:
        """The error of something that has no place in such a file."""
        return pickle.UnpicklingError(f"wanted {self.wanted}, got {printable(got[:SHOWN])}")

    def load_reduce(self) -> None:
        if type(self.stack[-1]) is not tuple:  # another one would be copied as often as it is given
            raise pickle.UnpicklingError("wanted a tuple of arguments")
        super().load_reduce()  # type: ignore[misc]  # typeshed has none of these

    def load_build(self) -> None:
        # On anything else BUILD would set attributes, those of the stand-ins among them.
        if type(self.stack[-2]) not in self.built:
            raise pickle.UnpicklingError("wanted a state for what has one, got another's")
        super().load_build()  # type: ignore[misc]

    def load_setitem(self) -> None:
        self._check_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        self._check_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        self._check_keys(self.stack[::2])
        super().load_dict()  # type: ignore[misc]

    def _check_keys(self, keys: Iterable[object]) -> None:
        if not all(isinstance(key, self.keys) for key in keys):
            kinds = {str: "strings", int: "whole numbers"}
            wanted = " or ".join(kinds[kind] for kind in self.keys if kind in kinds)
            raise pickle.UnpicklingError(f"wanted {wanted} as the keys of a dict")


class _Instructions:
    """Gives an unpickler its methods by their codes, so many times and no more."""

    def __init__(self, unpickler: DataUnpickler, most: int) -> None:
        self.most = self.left = most
        self.refused = unpickler.refused
        self.methods: dict[int, Callable[[DataUnpickler], None]] = {
            code: getattr(type(unpickler), method.__name__)
            for code, method in pickle._Unpickler.dispatch.items()
            if code not in LEFT_OUT
        }

    def __getitem__(self, code: int) -> Callable[[DataUnpickler], None]:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"wanted at most {self.most:,} instructions, got more")
        method = self.methods.get(code)
        if method is None:
            raise self.refused(f"instruction {code:#04x}")
        return method


def unpickled(unpickler: DataUnpickler, where: str, what: str) -> Any:
    """What a pickle holds.

    Parameters
    ----------
    unpickler : DataUnpickler
    where, what : str
        What messages call the file, and what it is of.

    Raises
    ------
    ValueError
        When it is damaged, or holds anything else.
    """
    try:
        return unpickler.load()
    except Exception as error:  # a damaged program fails in as many ways as there are instructions
        kind = "" if isinstance(error, pickle.UnpicklingError) else f"{type(error).__name__}: "
        text = "it ends too soon" if isinstance(error, EOFError) else f"{kind}{error}"
        text = printable(text[: 2 * SHOWN])
        raise ValueError(f"{where}: wanted a pickle of {what}, got a bad one: {text}") from None
