// Rows of attention scores, [BLOCK, padded length], of which only the blocks of visible keys have values.
#ifndef BFPO_KERNELS_SOFTMAX_H
#define BFPO_KERNELS_SOFTMAX_H

#include "panels.h"
#include "simd.h"

// max_score returns the largest visible score of a query, or -infinity. mask has a bit for each key of a block, and
// visible is nonzero for a block with visible keys.
WIDE static inline float max_score(const float *scores, const uint32_t *mask, const uint8_t *visible, long blocks) {
  __m512 max = _mm512_set1_ps(-__builtin_inff());
  for (long j = 0; j < blocks; j++) {
    if (!visible[j]) continue;
    max = _mm512_mask_max_ps(max, mask[j] & 0xffff, max, _mm512_load_ps(scores + j * BLOCK));
    max = _mm512_mask_max_ps(max, mask[j] >> 16, max, _mm512_load_ps(scores + j * BLOCK + 16));
  }
  return _mm512_reduce_max_ps(max);
}

// exp_scores returns e^(scale * (score - max)) for the scores in mask, and 0 for the others.
WIDE static inline __m512 exp_scores(__mmask16 mask, const float *scores, float max, float scale) {
  __m512 x = _mm512_sub_ps(_mm512_maskz_load_ps(mask, scores), _mm512_set1_ps(max));
  return _mm512_maskz_mov_ps(mask, exp16(_mm512_mul_ps(x, _mm512_set1_ps(scale))));
}

// store16 stores 16 numbers at an index of an array of the format's elements.
WIDE static inline void store16(format f, void *to, long at, __m512 x) {
  if (has_bf16_elements(f)) store_bf16((uint16_t *)to + at, 0xffff, x);
  else _mm512_storeu_ps((float *)to + at, x);
}

// round_to_elements rounds 32 numbers to the format's elements and returns them as f32.
WIDE static inline void round_to_elements(format f, __m512 *low, __m512 *high) {
  if (!has_bf16_elements(f)) return;
  __m512i rounded = narrow(*low, *high);
  *low = widen(_mm512_castsi512_si256(rounded)), *high = widen(_mm512_extracti64x4_epi64(rounded, 1));
}

// store_left stores 32 terms of a row in a step of a left panel.
WIDE static inline void store_left(format f, char *step, long row, __m512 low, __m512 high) {
  if (has_f32_panels(f)) {
    round_to_elements(f, &low, &high);
    _mm512_store_ps((float *)step + row * BLOCK, low);
    _mm512_store_ps((float *)step + row * BLOCK + 16, high);
  } else {
    _mm512_store_si512(step + row * TILE_ROW_BYTES, narrow(low, high));
  }
}

// store_right stores two terms of 32 rows in a step of a right panel: term, which is even, and the next one.
WIDE static inline void store_right(format f, char *step, long term, const __m512 even[2], const __m512 odd[2]) {
  for (int half = 0; half < 2; half++)
    if (has_f32_panels(f)) {
      __m512 a = even[half], b = odd[half];
      round_to_elements(f, &a, &b);
      _mm512_store_ps((float *)step + term * BLOCK + 16 * half, a);
      _mm512_store_ps((float *)step + (term + 1) * BLOCK + 16 * half, b);
    } else {
      char *row = step + half * TILE_BYTES + term / 2 * TILE_ROW_BYTES;
      _mm512_store_si512(row, interleave_halves(narrow(even[half], odd[half])));
    }
}

#endif
