//go:build cgo && linux

#include "rows.h"

#ifdef X86_TILES

#include <stdlib.h>

#include "vectors.h"

// A task reads so many bytes of the matrix on the right at most, and may ask for so many more while it reads.
enum { task_bytes = 1 << 19, ahead = 7168 };

// sums are those of rows of the left matrix with square rows of the right one, 16 parts of each.
typedef __m512 sums[square][square];

// load reads the first n of 16 numbers, or of 32 of bf16.
WIDE static inline __attribute__((always_inline)) __m512 load(bool pairs, const char *at, long n) {
  if (!pairs) return _mm512_maskz_loadu_ps(first(n), at);
  return (__m512)_mm512_maskz_loadu_epi16(n >= 32 ? ~0u : (1u << n) - 1, at);
}

// in_turn adds up over depth: up to square rows of the left matrix with one row of the right one after the other, as memory gives them fastest. With one
// row or two the processor sees by itself what comes next. With more it sees no further than its window of instructions, and is told, for the second
// cache: that can wait for more at a time than the first.
WIDE static inline __attribute__((always_inline)) void in_turn(bool pairs, const char *a, long stride_a, const char *b, long stride_b, long depth, int rows,
                                                               sums sum) {
  const long size = pairs ? 2 : 4, row = depth * size;
#pragma GCC unroll 4
  for (int j = 0; j < square; j++, b += stride_b * size)
    for (long k = 0; k < row; k += 64) {
      if (rows > 2) _mm_prefetch(b + k + ahead, _MM_HINT_T1);
      __m512 y = load(pairs, b + k, (row - k) / size);
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++) sum[i][j] = add_products(pairs, sum[i][j], load(pairs, a + i * stride_a * size + k, (row - k) / size), y);
    }
}

// at_once is in_turn for all square rows of the right matrix at once, as the processor multiplies fastest: for more rows on the left than in_turn takes.
WIDE static inline __attribute__((always_inline)) void at_once(bool pairs, const char *a, long stride_a, const char *b, long stride_b, long depth, int rows,
                                                               sums sum) {
  const long size = pairs ? 2 : 4, row = depth * size;
  for (long k = 0; k < row; k += 64) {
#pragma GCC unroll 4
    for (int j = 0; j < square; j++) {
      _mm_prefetch(b + square * (row + k) + 64 * j, _MM_HINT_T1);
      __m512 y = load(pairs, b + j * stride_b * size + k, (row - k) / size);
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++) sum[i][j] = add_products(pairs, sum[i][j], load(pairs, a + i * stride_a * size + k, (row - k) / size), y);
    }
  }
}

// totals adds up the 16 parts of four sums, in the same order each.
WIDE static inline __m128 totals(const __m512 sum[square]) {
  __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(sum[0], sum[1]), _mm512_unpackhi_ps(sum[0], sum[1]));
  __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(sum[2], sum[3]), _mm512_unpackhi_ps(sum[2], sum[3]));
  __m512 low = _mm512_shuffle_ps(ab, cd, 0x44), high = _mm512_shuffle_ps(ab, cd, 0xee);
  __m512 all = _mm512_add_ps(low, high);
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

// multiply computes the results of up to square rows.
WIDE static inline __attribute__((always_inline)) void multiply(bool pairs, bool turns, const matrix *left, const matrix *right, const char *a, const char *b,
                                                                int rows, float *out, long width) {
  sums sum;
#pragma GCC unroll 16
  for (int k = 0; k < square * square; k++) sum[k / square][k % square] = _mm512_setzero_ps();
  if (turns) in_turn(pairs, a, left->stride, b, right->stride, left->depth, rows, sum);
  else at_once(pairs, a, left->stride, b, right->stride, left->depth, rows, sum);
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) _mm_storeu_ps(out + i * width, totals(sum[i]));
}

WIDE static inline __attribute__((always_inline)) void multiply_kind(bool pairs, const matrix *left, const matrix *right, long row, float *out,
                                                                     long width) {
  const long size = pairs ? 2 : 4;
  const char *b = (const char *)right->data + row * right->stride * size;
  bool turns = left->rows <= square;
  for (long i = 0, n; i < left->rows; i += n) {
    const char *a = (const char *)left->data + i * left->stride * size;
    n = left->rows - i >= square ? square : left->rows - i >= 2 ? 2 : 1;
    float *to = out + i * width;
    if (n == square && turns) multiply(pairs, true, left, right, a, b, square, to, width);
    else if (n == square) multiply(pairs, false, left, right, a, b, square, to, width);
    else if (n == 2) multiply(pairs, true, left, right, a, b, 2, to, width);
    else multiply(pairs, true, left, right, a, b, 1, to, width);
  }
}

WIDE void multiply_rows(strips kind, const matrix *left, const matrix *right, long row, float *out, long width) {
  if (kind == bf16) multiply_kind(true, left, right, row, out, width);
  else multiply_kind(false, left, right, row, out, width);
}

typedef struct {
  job job;
  matrix left, right;
  strips kind;
  void *out;
  bool rounded;
  long columns; // of a task; the last one has what is left besides
} product;

// multiply_columns computes the results of square columns.
WIDE static void multiply_columns(const product *p, long column, float *sums) {
  multiply_rows(p->kind, &p->left, &p->right, column, sums, square);
  for (long i = 0, at = column; i < p->left.rows; i++, at += p->right.rows, sums += square) {
    __m128 row = _mm_loadu_ps(sums);
    if (p->rounded) rounded_row((uint16_t *)p->out + at, first(square), _mm512_castps128_ps512(row));
    else _mm_storeu_ps((float *)p->out + at, row);
  }
}

static void run(job *j, long phase, long task, int worker) {
  const product *p = (product *)j;
  task = job_apart(j, phase, task);
  bool last = task == j->tasks[phase] - 1;
  long column = task * p->columns, end = last ? p->right.rows : column + p->columns;
  float *sums = (float *)job_memory(j) + worker * p->left.rows * square;
  for (; column + square <= end; column += square) multiply_columns(p, column, sums);
  if (column < end) multiply_columns(p, end - square, sums); // some of them again
}

job *rows_new(matrix left, matrix right, strips kind, void *out, bool rounded, int threads) {
  if (left.rows * left.depth == 0 || right.rows < square) return NULL; // not asked for
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->left = left, p->right = right, p->kind = kind, p->out = out, p->rounded = rounded;
  long tasks = threads * (right.rows * right.depth * number_bytes(kind) / (threads * task_bytes) + 1);
  p->columns = (right.rows / tasks + square) / square * square;
  p->job.tasks[phases - 1] = right.rows > p->columns ? right.rows / p->columns : 1;
  p->job.run = run;
  return job_begin(&p->job, threads, 0, left.rows * square * sizeof(float)) ? &p->job : NULL;
}

#endif
