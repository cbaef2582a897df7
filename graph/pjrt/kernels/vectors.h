// What the processor does with 16 and 32 numbers at a time.
#ifndef BFPO_KERNELS_VECTORS_H
#define BFPO_KERNELS_VECTORS_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

// WIDE is for functions that use instructions which not every processor has.
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

// first is the mask of the first n of 16.
static inline uint16_t first(long n) { return n >= 16 ? 0xffff : n > 0 ? (1u << n) - 1 : 0; }

// pairs brings the first half and the second half of 32 bf16 together, number by number.
WIDE static inline __m512i pairs(__m512i x) {
  return _mm512_permutexvar_epi16(_mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2,
                                                   17, 1, 16, 0), x);
}

// add_products adds to 16 sums the products of 16 numbers each, or of 16 pairs of bf16.
WIDE static inline __attribute__((always_inline)) __m512 add_products(bool pairs, __m512 sum, __m512 x, __m512 y) {
  return pairs ? _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y) : _mm512_fmadd_ps(x, y, sum);
}

// transpose transposes 16 x 16 numbers of four bytes.
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

// upper widens 16 bf16 again.
WIDE static inline __m512 upper(__m256i halves) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16)); }

// rounded_row stores 16 numbers as bf16. The instruction for it would take the smallest ones for zero, which XLA does not.
WIDE static inline void rounded_row(uint16_t *to, __mmask16 has, __m512 x) {
  __m512i bits = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i up = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff)), 16);
  __m512i nan = _mm512_set1_epi32(0x7fc0);
  up = _mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), nan);
  _mm256_mask_storeu_epi16(to, has, _mm512_cvtepi32_epi16(up));
}

#endif
