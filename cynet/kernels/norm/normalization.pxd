"""The pass of batch norm, for those that join it with others."""

cdef class NormPass:
    cdef readonly object x, terms, state
    cdef public object held
    cdef readonly bint of_batch
    cdef readonly Py_ssize_t each, most     # rows of a work item; the most threads that have one
    cdef readonly tuple shape, sums_shape   # of x, and of partial sums
    cdef const float[:, ::1] rows           # x,
    cdef float[:, ::1] table                # terms
    cdef double[:, ::1] numbers             # and state

    cdef int team(self) except -1
    cdef object room_for_sums(self)
