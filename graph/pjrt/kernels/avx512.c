//go:build cgo && linux

#include "avx512.h"

#ifdef X86_TILES

#include "vectors.h"

// copy_square brings 16 x 16 numbers, of which so many rows and columns are there, to a place in a step, or transposes them.
WIDE static inline void copy_square(const float *from, long stride, long rows, long columns, bool turn, float *to) {
  __m512i r[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) r[i] = _mm512_castps_si512(_mm512_maskz_loadu_ps(i < rows ? first(columns) : 0, from + i * stride));
  if (turn) transpose(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * side, r[i]);
}

WIDE void pack_floats(const matrix *m, bool right, long row, char *bytes) {
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

// A block is done in as many rows as there are registers for, and in so many steps at a time, which stay in the nearest cache while all its rows are
// done. Sums of these are added up in memory, which also keeps their errors small.
enum { rows = 8, stretch = 4 };

// layout tells where numbers lie in a step, in units of four bytes, which are one f32 or a pair of bf16.
typedef struct {
  int terms, row; // units of the sum; from one row of a left step to the next
  int term, high; // from one unit of the sum to the next in a right step; to the second 16 columns
  bool pairs;
} layout;

static const layout of_floats = {.terms = side, .row = side, .term = side, .high = 16, .pairs = false};
static const layout of_pairs = {.terms = side / 2, .row = 16, .term = 16, .high = tile / 4, .pairs = true};

WIDE static inline __attribute__((always_inline)) void multiply_rows(layout l, const float *left, const float *right, long steps, float *out, long width,
                                                                     bool add) {
  const long step = l.terms * side;
  __m512 sum[rows][2];
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
  for (; steps > 0; steps--, left += step, right += step)
    for (int k = 0; k < l.terms; k++) {
      __m512 low = _mm512_load_ps(right + k * l.term), high = _mm512_load_ps(right + k * l.term + l.high);
#pragma GCC unroll 8
      for (int i = 0; i < rows; i++) {
        __m512 x = _mm512_set1_ps(left[i * l.row + k]);
        sum[i][0] = add_products(l.pairs, sum[i][0], x, low);
        sum[i][1] = add_products(l.pairs, sum[i][1], x, high);
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      float *to = out + i * width + 16 * j;
      _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[i][j]) : sum[i][j]);
    }
}

WIDE static inline __attribute__((always_inline)) void multiply(layout l, const float *left, const float *right, long depth, float *out, long width,
                                                                bool add) {
  long steps = (depth + side - 1) / side;
  do { // once at least: of no terms come zeros
    long some = steps < stretch ? steps : stretch;
    for (int i = 0; i < side; i += rows) multiply_rows(l, left + i * l.row, right, some, out + i * width, width, add);
    left += some * l.terms * side, right += some * l.terms * side, steps -= some, add = true;
  } while (steps > 0);
}

WIDE void multiply_floats(const char *left, const char *right, long depth, float *out, long width, bool add) {
  multiply(of_floats, (const float *)left, (const float *)right, depth, out, width, add);
}

WIDE void multiply_pairs(const char *left, const char *right, long depth, float *out, long width, bool add) {
  multiply(of_pairs, (const float *)left, (const float *)right, depth, out, width, add);
}

#endif
