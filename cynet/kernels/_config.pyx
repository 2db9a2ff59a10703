"""How the kernels were built, and whether this processor can run them.

This file alone is compiled without ``-march``: it loads everywhere, so that the check in
``cynet/kernels/__init__.py`` can refuse with words before any other kernel is loaded.
"""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define CYNET_OPENMP _OPENMP
    static int cynet_omp_threads(void) { return omp_get_max_threads(); }
    #else
    #define CYNET_OPENMP 0
    static int cynet_omp_threads(void) { return 1; }
    #endif

    /* Appends the features that this processor has to a text; unknown elsewhere than on x86. */
    #if defined(__x86_64__) || defined(__i386__)
    #include <string.h>
    #define HAS(name) if (__builtin_cpu_supports(name)) { strcat(out, name); strcat(out, " "); }
    static void cynet_cpu_features(char *out) {
        out[0] = 0;
        __builtin_cpu_init();
        HAS("sse3") HAS("ssse3") HAS("sse4.1") HAS("sse4.2") HAS("popcnt") HAS("avx") HAS("avx2")
        HAS("fma") HAS("bmi") HAS("bmi2") HAS("lzcnt") HAS("movbe") HAS("f16c") HAS("avx512f")
        HAS("avx512bw") HAS("avx512cd") HAS("avx512dq") HAS("avx512vl") HAS("avx512ifma")
        HAS("avx512vbmi") HAS("avx512vbmi2") HAS("avx512vnni") HAS("avx512bitalg")
        HAS("avx512vpopcntdq") HAS("avx512bf16")
    }
    #else
    static void cynet_cpu_features(char *out) { out[0] = 0; }
    #endif
    """
    const char *CYNET_COMPILER
    const char *CYNET_FLAGS
    const char *CYNET_ISA
    const char *CYNET_CHECKS
    int CYNET_OPENMP
    int cynet_omp_threads()
    void cynet_cpu_features(char *out)


def build_info():
    """Compiler, flags, instruction-set features, OpenMP version date (0: none) and index checks."""
    return {
        "compiler": CYNET_COMPILER.decode(),
        "flags": CYNET_FLAGS.decode(),
        "isa": tuple(CYNET_ISA.decode().split()),
        "openmp": CYNET_OPENMP,
        "checks": CYNET_CHECKS.decode(),
    }


def cpu_features():
    """The x86 features of the processor this runs on, as a frozenset of names."""
    cdef char text[512]
    cynet_cpu_features(text)
    return frozenset(text.decode().split())


def openmp_threads():
    """The number of threads OpenMP would take by itself (OMP_NUM_THREADS, else the processors)."""
    return cynet_omp_threads()
