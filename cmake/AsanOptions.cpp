// Part of every executable of an LPU_ASAN build. LLVM's allocators, inlined from its headers into instrumented code,
// poison new slabs; Debian's libraries, which are not instrumented, then hand out pieces of them without unpoisoning.
// Taken at its word, such poison is a use-after-poison in a correct program. ASAN_OPTIONS still has the last word.
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }
