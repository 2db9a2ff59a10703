"""Items of work, of which each thread has its own."""

cdef extern from "turns.h":
    ctypedef struct Turns:
        pass
    void share_out(Turns *turns, Py_ssize_t items, int threads) noexcept nogil
    Py_ssize_t take(Turns *turns, int thread) noexcept nogil
