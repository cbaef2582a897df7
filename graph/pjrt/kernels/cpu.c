//go:build cgo && linux

#include "cpu.h"

#ifdef HAVE_KERNELS

#include <cpuid.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

// Bits of leaf 7 of the CPUID instruction.
enum { FEATURES_LEAF = 7, EAX1_AVX512_BF16 = 1 << 5, EDX_AMX_BF16_TILE = 1 << 22 | 1 << 24 };
static const unsigned EBX_AVX512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW and VL

bool cpu_supported(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(FEATURES_LEAF, 0, &a, &b, &c, &d) || (b & EBX_AVX512) != EBX_AVX512) return false;
  if (!__get_cpuid_count(FEATURES_LEAF, 1, &a, &b, &c, &d) || !(a & EAX1_AVX512_BF16)) return false;
  return __builtin_cpu_supports("avx512f"); // also checks that the system saves the registers
}

// request_amx asks Linux to save the AMX registers of this process, without which AMX instructions fault.
static bool request_amx(void) {
  enum { ARCH_REQUEST_XCOMP_PERMISSION = 0x1023, XFEATURE_TILE_DATA = 18 };
  unsigned a, b, c, d;
  return __get_cpuid_count(FEATURES_LEAF, 0, &a, &b, &c, &d) && (d & EDX_AMX_BF16_TILE) == EDX_AMX_BF16_TILE &&
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

bool bf16_dot_is_fast(void) {
  unsigned a, b = 0, c = 0, d = 0;
  return !(__get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && d == signature_INTEL_edx &&
           c == signature_INTEL_ecx);
}

#else

bool cpu_supported(void) { return false; }
bool amx_available(void) { return false; }
bool bf16_dot_is_fast(void) { return false; }

#endif
