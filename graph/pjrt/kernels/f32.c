//go:build cgo && linux

#include "f32.h"

#ifdef HAVE_KERNELS

#include "simd.h"

// load_row loads the lanes in mask of 16 elements as f32.
WIDE_INLINE __m512 load_row(bool bf16, const char *from, __mmask16 mask) {
  return bf16 ? widen(_mm256_maskz_loadu_epi16(mask, from)) : _mm512_maskz_loadu_ps(mask, from);
}

// pack_square copies 16 x 16 elements, or transposes them, into a step. Only the given rows and columns exist.
WIDE_INLINE void pack_square(bool bf16, const char *from, long stride, long rows, long columns, bool transposed,
                             float *to) {
  __m512i r[16];
  const long row_bytes = stride * (bf16 ? 2 : 4);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    r[i] = _mm512_castps_si512(load_row(bf16, from + i * row_bytes, i < rows ? lane_mask(columns) : 0));
  if (transposed) transpose(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * BLOCK, r[i]);
}

WIDE_INLINE void pack_steps(bool bf16, const matrix *m, bool right, long row, float *to) {
  bool transposed = m->transposed != right;
  for (long term = 0; term < m->depth; term += BLOCK, to += BLOCK * BLOCK)
    for (int r = 0; r < BLOCK; r += 16)
      for (int t = 0; t < BLOCK; t += 16) {
        long i = row + r, k = term + t, rows = m->rows - i, terms = m->depth - k;
        const char *from =
            (const char *)m->data + (m->transposed ? k * m->stride + i : i * m->stride + k) * (bf16 ? 2 : 4);
        float *at = to + (right ? t * BLOCK + r : r * BLOCK + t);
        pack_square(bf16, from, m->stride, m->transposed ? terms : rows, m->transposed ? rows : terms, transposed, at);
      }
}

WIDE void pack_f32_panel(format f, const matrix *m, bool right, long row, char *to) {
  if (f == BF16_WIDENED) pack_steps(true, m, right, row, (float *)to);
  else pack_steps(false, m, right, row, (float *)to);
}

// A product of panels is computed for ROWS rows at a time, as many as there are registers for sums, and for
// STEPS_AT_ONCE steps, which stay in the first-level cache for all rows. The sums of these steps are added in
// memory, which also reduces rounding errors.
enum { ROWS = 8, STEPS_AT_ONCE = 4 };

// layout has the strides of a step, in units of four bytes: one f32 number or a pair of bf16 numbers.
typedef struct {
  int terms, row;        // units of depth in a step; from one row of a left step to the next
  int term, second_half; // from one unit of depth of a right step to the next; to columns 16 to 31
  bool bf16_pairs;
} layout;

static const layout f32_layout = {.terms = BLOCK, .row = BLOCK, .term = BLOCK, .second_half = 16};
static const layout bf16_layout = {
    .terms = BLOCK / 2, .row = 16, .term = 16, .second_half = TILE_BYTES / 4, .bf16_pairs = true};

WIDE_INLINE void multiply_rows(layout l, const float *left, const float *right, long steps, float *out, long stride,
                               bool add) {
  const long step = l.terms * BLOCK;
  __m512 sum[ROWS][2];
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  for (; steps > 0; steps--, left += step, right += step)
    for (int k = 0; k < l.terms; k++) {
      __m512 y0 = _mm512_load_ps(right + k * l.term), y1 = _mm512_load_ps(right + k * l.term + l.second_half);
#pragma GCC unroll 8
      for (int i = 0; i < ROWS; i++) {
        __m512 x = _mm512_set1_ps(left[i * l.row + k]);
        sum[i][0] = multiply_add(l.bf16_pairs, sum[i][0], x, y0);
        sum[i][1] = multiply_add(l.bf16_pairs, sum[i][1], x, y1);
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      float *to = out + i * stride + 16 * j;
      _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[i][j]) : sum[i][j]);
    }
}

WIDE_INLINE void multiply(layout l, const float *left, const float *right, long depth, float *out, long stride,
                          bool add) {
  long steps = (depth + BLOCK - 1) / BLOCK;
  do { // at least once: a depth of zero gives zeros
    long n = steps < STEPS_AT_ONCE ? steps : STEPS_AT_ONCE;
    for (int i = 0; i < BLOCK; i += ROWS) multiply_rows(l, left + i * l.row, right, n, out + i * stride, stride, add);
    left += n * l.terms * BLOCK, right += n * l.terms * BLOCK, steps -= n, add = true;
  } while (steps > 0);
}

WIDE void multiply_f32_panels(const char *left, const char *right, long depth, float *out, long stride, bool add) {
  multiply(f32_layout, (const float *)left, (const float *)right, depth, out, stride, add);
}

WIDE void multiply_bf16_panels(const char *left, const char *right, long depth, float *out, long stride, bool add) {
  multiply(bf16_layout, (const float *)left, (const float *)right, depth, out, stride, add);
}

#endif
