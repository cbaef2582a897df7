//go:build cgo && linux

#include "rows.h"

#ifdef HAVE_KERNELS

#include <stdlib.h>

#include "simd.h"

// A task reads at most TASK_BYTES of the right matrix, and prefetches up to PREFETCH_DISTANCE bytes beyond.
enum { TASK_BYTES = 1 << 19, PREFETCH_DISTANCE = 7168 };

// sums are the sums of QUAD rows of the left matrix with QUAD rows of the right one, in 16 parts each.
typedef __m512 sums[QUAD][QUAD];

// load loads the first n elements of a vector.
WIDE_INLINE __m512 load(bool bf16, const char *at, long n) {
  if (!bf16) return _mm512_maskz_loadu_ps(lane_mask(n), at);
  return (__m512)_mm512_maskz_loadu_epi16(n >= 32 ? ~0u : (1u << n) - 1, at);
}

// sum_row_by_row adds products with one row of the right matrix after the other, the order in which memory is
// fastest, for up to QUAD rows of the left matrix. The hardware prefetcher keeps up with one or two left rows; with
// more, the code prefetches into the second-level cache, which has more misses in flight than the first.
WIDE_INLINE void sum_row_by_row(bool bf16, const char *a, long stride_a, const char *b, long stride_b, long depth,
                                int rows, sums sum) {
  const long size = bf16 ? 2 : 4, bytes = depth * size;
#pragma GCC unroll 4
  for (int j = 0; j < QUAD; j++, b += stride_b * size)
    for (long k = 0; k < bytes; k += 64) {
      if (rows > 2) _mm_prefetch(b + k + PREFETCH_DISTANCE, _MM_HINT_T1);
      long n = (bytes - k) / size;
      __m512 y = load(bf16, b + k, n);
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++)
        sum[i][j] = multiply_add(bf16, sum[i][j], load(bf16, a + i * stride_a * size + k, n), y);
    }
}

// sum_all_rows adds products with QUAD rows of the right matrix together, the order with the fewest loads, for more
// rows of the left matrix than sum_row_by_row takes.
WIDE_INLINE void sum_all_rows(bool bf16, const char *a, long stride_a, const char *b, long stride_b, long depth,
                              int rows, sums sum) {
  const long size = bf16 ? 2 : 4, bytes = depth * size;
  for (long k = 0; k < bytes; k += 64) {
    long n = (bytes - k) / size;
#pragma GCC unroll 4
    for (int j = 0; j < QUAD; j++) {
      _mm_prefetch(b + QUAD * (bytes + k) + 64 * j, _MM_HINT_T1);
      __m512 y = load(bf16, b + j * stride_b * size + k, n);
#pragma GCC unroll 4
      for (int i = 0; i < rows; i++)
        sum[i][j] = multiply_add(bf16, sum[i][j], load(bf16, a + i * stride_a * size + k, n), y);
    }
  }
}

// totals adds the 16 parts of four sums, in the same order for each.
WIDE static inline __m128 totals(const __m512 sum[QUAD]) {
  __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(sum[0], sum[1]), _mm512_unpackhi_ps(sum[0], sum[1]));
  __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(sum[2], sum[3]), _mm512_unpackhi_ps(sum[2], sum[3]));
  __m512 all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

WIDE_INLINE void multiply(bool bf16, bool row_by_row, const matrix *left, const matrix *right, const char *a,
                          const char *b, int rows, float *out, long stride) {
  sums sum;
#pragma GCC unroll 16
  for (int k = 0; k < QUAD * QUAD; k++) sum[k / QUAD][k % QUAD] = _mm512_setzero_ps();
  if (row_by_row) sum_row_by_row(bf16, a, left->stride, b, right->stride, left->depth, rows, sum);
  else sum_all_rows(bf16, a, left->stride, b, right->stride, left->depth, rows, sum);
#pragma GCC unroll 4
  for (int i = 0; i < rows; i++) _mm_storeu_ps(out + i * stride, totals(sum[i]));
}

WIDE_INLINE void multiply_elements(bool bf16, const matrix *left, const matrix *right, long row, float *out,
                                   long stride) {
  const long size = bf16 ? 2 : 4;
  const char *b = (const char *)right->data + row * right->stride * size;
  bool row_by_row = left->rows <= QUAD;
  for (long i = 0, n; i < left->rows; i += n) {
    const char *a = (const char *)left->data + i * left->stride * size;
    n = left->rows - i >= QUAD ? QUAD : left->rows - i >= 2 ? 2 : 1;
    float *to = out + i * stride;
    if (n == QUAD && row_by_row) multiply(bf16, true, left, right, a, b, QUAD, to, stride);
    else if (n == QUAD) multiply(bf16, false, left, right, a, b, QUAD, to, stride);
    else if (n == 2) multiply(bf16, true, left, right, a, b, 2, to, stride);
    else multiply(bf16, true, left, right, a, b, 1, to, stride);
  }
}

WIDE void multiply_rows(bool bf16, const matrix *left, const matrix *right, long row, float *out, long stride) {
  if (bf16) multiply_elements(true, left, right, row, out, stride);
  else multiply_elements(false, left, right, row, out, stride);
}

typedef struct {
  job job;
  matrix left, right;
  bool bf16;
  void *out;
  bool to_bf16;
  long columns; // of the result in a task; the last task has the remainder too
} rows_product;

// multiply_quad computes QUAD columns of the result.
WIDE static void multiply_quad(const rows_product *p, long column, float *sums) {
  multiply_rows(p->bf16, &p->left, &p->right, column, sums, QUAD);
  for (long i = 0, at = column; i < p->left.rows; i++, at += p->right.rows, sums += QUAD) {
    __m128 row = _mm_loadu_ps(sums);
    if (p->to_bf16) store_bf16((uint16_t *)p->out + at, lane_mask(QUAD), _mm512_castps128_ps512(row));
    else _mm_storeu_ps((float *)p->out + at, row);
  }
}

static void run(job *j, long phase, long task, int worker) {
  const rows_product *p = (rows_product *)j;
  task = job_contiguous_task(j, phase, task);
  bool last = task == j->tasks[phase] - 1;
  long column = task * p->columns, end = last ? p->right.rows : column + p->columns;
  float *sums = (float *)job_memory(j) + worker * p->left.rows * QUAD;
  for (; column + QUAD <= end; column += QUAD) multiply_quad(p, column, sums);
  if (column < end) multiply_quad(p, end - QUAD, sums); // computes some columns again
}

job *rows_new(matrix left, matrix right, bool bf16, void *out, bool to_bf16, int threads) {
  if (left.rows * left.depth == 0 || right.rows < QUAD) return NULL;
  rows_product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->left = left, p->right = right, p->bf16 = bf16, p->out = out, p->to_bf16 = to_bf16;
  long tasks = threads * (right.rows * right.depth * (bf16 ? 2 : 4) / (threads * TASK_BYTES) + 1);
  p->columns = (right.rows / tasks + QUAD) / QUAD * QUAD;
  p->job.tasks[0] = right.rows > p->columns ? right.rows / p->columns : 1;
  p->job.run = run;
  return job_init(&p->job, threads, 0, left.rows * QUAD * sizeof(float)) ? &p->job : NULL;
}

#endif
