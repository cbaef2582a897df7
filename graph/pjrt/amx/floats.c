//go:build cgo && linux

#include "floats.h"

#ifdef X86_TILES

#include "vectors.h"

// copy_square brings 16 x 16 numbers, of which so many rows and columns are there, to a place in a step, or transposes them.
AMX static inline void copy_square(const float *from, long stride, long rows, long columns, bool turn, float *to) {
  __m512i r[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) r[i] = _mm512_castps_si512(_mm512_maskz_loadu_ps(i < rows ? first(columns) : 0, from + i * stride));
  if (turn) transpose(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * side, r[i]);
}

AMX void pack_floats(const matrix *m, bool right, long row, char *bytes) {
  float *to = (float *)bytes;
  bool turn = m->across != right;
  for (long term = 0; term < m->depth; term += side, to += side * side)
    for (int r = 0; r < side; r += 16)
      for (int t = 0; t < side; t += 16) {
        long i = row + r, k = term + t, rows = m->rows - i, terms = m->depth - k;
        const float *from = (const float *)m->data + (m->across ? k * m->stride + i : i * m->stride + k);
        float *at = to + (right ? t * side + r : r * side + t);
        copy_square(from, m->stride, m->across ? terms : rows, m->across ? rows : terms, turn, at);
      }
}

// multiply_rows does rows of the block, as many as there are registers for.
enum { rows = 8 };

AMX static inline void multiply_rows(const float *left, const float *right, long steps, float *out, long width, bool add) {
  __m512 sum[rows][2];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
    sum[i][0] = add ? _mm512_loadu_ps(out + i * width) : _mm512_setzero_ps();
    sum[i][1] = add ? _mm512_loadu_ps(out + i * width + 16) : _mm512_setzero_ps();
  }
  for (; steps > 0; steps--, left += side * side, right += side * side)
    for (int k = 0; k < side; k++) {
      __m512 low = _mm512_load_ps(right + k * side), high = _mm512_load_ps(right + k * side + 16);
#pragma GCC unroll 8
      for (int i = 0; i < rows; i++) {
        __m512 x = _mm512_set1_ps(left[i * side + k]);
        sum[i][0] = _mm512_fmadd_ps(x, low, sum[i][0]);
        sum[i][1] = _mm512_fmadd_ps(x, high, sum[i][1]);
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) {
    _mm512_storeu_ps(out + i * width, sum[i][0]);
    _mm512_storeu_ps(out + i * width + 16, sum[i][1]);
  }
}

AMX void multiply_floats(const float *left, const float *right, long depth, float *out, long width, bool add) {
  for (int i = 0; i < side; i += rows) multiply_rows(left + i * side, right, (depth + side - 1) / side, out + i * width, width, add);
}

#endif
