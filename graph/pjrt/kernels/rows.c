//go:build cgo && linux

#include "rows.h"

#ifdef X86_TILES

#include <stdlib.h>

#include "vectors.h"

// A task takes so many bytes of the matrix on the right, once: square rows of it at a time, with as many of the left one.
enum { square = 4, task_bytes = 1 << 17 };

typedef struct {
  job job;
  matrix left, right;
  strips kind;
  void *out;
  bool rounded;
  long columns; // of a task; the last one has what is left besides
} product;

static void run(job *j, int phase, long task, int worker);

job *rows_new(matrix left, matrix right, strips kind, void *out, bool rounded, int threads) {
  if (left.rows * left.depth == 0 || right.rows < square) return NULL; // not asked for
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->left = left, p->right = right, p->kind = kind, p->out = out, p->rounded = rounded;
  p->columns = (task_bytes / (right.depth * number_bytes(kind)) + square) / square * square;
  p->job.tasks[phases - 1] = right.rows > p->columns ? right.rows / p->columns : 1;
  p->job.run = run;
  return job_begin(&p->job, threads, 0, 0) ? &p->job : NULL;
}

// sums are those of rows of the left matrix with square rows of the right one, 16 parts of each.
typedef __m512 sums[square][square];

// fetch asks for what is read next, line after line, as memory gives it fastest, for the nearest cache unless that is full of the left matrix.
WIDE static inline __attribute__((always_inline)) void fetch(const void *at, int rows) {
  if (rows == 1) _mm_prefetch(at, _MM_HINT_T0);
  else _mm_prefetch(at, _MM_HINT_T1);
}

// load reads the first n of 16 numbers, or of 32 of bf16.
WIDE static inline __attribute__((always_inline)) __m512 load(bool pairs, const char *at, long n) {
  if (!pairs) return _mm512_maskz_loadu_ps(first(n), at);
  return (__m512)_mm512_maskz_loadu_epi16(n >= 32 ? ~0u : (1u << n) - 1, at);
}

// dots adds up over depth.
WIDE static inline __attribute__((always_inline)) void dots(bool pairs, const char *a, const char *b, long depth, int rows, sums sum) {
  const long size = pairs ? 2 : 4, row = depth * size;
  for (long k = 0; k < row; k += 64) {
    long n = (row - k) / size;
#pragma GCC unroll 4
    for (int j = 0; j < square; j++) {
      fetch(b + square * (row + k) + 64 * j, rows);
      __m512 y = load(pairs, b + j * row + k, n);
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++) sum[i][j] = add_products(pairs, sum[i][j], load(pairs, a + i * row + k, n), y);
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

// multiply computes the results of so many rows and of square columns.
WIDE static inline __attribute__((always_inline)) void multiply(const product *p, long i, long j, int rows) {
  long depth = p->left.depth, width = p->right.rows;
  sums sum;
#pragma GCC unroll 16
  for (int k = 0; k < square * square; k++) sum[k / square][k % square] = _mm512_setzero_ps();
  long row = depth * number_bytes(p->kind);
  const char *left = (const char *)p->left.data + i * row, *right = (const char *)p->right.data + j * row;
  if (p->kind == bf16) dots(true, left, right, depth, rows, sum);
  else dots(false, left, right, depth, rows, sum);
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++) {
    long at = (i + r) * width + j;
    __m128 total = totals(sum[r]);
    if (p->rounded) rounded_row((uint16_t *)p->out + at, first(square), _mm512_castps128_ps512(total));
    else _mm_storeu_ps((float *)p->out + at, total);
  }
}

// multiply_columns computes the results of square columns.
WIDE static void multiply_columns(const product *p, long j) {
  long i = 0;
  for (; p->left.rows - i >= square; i += square) multiply(p, i, j, square);
  for (; p->left.rows - i >= 2; i += 2) multiply(p, i, j, 2);
  for (; p->left.rows - i >= 1; i++) multiply(p, i, j, 1);
}

static void run(job *j, int phase, long task, int worker) {
  const product *p = (product *)j;
  bool last = task == j->tasks[phase] - 1;
  long column = task * p->columns, end = last ? p->right.rows : column + p->columns;
  for (; column + square <= end; column += square) multiply_columns(p, column);
  if (column < end) multiply_columns(p, end - square); // some of them again
}

#endif
