//go:build cgo && linux

#include "avx2.h"

#ifdef HAVE_KERNELS

#include <immintrin.h>
#include <string.h>

// AVX2 marks functions that use instructions which cpu_has_avx2 checks for. Their vectors have LANES f32 numbers.
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE AVX2 static inline __attribute__((always_inline))
enum { LANES = 8 };

// load_row loads the first n of LANES elements as f32, and zero for the others; n may be negative or larger.
AVX2_INLINE __m256 load_row(bool bf16, const char *from, long n) {
  char row[LANES * sizeof(float)] = {0};
  if (n < LANES) {
    if (n > 0) memcpy(row, from, n * (bf16 ? 2 : 4));
    from = row;
  }
  if (!bf16) return _mm256_loadu_ps((const float *)from);
  __m256i elements = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(elements, 16));
}

// transpose transposes a matrix of LANES x LANES numbers.
AVX2_INLINE void transpose(__m256 r[LANES]) {
  __m256 t[LANES];
#pragma GCC unroll 4
  for (int i = 0; i < LANES; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < LANES; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
      r[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
#pragma GCC unroll 8
  for (int i = 0; i < LANES; i++) r[i] = t[i];
}

// pack_square copies LANES x LANES elements, or transposes them, into a step. Only the given rows and columns exist.
AVX2_INLINE void pack_square(bool bf16, const char *from, long stride, long rows, long columns, bool transposed,
                             float *to) {
  __m256 r[LANES];
#pragma GCC unroll 8
  for (int i = 0; i < LANES; i++)
    r[i] = load_row(bf16, from + i * stride * (bf16 ? 2 : 4), i < rows ? columns : 0);
  if (transposed) transpose(r);
#pragma GCC unroll 8
  for (int i = 0; i < LANES; i++) _mm256_store_ps(to + i * BLOCK, r[i]);
}

AVX2_INLINE void pack_steps(bool bf16, const matrix *m, bool right, long row, float *to) {
  bool transposed = m->transposed != right;
  for (long term = 0; term < m->depth; term += BLOCK, to += BLOCK * BLOCK)
    for (int r = 0; r < BLOCK; r += LANES)
      for (int t = 0; t < BLOCK; t += LANES) {
        long i = row + r, k = term + t, rows = m->rows - i, terms = m->depth - k;
        const char *from =
            (const char *)m->data + (m->transposed ? k * m->stride + i : i * m->stride + k) * (bf16 ? 2 : 4);
        float *at = to + (right ? t * BLOCK + r : r * BLOCK + t);
        pack_square(bf16, from, m->stride, m->transposed ? terms : rows, m->transposed ? rows : terms, transposed, at);
      }
}

AVX2 void avx2_pack_panel(format f, const matrix *m, bool right, long row, char *to) {
  if (f == BF16_WIDENED) pack_steps(true, m, right, row, (float *)to);
  else pack_steps(false, m, right, row, (float *)to);
}

// A product of panels is computed tile by tile. A tile of the result is small enough for its sums and the operands to
// stay in 16 registers: TALL rows of two vectors, and for the last two rows of a block two rows of four vectors.
// STEPS_AT_ONCE is as in f32.c.
enum { TALL = 6, STEPS_AT_ONCE = 4, MAX_SUMS = 12, MAX_VECTORS = 4 };

AVX2_INLINE void multiply_tile(int rows, int vectors, const float *left, const float *right, long steps,
                               float *out, long stride, bool add) {
  __m256 sum[MAX_SUMS];
#pragma GCC unroll 12
  for (int i = 0; i < rows * vectors; i++) sum[i] = _mm256_setzero_ps();
  for (; steps > 0; steps--, left += BLOCK * BLOCK, right += BLOCK * BLOCK)
#pragma GCC unroll 1
    for (int k = 0; k < BLOCK; k++) {
      __m256 y[MAX_VECTORS];
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++) y[j] = _mm256_load_ps(right + k * BLOCK + j * LANES);
#pragma GCC unroll 6
      for (int i = 0; i < rows; i++) {
        __m256 x = _mm256_broadcast_ss(left + i * BLOCK + k);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) sum[i * vectors + j] = _mm256_fmadd_ps(x, y[j], sum[i * vectors + j]);
      }
    }
#pragma GCC unroll 12
  for (int i = 0; i < rows * vectors; i++) {
    float *to = out + i / vectors * stride + i % vectors * LANES;
    _mm256_storeu_ps(to, add ? _mm256_add_ps(_mm256_loadu_ps(to), sum[i]) : sum[i]);
  }
}

AVX2 void avx2_multiply_panels(const char *left_panel, const char *right_panel, long depth, float *out, long stride,
                               bool add) {
  const float *left = (const float *)left_panel, *right = (const float *)right_panel;
  long steps = (depth + BLOCK - 1) / BLOCK;
  do { // at least once: a depth of zero gives zeros
    long n = steps < STEPS_AT_ONCE ? steps : STEPS_AT_ONCE;
    int i = 0;
    for (; i + TALL <= BLOCK; i += TALL)
      for (int j = 0; j < BLOCK; j += 2 * LANES)
        multiply_tile(TALL, 2, left + i * BLOCK, right + j, n, out + i * stride + j, stride, add);
    multiply_tile(2, 4, left + i * BLOCK, right, n, out + i * stride, stride, add);
    left += n * BLOCK * BLOCK, right += n * BLOCK * BLOCK, steps -= n, add = true;
  } while (steps > 0);
}

// round_bf16 rounds to bf16 as store_bf16 in simd.h does, denormal numbers included.
AVX2_INLINE __m128i round_bf16(__m256 x) {
  __m256i bits = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));
  __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  __m256i rounded = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), _mm256_set1_epi32(0x7fc0), is_nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}

AVX2 void avx2_store_block(const float *block, long rows, long columns, void *out, long at, long stride, bool to_bf16) {
  for (long i = 0; i < rows; i++, block += BLOCK, at += stride) {
    if (!to_bf16) {
      memcpy((float *)out + at, block, columns * sizeof(float));
      continue;
    }
    uint16_t row[BLOCK];
    for (int c = 0; c < BLOCK; c += LANES)
      _mm_storeu_si128((__m128i *)(row + c), round_bf16(_mm256_load_ps(block + c)));
    memcpy((uint16_t *)out + at, row, columns * sizeof *row);
  }
}

#endif
