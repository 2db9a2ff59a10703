"""Arrays that are used again: after the first step a training step allocates nothing large.

Design: `empty` hands out a view of a pooled buffer. A buffer is free as soon as nobody outside the pool
refers to it, which CPython's reference count tells. So an output that a caller keeps is never overwritten,
one that is dropped serves the next request of its size, and no layer has to say when.

Buffers are pieces of slabs, one after the other. Where no buffer of a size is free, a new one may lie over
neighbours that are: it is free where they are, and they where it is. So a backward pass, whose gradients
grow as it comes back to the first layers, lays them where the activations of the last ones were. A step that
is repeated asks for the same sizes in the same order, and finds the pieces of the first one.
"""

import threading

import numpy as np
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from numpy import ndarray

cdef extern from "Python.h":
    ctypedef struct PyThreadState
    Py_ssize_t Py_REFCNT(PyObject *)
    PyThreadState *PyThreadState_Get()
    uint64_t PyThreadState_GetID(PyThreadState *)

cdef object FLOAT32 = np.float32
SIZES = {np.float32: 4, np.float64: 8, np.uint8: 1}  # bytes of an element
SPARE = 64 << 20  # bytes of free buffers that are always put up with
cdef enum:
    ALIGN = 64  # bytes: a cache line, and the widest vector
    HUGE = 1 << 21  # bytes of a huge page, which NumPy asks for: a slab begins with one
    FEWEST = 1 << 22  # bytes of a slab;
    MOST = 1 << 26  # more it has for a larger buffer alone: the system gives memory as it is written to
    SMALL = 1 << 16  # bytes: what is less lies over nothing else


cdef object WHOLE = Ellipsis  # as an index


cdef class Stretch:
    """A piece of a slab."""

    cdef object buffer  # (bytes,) uint8: who uses it refers to it
    cdef readonly Py_ssize_t start, stop
    cdef list others  # the pieces that have bytes in common with it; None: there are none
    cdef object shape, dtype, pattern  # what was asked for last, and such an array: it refers to the buffer, too

    def __init__(self, start, stop, buffer=None):
        self.start, self.stop, self.buffer = start, stop, buffer

    cdef bint unused(self):
        return self.buffer is None or Py_REFCNT(<PyObject *>self.buffer) == 1 + (self.pattern is not None)

    cdef object array(self, shape, dtype):
        """A new array in the buffer: a view takes a third of the time of one that is made of the buffer."""
        if self.shape != shape or self.dtype is not dtype:
            self.pattern = self.shape = None  # in case of an error
            self.pattern = ndarray(shape, dtype, self.buffer)
            self.shape, self.dtype = tuple(shape), dtype
        return self.pattern[WHOLE]

    cdef bint free(self):
        cdef Stretch other
        if not self.unused():
            return False
        if self.others is not None:
            for other in self.others:
                if not other.unused():
                    return False
        return True


cdef class Slab:
    """Memory of the system, and its pieces."""

    cdef object memory
    cdef list pieces  # from its start to its end; one without a buffer is a hole
    cdef list over  # pieces that lie over several of those
    cdef Py_ssize_t touched  # bytes that were ever part of a buffer

    def __init__(self, size):
        raw = np.empty(size + HUGE, np.uint8)
        start = -raw.ctypes.data % HUGE
        self.memory = memoryview(raw)[start : start + size]
        self.pieces, self.over = [Stretch(0, size)], []

    cdef object part(self, Py_ssize_t start, Py_ssize_t nbytes):
        return np.frombuffer(self.memory[start : start + nbytes], np.uint8)

    cdef Stretch cut(self, Py_ssize_t nbytes):
        """A piece from the first hole that is large enough, or None."""
        cdef Py_ssize_t room = rounded(nbytes), i
        cdef Stretch hole, piece
        for i, hole in enumerate(self.pieces):
            if hole.buffer is None and hole.stop - hole.start >= room:
                piece = Stretch(hole.start, hole.start + room, self.part(hole.start, nbytes))
                self.pieces.insert(i, piece)
                hole.start = piece.stop
                if hole.start == hole.stop:
                    del self.pieces[i + 1]
                return piece
        return None

    cdef tuple run(self, Py_ssize_t nbytes):
        """(bytes, first, end): of neighbours that are free and few bytes more than asked for; or None."""
        cdef Py_ssize_t first = 0, end, total = 0
        cdef Stretch piece, one
        best = None
        for end, piece in enumerate(self.pieces):
            if piece.buffer is None or not piece.free():
                first, total = end + 1, 0
                continue
            total += piece.stop - piece.start
            one = self.pieces[first]
            while total - (one.stop - one.start) >= nbytes:
                total -= one.stop - one.start
                first += 1
                one = self.pieces[first]
            if nbytes <= total <= nbytes + nbytes // 2 and (best is None or total < best[0]):
                best = total, first, end + 1
        return best

    cdef Stretch lay(self, Py_ssize_t nbytes, Py_ssize_t first, Py_ssize_t end):
        """A piece over those from `first` to before `end`."""
        cdef Stretch one, piece
        cdef Py_ssize_t start = (<Stretch>self.pieces[first]).start
        piece = Stretch(start, start + rounded(nbytes), self.part(start, nbytes))
        piece.others = []
        for one in [*self.pieces[first:end], *self.over]:
            if one.start < piece.stop and piece.start < one.stop:
                piece.others.append(one)
                one.others = one.others or []
                one.others.append(piece)
        self.over.append(piece)
        return piece

    cdef Py_ssize_t used(self):
        """Bytes of the pieces that somebody uses."""
        cdef Stretch piece
        cdef Py_ssize_t total = 0
        for piece in self.pieces:
            if piece.buffer is not None and not piece.free():
                total += piece.stop - piece.start
        return total

    cdef set let_go(self):
        """Forget the pieces that are free, and make holes of them; the pieces that are left."""
        cdef Stretch piece
        kept, pieces, stop = [], [], 0
        end = (<Stretch>self.pieces[len(self.pieces) - 1]).stop
        for piece in [*self.pieces, *self.over]:
            if piece.buffer is not None and not piece.unused():
                kept.append(piece)
        for piece in sorted(kept, key=lambda piece: piece.start):
            piece.others = None
            if piece.start > stop:
                pieces.append(Stretch(stop, piece.start))
            pieces.append(piece)
            stop = piece.stop
        if stop < end:
            pieces.append(Stretch(stop, end))
        self.pieces, self.over = pieces, []
        return set(kept)


cdef inline Py_ssize_t rounded(Py_ssize_t nbytes):
    return (nbytes + ALIGN - 1) // ALIGN * ALIGN


class Pool(threading.local):
    """The buffers of one thread, by their size in bytes.

    Attributes
    ----------
    buffers : dict of int to list
        The pieces of each size.
    allocated : int
        Bytes ever taken from the system.
    peak : int
        Most bytes in use at once.
    """

    def __init__(self):
        self.buffers, self._slabs = {}, []
        self.shelves = Shelves(self.buffers)
        self.allocated = self.peak = 0

    def more(self, nbytes):
        """One piece more of that size."""
        cdef Slab slab, where = None
        cdef Stretch piece = None
        if nbytes >= SMALL:
            best = None
            for slab in self._slabs:
                found = slab.run(nbytes)
                if found is not None and (best is None or found < best):
                    best, where = found, slab
            if where is not None:
                piece = where.lay(nbytes, best[1], best[2])
        if piece is None:
            self._make_room(nbytes)
            piece = self._cut(nbytes)
        self.buffers.setdefault(nbytes, []).append(piece)
        return piece

    def _cut(self, nbytes):
        """A piece of what is nobody's."""
        cdef Slab slab
        cdef Stretch piece
        for slab in self._slabs:
            piece = slab.cut(nbytes)
            if piece is not None:
                break
        else:
            slab = Slab(max(rounded(nbytes), min(MOST, max(FEWEST, self.held()))))
            self._slabs.append(slab)
            piece = slab.cut(nbytes)
        self.allocated += max(0, piece.stop - max(piece.start, slab.touched))
        slab.touched = max(slab.touched, piece.stop)
        return piece

    def _make_room(self, nbytes):
        """Before new memory is taken: let go of free buffers when they are more than was ever in use.

        Shapes that alternate (training, evaluation) keep theirs; shapes that never return do not pile up.
        """
        cdef Slab slab
        self.peak = max(self.peak, sum([slab.used() for slab in self._slabs]) + nbytes)
        if self.held() + nbytes > 2 * self.peak + SPARE:
            kept, slabs = set(), []
            for slab in self._slabs:
                left = slab.let_go()
                if left:
                    slabs.append(slab)
                kept |= left
            self._slabs = slabs
            left = {size: [p for p in shelf if p in kept] for size, shelf in self.buffers.items()}
            self.buffers.clear()
            self.buffers.update({size: shelf for size, shelf in left.items() if shelf})

    def held(self):
        """Bytes of all buffers, also of those that are free."""
        cdef Slab slab
        return sum([slab.touched for slab in self._slabs])

    def clear(self):
        """Forget every buffer; those in use live on until their last user lets go."""
        self.buffers.clear()
        self._slabs = []


pool = Pool()
cdef PyObject *asked = NULL  # the shelves that were asked for last, not owned,
cdef PyObject *of_pool = NULL  # of this pool,
cdef uint64_t of_thread = 0  # for this thread


cpdef object empty(object shape, object dtype=FLOAT32):
    """An uninitialised, 64-byte aligned, C-contiguous array from the pool.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.float32, numpy.float64 or numpy.uint8, optional

    Returns
    -------
    ndarray
        Private to the caller for as long as it (or a view of it) is referred to.
    """
    cdef Py_ssize_t nbytes = SIZES[dtype], side
    cdef double size = nbytes
    cdef Stretch piece
    for side in shape:
        size *= side
        if not -1e18 < size < 1e18:  # NumPy refuses it in words
            return np.empty(shape, dtype)
        nbytes *= side
    if nbytes <= 0:
        return np.empty(shape, dtype)
    shelf = shelves().get(nbytes)
    if shelf is not None:
        for piece in <list>shelf:
            if piece.free():
                return piece.array(shape, dtype)
    piece = pool.more(nbytes)
    return piece.array(shape, dtype)


cdef dict shelves():
    """The buffers of this thread's pool, which are looked up where another thread, or pool, was the last to ask."""
    global asked, of_thread, of_pool
    cdef uint64_t this = PyThreadState_GetID(PyThreadState_Get())
    cdef Shelves here
    if asked == NULL or this != of_thread or of_pool != <PyObject *>pool:
        here = pool.shelves
        asked, of_thread, of_pool = <PyObject *>here, this, <PyObject *>pool
    return (<Shelves>asked).buffers


cdef class Shelves:
    """The buffers of one thread's pool, which go with the thread, also when it was the last to ask."""

    cdef dict buffers

    def __init__(self, dict buffers):
        self.buffers = buffers

    def __dealloc__(self):
        global asked
        if asked == <PyObject *>self:
            asked = NULL


def zeros(shape, dtype=np.float32):
    """As `empty`, filled with zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array
