"""How element-wise kernels share their work: fixed chunks, so that no result depends on the threads."""

cdef enum:
    CHUNK = 16384       # elements: 64 KiB of floats
    SMALL = 32768       # elements below which starting threads costs more than they save


cdef inline int team(Py_ssize_t elements, int threads) noexcept nogil:
    """The number of threads for work on so many elements."""
    return threads if elements >= SMALL else 1


cdef inline Py_ssize_t chunks(Py_ssize_t elements) noexcept nogil:
    return (elements + CHUNK - 1) // CHUNK


cdef inline Py_ssize_t length(Py_ssize_t chunk, Py_ssize_t elements) noexcept nogil:
    """The number of elements in chunk number `chunk`."""
    cdef Py_ssize_t left = elements - chunk * CHUNK
    return left if left < CHUNK else CHUNK
