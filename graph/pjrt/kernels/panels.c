//go:build cgo && linux

#include "panels.h"

format bf16_format(void) { return amx_available() || bf16_dot_is_fast() ? BF16 : BF16_WIDENED; }

#ifdef HAVE_KERNELS

#include "avx2.h"
#include "f32.h"
#include "simd.h"

static long steps(long depth) { return (depth + BLOCK - 1) / BLOCK; }

long element_bytes(format f) { return has_bf16_elements(f) ? 2 : 4; }
long step_bytes(format f) { return f == BF16 ? 2 * TILE_BYTES : 4 * TILE_BYTES; }
long panel_bytes(format f, long depth) { return steps(depth) * step_bytes(f); }

WIDE static inline void store_tile(const __m512i r[16], char *to) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * TILE_ROW_BYTES, r[i]);
}

// split rounds 32 f32 numbers to bf16 and rounds their remainders to bf16.
WIDE static inline __m512i split(__m512 low, __m512 high, __m512i *remainders) {
  __m512i rounded = narrow(low, high);
  __m512 low_rest = _mm512_sub_ps(low, widen(_mm512_castsi512_si256(rounded)));
  __m512 high_rest = _mm512_sub_ps(high, widen(_mm512_extracti64x4_epi64(rounded, 1)));
  *remainders = narrow(low_rest, high_rest);
  return rounded;
}

// pack_tile packs 16 rows and 32 terms into a tile, and for BF16X3 the remainders into the tile after the next one.
// A vector holds 32 terms of a row of the matrix or, if that is transposed, two terms of 16 rows.
WIDE static inline void pack_tile(bool bf16x3, const matrix *m, bool right, long row, long term, char *to) {
  long size = bf16x3 ? 4 : 2, rows = m->rows - row, terms = m->depth - term;
  long second = (m->transposed ? m->stride : 16) * size; // from the first to the second 16 elements of a vector
  long next = (m->transposed ? 2 * m->stride : m->stride) * size;
  const char *at = (const char *)m->data + (m->transposed ? term * m->stride + row : row * m->stride + term) * size;
  __m512i r[16], remainders[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++, at += next) {
    __mmask16 low, high;
    if (m->transposed) {
      low = 2 * i < terms ? lane_mask(rows) : 0;
      high = 2 * i + 1 < terms ? lane_mask(rows) : 0;
    } else {
      low = i < rows ? lane_mask(terms) : 0;
      high = i < rows ? lane_mask(terms - 16) : 0;
    }
    if (bf16x3) {
      r[i] = split(_mm512_maskz_loadu_ps(low, at), _mm512_maskz_loadu_ps(high, at + second), &remainders[i]);
      if (m->transposed) remainders[i] = interleave_halves(remainders[i]);
    } else {
      __m512i first = _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(low, at));
      r[i] = _mm512_inserti64x4(first, _mm256_maskz_loadu_epi16(high, at + second), 1);
    }
    if (m->transposed) r[i] = interleave_halves(r[i]);
  }
  if (m->transposed != right) transpose(r);
  store_tile(r, to);
  if (!bf16x3) return;
  if (m->transposed != right) transpose(remainders);
  store_tile(remainders, to + 2 * TILE_BYTES);
}

WIDE static void pack_tiles(format f, const matrix *m, bool right, long row, char *to) {
  for (long term = 0; term < m->depth; term += BLOCK, to += step_bytes(f))
    for (int half = 0; half < 2; half++)
      pack_tile(f == BF16X3, m, right, row + 16 * half, term, to + half * TILE_BYTES);
}

void pack_panel(format f, const matrix *m, bool right, long row, char *to) {
  if (!cpu_has_avx512()) avx2_pack_panel(f, m, right, row, to);
  else if (has_f32_panels(f)) pack_f32_panel(f, m, right, row, to);
  else pack_tiles(f, m, right, row, to);
}

// COMPILER_BARRIER keeps memory accesses on their side: compilers do not know which memory AMX instructions access.
#define COMPILER_BARRIER __asm__ volatile("" ::: "memory")

// AMX has eight tile registers. 0, 1, 2 and 3 hold the sums, [0 1; 2 3], of tiles 4 and 5 of the left panel and
// tiles 6 and 7 of the right panel.
#define LOAD(tile, at) _tile_loadd(tile, at, TILE_ROW_BYTES)
#define MULTIPLY(sum, left, right) _tile_dpbf16ps(sum, left, right)
#define STORE(tile, at, stride) _tile_stored(tile, at, (stride) * sizeof(float))

WIDE static inline void sum_bf16(const char *a, const char *b, long steps) {
  for (; steps > 0; steps--, a += 2 * TILE_BYTES, b += 2 * TILE_BYTES) {
    LOAD(4, a); LOAD(6, b); MULTIPLY(0, 4, 6);
    LOAD(7, b + TILE_BYTES); MULTIPLY(1, 4, 7);
    LOAD(5, a + TILE_BYTES); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
  }
}

// sum_bf16x3 adds a1 b2, then a1 b1, then a2 b1.
WIDE static inline void sum_bf16x3(const char *a, const char *b, long steps) {
  for (; steps > 0; steps--, a += 4 * TILE_BYTES, b += 4 * TILE_BYTES) {
    LOAD(4, a); LOAD(6, b + 2 * TILE_BYTES); MULTIPLY(0, 4, 6);
    LOAD(7, b + 3 * TILE_BYTES); MULTIPLY(1, 4, 7);
    LOAD(5, a + TILE_BYTES); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
    LOAD(6, b); MULTIPLY(0, 4, 6); MULTIPLY(2, 5, 6);
    LOAD(7, b + TILE_BYTES); MULTIPLY(1, 4, 7); MULTIPLY(3, 5, 7);
    LOAD(4, a + 2 * TILE_BYTES); MULTIPLY(0, 4, 6); MULTIPLY(1, 4, 7);
    LOAD(5, a + 3 * TILE_BYTES); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
  }
}

WIDE static inline void store_sums(float *to, long stride) {
  float *below = to + 16 * stride;
  STORE(0, to, stride); STORE(1, to + 16, stride); STORE(2, below, stride); STORE(3, below + 16, stride);
}

// multiply_tiles starts its sums at zero and adds what is there at the end. AMX rounds a sum after each tile, so that
// one sum over all pieces would have larger rounding errors than the sum of the pieces' sums.
WIDE static void multiply_tiles(format f, const char *left, const char *right, long depth, float *out, long stride,
                                bool add) {
  float sums[BLOCK * BLOCK] __attribute__((aligned(64)));
  COMPILER_BARRIER;
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  if (f == BF16) sum_bf16(left, right, steps(depth));
  else sum_bf16x3(left, right, steps(depth));
  if (add) store_sums(sums, BLOCK);
  else store_sums(out, stride);
  COMPILER_BARRIER;
  if (!add) return;
  for (long i = 0; i < BLOCK; i++)
    for (long j = 0; j < BLOCK; j += 16) {
      float *to = out + i * stride + j;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_load_ps(sums + i * BLOCK + j)));
    }
}

void multiply_panels(format f, const char *left, const char *right, long depth, float *out, long stride, bool add) {
  if (!cpu_has_avx512()) avx2_multiply_panels(left, right, depth, out, stride, add);
  else if (has_f32_panels(f)) multiply_f32_panels(left, right, depth, out, stride, add);
  else if (amx_available()) multiply_tiles(f, left, right, depth, out, stride, add);
  else multiply_bf16_panels(left, right, depth, out, stride, add); // there is no BF16X3 without AMX
}

WIDE static void store_wide_block(const float *block, long rows, long columns, void *out, long at, long stride,
                                  bool to_bf16) {
  for (long i = 0; i < rows; i++, at += stride)
    for (int from = 0; from < BLOCK; from += 16) {
      __m512 x = _mm512_load_ps(block + i * BLOCK + from);
      __mmask16 mask = lane_mask(columns - from);
      if (to_bf16) store_bf16((uint16_t *)out + at + from, mask, x);
      else _mm512_mask_storeu_ps((float *)out + at + from, mask, x);
    }
}

void store_block(const float *block, long rows, long columns, void *out, long at, long stride, bool to_bf16) {
  if (!cpu_has_avx512()) avx2_store_block(block, rows, columns, out, at, stride, to_bf16);
  else store_wide_block(block, rows, columns, out, at, stride, to_bf16);
}

WIDE static void configure_amx(void) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) config.row_bytes[i] = TILE_ROW_BYTES, config.rows[i] = 16;
  COMPILER_BARRIER;
  _tile_loadconfig(&config);
}

WIDE static void release_amx(void) { _tile_release(); }

void amx_begin(void) {
  if (amx_available()) configure_amx();
}

void amx_end(void) {
  if (amx_available()) release_amx();
}

#endif
