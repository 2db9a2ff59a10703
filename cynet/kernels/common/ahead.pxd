"""Memory that is asked for ahead of its time."""

cdef extern from "ahead.h":
    ctypedef struct Share:
        Py_ssize_t lines  # of the cache
    Share share_of(const float *array, Py_ssize_t floats, Py_ssize_t first, Py_ssize_t last,
                   Py_ssize_t count) noexcept nogil
    void fetch_read(Share share, Py_ssize_t part, Py_ssize_t parts) noexcept nogil
    void fetch_written(Share share, Py_ssize_t part, Py_ssize_t parts) noexcept nogil
