// What the processor supports.
#ifndef BFPO_KERNELS_CPU_H
#define BFPO_KERNELS_CPU_H

#include <stdbool.h>

#if defined(__x86_64__) && (__GNUC__ >= 11 || __clang_major__ >= 14)
#define HAVE_KERNELS 1
#endif

// cpu_supported reports whether the processor has AVX-512 F, BW, VL, DQ and BF16, which all kernels need.
bool cpu_supported(void);
// amx_available reports whether this process may use AMX for bf16. The first call asks the system for permission.
bool amx_available(void);
// bf16_dot_is_fast reports whether vdpbf16ps multiplies more bf16 numbers per second than FMA multiplies f32
// numbers: on AMD's processors it multiplies twice as many, on Intel's no more. The vendor decides, so that results
// depend on the processor alone.
bool bf16_dot_is_fast(void);

#endif
