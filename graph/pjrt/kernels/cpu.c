//go:build cgo && linux

#include "cpu.h"

#ifdef HAVE_KERNELS

#include <cpuid.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

// Bits of leaf 7 of the CPUID instruction.
enum { FEATURES_LEAF = 7, EDX_AMX_BF16_TILE = 1 << 22 | 1 << 24 };

// __builtin_cpu_supports also checks that the system saves the registers.
bool cpu_has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool cpu_has_avx512(void) {
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool cpu_has_avx512_bf16(void) { return cpu_has_avx512() && __builtin_cpu_supports("avx512bf16"); }

// request_amx asks Linux to save the AMX registers of this process, without which AMX instructions fault.
static bool request_amx(void) {
  enum { ARCH_REQUEST_XCOMP_PERMISSION = 0x1023, XFEATURE_TILE_DATA = 18 };
  unsigned a, b, c, d;
  return cpu_has_avx512_bf16() && __get_cpuid_count(FEATURES_LEAF, 0, &a, &b, &c, &d) &&
         (d & EDX_AMX_BF16_TILE) == EDX_AMX_BF16_TILE &&
         syscall(SYS_arch_prctl, ARCH_REQUEST_XCOMP_PERMISSION, XFEATURE_TILE_DATA) == 0;
}

bool amx_available(void) {
  enum { UNKNOWN, NO, YES };
  static atomic_int state;
  int known = atomic_load_explicit(&state, memory_order_relaxed);
  if (known == UNKNOWN) {
    known = request_amx() ? YES : NO;
    atomic_store_explicit(&state, known, memory_order_relaxed);
  }
  return known == YES;
}

bool bf16_dot_is_fast(void) { return cpu_has_avx512_bf16() && !__builtin_cpu_is("intel"); }

#else

bool cpu_has_avx2(void) { return false; }
bool cpu_has_avx512(void) { return false; }
bool cpu_has_avx512_bf16(void) { return false; }
bool amx_available(void) { return false; }
bool bf16_dot_is_fast(void) { return false; }

#endif
