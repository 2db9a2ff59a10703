"""What the kernels use of simd.h and vmath.h; the vectors look like scalars to Cython.

`+ - * /` on vf and vf8 work lane by lane. Comparisons do not (Cython would take them for truth values);
where a kernel needs one, a function in the headers makes it.
"""

cdef extern from "simd.h" nogil:
    ctypedef float vf
    ctypedef float vf8
    const Py_ssize_t VL
    vf vload(const float *p)
    vf vload_part(const float *p, Py_ssize_t n)
    void vstore(float *p, vf v)
    void vstore_part(float *p, vf v, Py_ssize_t n)
    vf vset(float a)
    float vsum(vf v)
    void copy_run(float *to, const float *source, Py_ssize_t n)
    void clear_run(float *to, Py_ssize_t n)
    float run_max(const float *x, Py_ssize_t n)
    double run_sum(const float *x, Py_ssize_t n)
    vf vgate(vf y, vf dy)
    vf8 vload8(const float *p)
    vf8 vload8_part(const float *p, Py_ssize_t n)
    void vstore8(float *p, vf8 v)
    void vstore8_part(float *p, vf8 v, Py_ssize_t n)
    vf8 vset8(float a)


cdef inline vf8 load(const float *p, Py_ssize_t left) noexcept nogil:
    """Eight lanes, or as many as are left."""
    return vload8(p) if left >= 8 else vload8_part(p, left)


cdef inline void store(float *p, vf8 v, Py_ssize_t left) noexcept nogil:
    if left >= 8:
        vstore8(p, v)
    else:
        vstore8_part(p, v, left)


cdef inline vf load_wide(const float *p, Py_ssize_t left) noexcept nogil:
    """VL lanes, or as many as are left."""
    return vload(p) if left >= VL else vload_part(p, left)


cdef inline void store_wide(float *p, vf v, Py_ssize_t left) noexcept nogil:
    if left >= VL:
        vstore(p, v)
    else:
        vstore_part(p, v, left)


cdef extern from "vmath.h" nogil:
    vf vexp(vf x)
    vf vsigmoid(vf x)
    vf vtanh(vf x)
    vf vnormal_cdf(vf x)
    vf vgelu_slope(vf x)
