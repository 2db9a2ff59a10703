"""Whether things are as they were: arrays byte by byte, so that nothing written to them goes unnoticed, and
attributes by identity."""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy


cdef class Snapshot:
    """Copies of arrays, to compare them with later.

    Parameters
    ----------
    arrays : list of float32 arrays
        C-contiguous. They are kept, and must stay where they are in memory.
    """

    cdef object arrays
    cdef Py_ssize_t count
    cdef const char **live
    cdef char **copy
    cdef Py_ssize_t *size

    def __cinit__(self, arrays):
        cdef const float[::1] flat
        self.arrays = arrays
        self.live = <const char **>calloc(len(arrays) + 1, sizeof(void *))
        self.copy = <char **>calloc(len(arrays) + 1, sizeof(void *))
        self.size = <Py_ssize_t *>calloc(len(arrays) + 1, sizeof(Py_ssize_t))
        if self.live == NULL or self.copy == NULL or self.size == NULL:
            raise MemoryError("no memory for a snapshot")
        for array in arrays:
            flat = array.reshape(-1)
            self.size[self.count] = flat.shape[0] * sizeof(float)
            self.copy[self.count] = <char *>malloc(max(1, self.size[self.count]))
            if self.copy[self.count] == NULL:
                raise MemoryError(f"no memory for a copy of {self.size[self.count]} bytes")
            self.live[self.count] = <const char *>&flat[0] if flat.shape[0] else self.copy[self.count]
            self.count += 1
        self.take()

    def __dealloc__(self):
        cdef Py_ssize_t i
        if self.copy != NULL:
            for i in range(self.count + 1):
                free(self.copy[i])
        free(self.live)
        free(self.copy)
        free(self.size)

    def take(self):
        """Copy the arrays anew."""
        cdef Py_ssize_t i
        for i in range(self.count):
            memcpy(self.copy[i], self.live[i], self.size[i])

    def holds(self):
        """Whether every array has the bytes that were copied last."""
        cdef Py_ssize_t i
        for i in range(self.count):
            if memcmp(self.copy[i], self.live[i], self.size[i]):
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
