// The rows of scores of a block of queries: [side, padded], of which those of seen blocks of keys count.
#ifndef BFPO_KERNELS_SCORES_H
#define BFPO_KERNELS_SCORES_H

#include "strips.h"
#include "vectors.h"

// exponential is e^x for x <= 88, to three units of the last place; of NaN comes NaN.
WIDE static inline __m512 exponential(__m512 x) {
  const float terms[] = {1.f / 120, 1.f / 24, 1.f / 6, 1.f / 2, 1, 1};
  x = _mm512_max_ps(_mm512_set1_ps(-100), x);
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), x);
  __m512 sum = _mm512_set1_ps(1.f / 720);
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(terms[i]));
  return _mm512_scalef_ps(sum, n);
}

// highest is the highest score that a query sees.
WIDE static inline float highest(const float *scores, const uint32_t *bits, const uint8_t *seen, long blocks) {
  __m512 top = _mm512_set1_ps(-__builtin_inff());
  for (long j = 0; j < blocks; j++) {
    if (!seen[j]) continue;
    top = _mm512_mask_max_ps(top, bits[j] & 0xffff, top, _mm512_load_ps(scores + j * side));
    top = _mm512_mask_max_ps(top, bits[j] >> 16, top, _mm512_load_ps(scores + j * side + 16));
  }
  return _mm512_reduce_max_ps(top);
}

// weight is e^(scale*(score - top)) for the scores that are seen, and 0 for others.
WIDE static inline __m512 weight(__mmask16 seen, const float *scores, float top, float scale) {
  __m512 x = _mm512_sub_ps(_mm512_maskz_load_ps(seen, scores), _mm512_set1_ps(top));
  return _mm512_maskz_mov_ps(seen, exponential(_mm512_mul_ps(x, _mm512_set1_ps(scale))));
}

// put writes 16 numbers to a place in an array.
WIDE static inline void put(strips kind, void *to, long at, __m512 x) {
  if (kind == f32) _mm512_storeu_ps((float *)to + at, x);
  else rounded_row((uint16_t *)to + at, 0xffff, x);
}

// both rounds 32 numbers.
WIDE static inline __m512i both(__m512 first, __m512 second) { return (__m512i)_mm512_cvtne2ps_pbh(second, first); }

// put_left makes 32 terms a row of a step of a left strip.
WIDE static inline void put_left(strips kind, char *step, long row, __m512 first, __m512 second) {
  if (kind == f32) {
    _mm512_store_ps((float *)step + row * side, first);
    _mm512_store_ps((float *)step + row * side + 16, second);
  } else {
    _mm512_store_si512(step + row * row_bytes, both(first, second));
  }
}

// put_right makes two times 32 numbers terms of a step of a right strip, the one of an even number and the one behind it.
WIDE static inline void put_right(strips kind, char *step, long term, const __m512 even[2], const __m512 odd[2]) {
  for (int half = 0; half < 2; half++)
    if (kind == f32) {
      _mm512_store_ps((float *)step + term * side + 16 * half, even[half]);
      _mm512_store_ps((float *)step + (term + 1) * side + 16 * half, odd[half]);
    } else {
      _mm512_store_si512(step + half * tile + term / 2 * row_bytes, pairs(both(even[half], odd[half])));
    }
}

#endif
