"""Whether things are as they were: arrays byte by byte, so that nothing written to them goes unnoticed, and
attributes by identity."""

from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy


cdef class Snapshot:
    """Copies of arrays, to compare them with later.

    Parameters
    ----------
    arrays : list of float32 arrays
        C-contiguous. They are kept, and must stay where they are in memory.

    Attributes
    ----------
    copies : list of float32 arrays
        Read-only, of the arrays' shapes: what `take` copied last, and `holds` compares with.
    """

    cdef object arrays
    cdef readonly list copies
    cdef Py_ssize_t count
    cdef const char **live
    cdef char **copy  # where the copies are
    cdef Py_ssize_t *size

    def __cinit__(self, arrays):
        cdef const float[::1] flat
        cdef float[::1] own
        self.arrays, self.copies = arrays, []
        self.live = <const char **>calloc(len(arrays) + 1, sizeof(void *))
        self.copy = <char **>calloc(len(arrays) + 1, sizeof(void *))
        self.size = <Py_ssize_t *>calloc(len(arrays) + 1, sizeof(Py_ssize_t))
        if self.live == NULL or self.copy == NULL or self.size == NULL:
            raise MemoryError("no memory for a snapshot")
        for array in arrays:
            flat = array.reshape(-1)
            self.size[self.count] = flat.shape[0] * sizeof(float)
            copy = array.copy()
            own = copy.reshape(-1)
            self.copy[self.count] = <char *>&own[0] if own.shape[0] else NULL
            copy.flags.writeable = False  # to all but `take`
            self.copies.append(copy)
            self.live[self.count] = <const char *>&flat[0] if flat.shape[0] else NULL
            self.count += 1

    def __dealloc__(self):
        free(self.live)
        free(self.copy)
        free(self.size)

    def take(self):
        """Copy the arrays anew."""
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.size[i]:
                memcpy(self.copy[i], self.live[i], self.size[i])

    def holds(self):
        """Whether every array has the bytes that were copied last."""
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.size[i] and memcmp(self.copy[i], self.live[i], self.size[i]):
                return False
        return True


def same_attributes(list owners not None, list names not None, list values not None):
    """Whether owners[i].get(names[i]) is values[i] for every i; the owners are the `vars` of objects."""
    cdef Py_ssize_t i
    cdef dict owner
    for i in range(len(owners)):
        owner = owners[i]
        if owner.get(names[i]) is not values[i]:
            return False
    return True


def same_types(list things not None, list types not None):
    """Whether types[i] is the class of things[i] for every i."""
    cdef Py_ssize_t i
    for i in range(len(things)):
        if type(things[i]) is not types[i]:
            return False
    return True


def same_items(list lists not None, list copies not None):
    """Whether lists[i] holds the very things that copies[i] does, in their order, for every i."""
    cdef Py_ssize_t i, j
    cdef list now, then
    for i in range(len(lists)):
        now, then = lists[i], copies[i]
        if len(now) != len(then):
            return False
        for j in range(len(now)):
            if now[j] is not then[j]:
                return False
    return True
