// Operations on AVX-512 vectors: 16 f32 numbers or 32 bf16 numbers.
#ifndef BFPO_KERNELS_SIMD_H
#define BFPO_KERNELS_SIMD_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

// WIDE marks functions that need cpu_has_avx512_bf16. Three need cpu_has_avx512 alone, since they use neither bf16 nor
// AMX instructions: pack_f32_panel, multiply_f32_panels and store_wide_block.
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))
#define WIDE_INLINE WIDE static inline __attribute__((always_inline))

// lane_mask returns the mask of the first n of 16 lanes; n may be negative or larger than 16.
static inline uint16_t lane_mask(long n) { return n >= 16 ? 0xffff : n > 0 ? (1u << n) - 1 : 0; }

// interleave_halves returns x[0], x[16], x[1], x[17], … for 32 bf16 numbers x.
WIDE static inline __m512i interleave_halves(__m512i x) {
  return _mm512_permutexvar_epi16(_mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                                   22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0), x);
}

// multiply_add returns sum + x * y for 16 f32 numbers, or sum + x[2i] * y[2i] + x[2i+1] * y[2i+1] for 16 pairs of
// bf16.
WIDE_INLINE __m512 multiply_add(bool bf16_pairs, __m512 sum, __m512 x, __m512 y) {
  return bf16_pairs ? _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y) : _mm512_fmadd_ps(x, y, sum);
}

// transpose transposes a matrix of 16 x 16 four-byte elements.
WIDE static inline void transpose(__m512i r[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
#pragma GCC unroll 2
  for (int i = 0; i < 16; i += 8)
#pragma GCC unroll 4
    for (int j = i; j < i + 4; j++) {
      t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
      t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xdd);
    }
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
  }
}

// widen converts 16 bf16 numbers to f32.
WIDE static inline __m512 widen(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

// narrow rounds 32 numbers to bf16. The instruction takes denormal numbers as zero.
WIDE static inline __m512i narrow(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

// store_bf16 rounds 16 numbers to bf16 and stores those in mask. It rounds denormal numbers as XLA does, unlike
// narrow.
WIDE static inline void store_bf16(uint16_t *to, __mmask16 mask, __m512 x) {
  __m512i bits = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
  __m512i nan = _mm512_set1_epi32(0x7fc0);
  __m512i rounded = _mm512_mask_mov_epi32(_mm512_srli_epi32(sum, 16), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), nan);
  _mm256_mask_storeu_epi16(to, mask, _mm512_cvtepi32_epi16(rounded));
}

// exp16 returns e^x for x <= 88, with an error of at most three units in the last place; e^NaN is NaN.
WIDE static inline __m512 exp16(__m512 x) {
  const float terms[] = {1.f / 120, 1.f / 24, 1.f / 6, 1.f / 2, 1, 1};
  x = _mm512_max_ps(_mm512_set1_ps(-100), x);
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), // x / log 2, rounded
                                  _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x); // x - n log 2, in two parts
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), x);
  __m512 sum = _mm512_set1_ps(1.f / 720);
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(terms[i]));
  return _mm512_scalef_ps(sum, n);
}

#endif
