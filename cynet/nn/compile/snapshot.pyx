"""Whether things are as they were: arrays by their bytes, so that nothing written to them goes unnoticed, and
attributes by identity.

Arrays that are large together are compared by 64-bit sums of their bytes, one of each block: half of what a comparison
with the copies would read, which for one picture through a large net takes a quarter of the time. Every bit of a word
reaches every bit of the sum; that two contents of a block have one sum has a chance of 1 in 2**64.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from cython.parallel cimport prange
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from cynet.core.sealed import is_sealed

cdef extern from "checksum.h" nogil:
    uint64_t checksum(const char *data, Py_ssize_t n, uint64_t start)

cdef enum:
    SOME = 1 << 18  # bytes of all arrays that several threads compare,
    MANY = 1 << 21  # and that are summed: fewer may be in the cache
    BLOCK = 1 << 16  # bytes of a sum


cdef class Snapshot:
    """Copies of arrays, to compare them with later.

    Parameters
    ----------
    arrays : list of float32 arrays
        C-contiguous. They are kept, and must stay where they are in memory. Those that are sealed are neither
        copied nor compared.

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
    cdef readonly Py_ssize_t bytes  # of all that are compared
    cdef Py_ssize_t blocks  # of all, where they are many
    cdef uint64_t *sum  # of each block

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
            if is_sealed(array):
                self.copies.append(array)
                continue
            flat = array.reshape(-1)
            self.size[self.count] = flat.shape[0] * sizeof(float)
            copy = array.copy()
            own = copy.reshape(-1)
            self.copy[self.count] = <char *>&own[0] if own.shape[0] else NULL
            copy.flags.writeable = False  # to all but `take`
            self.copies.append(copy)
            self.live[self.count] = <const char *>&flat[0] if flat.shape[0] else NULL
            self.bytes += self.size[self.count]
            self.count += 1
        self._sum(True)

    def __dealloc__(self):
        free(self.live)
        free(self.copy)
        free(self.size)
        free(self.sum)

    def take(self):
        """Copy the arrays anew."""
        cdef Py_ssize_t i
        for i in range(self.count):
            if self.size[i]:
                memcpy(self.copy[i], self.live[i], self.size[i])
        self._sum()

    def holds(self, int threads=1):
        """Whether every array has the bytes that were copied last; many are looked at by so many threads."""
        cdef Py_ssize_t i
        cdef int differ = 0
        if threads == 1 and self.sum == NULL or self.bytes < SOME:
            for i in range(self.count):
                if self.size[i] and memcmp(self.copy[i], self.live[i], self.size[i]):
                    return False
            return True
        for i in prange(self.blocks, nogil=True, num_threads=threads, schedule="static"):
            differ += self.differs(i)
        return not differ

    cdef bint differs(self, Py_ssize_t block) noexcept nogil:
        """Whether a block of all arrays one after another does."""
        cdef Py_ssize_t i, start, stop, before = 0
        if self.sum != NULL:
            return self.sum[block] != self.summed(block, self.live)
        for i in range(self.count):
            start, stop = max(block * BLOCK - before, 0), min((block + 1) * BLOCK - before, self.size[i])
            if start < stop and memcmp(self.copy[i] + start, self.live[i] + start, stop - start):
                return True
            before += self.size[i]
        return False

    cdef int _sum(self, bint at_first=False) except -1:
        """The sums of all blocks of the copies, where there is much to compare."""
        cdef Py_ssize_t i
        self.blocks = (self.bytes + BLOCK - 1) // BLOCK
        if at_first and self.bytes >= MANY:
            self.sum = <uint64_t *>calloc(self.blocks, sizeof(uint64_t))
            if self.sum == NULL:
                raise MemoryError("no memory for a snapshot")
        for i in range(self.blocks if self.sum != NULL else 0):
            self.sum[i] = self.summed(i, <const char **>self.copy)

    cdef uint64_t summed(self, Py_ssize_t block, const char **arrays) noexcept nogil:
        """The sum of a block of all arrays one after another."""
        cdef Py_ssize_t i, start, stop, before = 0
        cdef uint64_t total = 0
        for i in range(self.count):
            start, stop = max(block * BLOCK - before, 0), min((block + 1) * BLOCK - before, self.size[i])
            if start < stop:
                total = checksum(arrays[i] + start, stop - start, total)
            before += self.size[i]
        return total


def same_attributes(list owners not None, list names not None, list values not None):
    """Whether owners[i].get(names[i]) is values[i] for every i; the owners are the `vars` of objects."""
    cdef Py_ssize_t i
    cdef PyObject *found
    cdef PyObject *none = <PyObject *>None
    for i in range(len(owners)):
        found = PyDict_GetItemWithError(<dict>owners[i], names[i])  # nobody's reference is counted
        if (none if found == NULL else found) != <PyObject *>values[i]:
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
