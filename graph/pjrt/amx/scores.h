// The rows of scores of a block of queries: [side, padded], of which those of seen blocks of keys count.
#ifndef BFPO_AMX_SCORES_H
#define BFPO_AMX_SCORES_H

#include "tiles.h"
#include "vectors.h"

// exponential is e^x for x <= 0, to two units of the last place.
AMX static inline __m512 exponential(__m512 x) {
  const float terms[] = {1.f / 120, 1.f / 24, 1.f / 6, 1.f / 2, 1, 1};
  x = _mm512_max_ps(x, _mm512_set1_ps(-100));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  x = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), x);
  __m512 sum = _mm512_set1_ps(1.f / 720);
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(terms[i]));
  return _mm512_scalef_ps(sum, n);
}

// highest is the highest score that a query sees.
AMX static inline float highest(const float *scores, const uint32_t *bits, const uint8_t *seen, long blocks) {
  __m512 top = _mm512_set1_ps(-__builtin_inff());
  for (long j = 0; j < blocks; j++) {
    if (!seen[j]) continue;
    top = _mm512_mask_max_ps(top, bits[j] & 0xffff, top, _mm512_load_ps(scores + j * side));
    top = _mm512_mask_max_ps(top, bits[j] >> 16, top, _mm512_load_ps(scores + j * side + 16));
  }
  return _mm512_reduce_max_ps(top);
}

// weight is e^(scale*(score - top)) for the scores that are seen, and 0 for others.
AMX static inline __m512 weight(__mmask16 seen, const float *scores, float top, float scale) {
  __m512 x = _mm512_sub_ps(_mm512_maskz_load_ps(seen, scores), _mm512_set1_ps(top));
  return _mm512_maskz_mov_ps(seen, exponential(_mm512_mul_ps(x, _mm512_set1_ps(scale))));
}

// both rounds 32 numbers.
AMX static inline __m512i both(__m512 first, __m512 second) { return (__m512i)_mm512_cvtne2ps_pbh(second, first); }

#endif
