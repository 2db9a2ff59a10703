"""How the kernels were built, whether this processor can run them, and how often their process forked.

This file alone is compiled without ``-march``: it loads everywhere, so that the check in
``cynet/kernels/__init__.py`` can refuse with words before any other kernel is loaded.
"""

import os

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define CYNET_OPENMP _OPENMP
    /* Without a call linkers leave the library out: it would be loaded with a kernel, and then read how long its
       threads spin, which compiled.py says while this file is loaded. */
    static int cynet_processors(void) { return omp_get_num_procs(); }
    #else
    #define CYNET_OPENMP 0
    static int cynet_processors(void) { return 1; }
    #endif

    /* Forks since this was loaded. Where there is OpenMP there are POSIX threads, whose library counts any;
       elsewhere Python counts its own. */
    static int cynet_forks = 0;
    static void cynet_forked(void) { cynet_forks++; }
    #if defined(_OPENMP) && !defined(_WIN32)
    #include <pthread.h>
    static int cynet_watch_forks(void) { return pthread_atfork(NULL, NULL, cynet_forked) == 0; }
    #else
    static int cynet_watch_forks(void) { return 0; }
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
    int cynet_forks
    int cynet_processors()
    void cynet_forked()
    int cynet_watch_forks()
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


def forks():
    """How many forks lie between this process and the one that loaded this file."""
    return cynet_forks


def _forked():
    """Count a fork, where the C library does not."""
    cynet_forked()


cynet_processors()
if not cynet_watch_forks() and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
