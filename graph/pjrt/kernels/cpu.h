// What the processor supports.
#ifndef BFPO_KERNELS_CPU_H
#define BFPO_KERNELS_CPU_H

#include <stdbool.h>

#if defined(__x86_64__) && (__GNUC__ >= 11 || __clang_major__ >= 14)
#define HAVE_KERNELS 1
#endif

// cpu_has_avx2 reports whether the processor has AVX2 and FMA, which products of panels of f32 numbers need.
bool cpu_has_avx2(void);
// cpu_has_avx512 reports whether it also has AVX-512 F, BW, VL and DQ, which make these products faster.
bool cpu_has_avx512(void);
// cpu_has_avx512_bf16 reports whether it also has AVX-512 BF16, which all kernels but
// bfpo_product need.
bool cpu_has_avx512_bf16(void);
// amx_available reports whether this process may use AMX for bf16. The first call asks the system for permission.
bool amx_available(void);
// bf16_dot_is_fast reports whether the processor has vdpbf16ps and multiplies more bf16 numbers per second with it
// than f32 numbers with FMA: AMD's processors multiply twice as many, Intel's no more. The vendor decides, so that
// results depend on the processor alone.
bool bf16_dot_is_fast(void);

#endif
