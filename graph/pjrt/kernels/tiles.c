//go:build cgo && linux

#include "strips.h"

#ifdef X86_TILES

#include <cpuid.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "avx512.h"
#include "scores.h"
#include "vectors.h"

static long steps(long depth) { return (depth + side - 1) / side; }
long number_bytes(strips kind) { return kind == bf16 ? 2 : 4; }
long step_bytes(strips kind) { return kind == bf16 ? 2 * tile : 4 * tile; }
long strip_bytes(strips kind, long depth) { return steps(depth) * step_bytes(kind); }

// Some bits of what a processor tells of itself.
enum { leaf = 7, avx512_bf16 = 1 << 5, amx = 1 << 22 | 1 << 24 };
static const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW and VL

bool can_multiply(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(leaf, 0, &a, &b, &c, &d) || (b & avx512) != avx512) return false;
  return __get_cpuid_count(leaf, 1, &a, &b, &c, &d) && (a & avx512_bf16) && __builtin_cpu_supports("avx512f"); // the last: the system keeps its registers
}

// ask asks the system for the use of AMX: that it keeps its registers for this process.
static bool ask(void) {
  enum { permit = 0x1023, tile_data = 18 };
  unsigned a, b, c, d;
  return __get_cpuid_count(leaf, 0, &a, &b, &c, &d) && (d & amx) == amx && syscall(SYS_arch_prctl, permit, tile_data) == 0;
}

bool have_tiles(void) {
  static atomic_int known; // 0: not yet; else 1 or 2
  int k = atomic_load_explicit(&known, memory_order_relaxed);
  if (k == 0) atomic_store_explicit(&known, k = 1 + ask(), memory_order_relaxed);
  return k == 2;
}

WIDE static inline void store(const __m512i r[16], char *to, long step) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * step, r[i]);
}

// halves rounds 32 numbers to bf16, and what they lose to bf16 too.
WIDE static inline __m512i halves(__m512 a, __m512 b, __m512i *rest) {
  __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
  __m512 lost_a = _mm512_sub_ps(a, upper(_mm512_castsi512_si256(both))), lost_b = _mm512_sub_ps(b, upper(_mm512_extracti64x4_epi64(both, 1)));
  *rest = (__m512i)_mm512_cvtne2ps_pbh(lost_b, lost_a);
  return both;
}

// pack_tile brings 16 rows and 32 terms into a tile, and what their numbers lose to bf16 into one two tiles behind.
WIDE static inline void pack_tile(bool split, const matrix *m, bool right, long row, long term, char *to) {
  long size = split ? 4 : 2, rows = m->rows - row, terms = m->depth - term;
  long next = (m->across ? m->stride : 16) * size; // from the first to the second 16 of 32 numbers: the next term, or further terms
  long step = (m->across ? 2 * m->stride : m->stride) * size;
  const char *at = (const char *)m->data + (m->across ? term * m->stride + row : row * m->stride + term) * size;
  __m512i r[16], rest[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++, at += step) {
    __mmask16 one = m->across ? (2 * i < terms ? first(rows) : 0) : (i < rows ? first(terms) : 0);
    __mmask16 two = m->across ? (2 * i + 1 < terms ? first(rows) : 0) : (i < rows ? first(terms - 16) : 0);
    if (split) {
      r[i] = halves(_mm512_maskz_loadu_ps(one, at), _mm512_maskz_loadu_ps(two, at + next), &rest[i]);
      if (m->across) rest[i] = pairs(rest[i]);
    } else {
      r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(one, at)), _mm256_maskz_loadu_epi16(two, at + next), 1);
    }
    if (m->across) r[i] = pairs(r[i]);
  }
  if (m->across != right) transpose(r);
  store(r, to, row_bytes);
  if (!split) return;
  if (m->across != right) transpose(rest);
  store(rest, to + 2 * tile, row_bytes);
}

// pack_exponentials is pack_tile for a matrix of which exponentials are meant.
WIDE static inline void pack_exponentials(const matrix *m, long row, long term, char *to) {
  long left = m->rows - row, rows = left < 0 ? 0 : left < 16 ? left : 16;
  __mmask16 one = first(m->depth - term), two = first(m->depth - term - 16);
  const float *at = (const float *)m->data + row * m->stride + term;
  for (long i = 0; i < rows; i++, at += m->stride) {
    __m512 below = _mm512_set1_ps(m->below[row + i]);
    __m512 a = _mm512_maskz_mov_ps(one, exponential(_mm512_sub_ps(_mm512_maskz_loadu_ps(one, at), below)));
    __m512 b = _mm512_maskz_mov_ps(two, exponential(_mm512_sub_ps(_mm512_maskz_loadu_ps(two, at + 16), below)));
    _mm512_store_si512(to + i * row_bytes, both(a, b));
  }
  memset(to + rows * row_bytes, 0, (16 - rows) * row_bytes);
}

WIDE void pack_strip(strips kind, const matrix *m, bool right, long row, char *to) {
  if (kind == f32) {
    pack_floats(m, right, row, to);
    return;
  }
  for (long term = 0; term < m->depth; term += side, to += step_bytes(kind))
    for (int half = 0; half < 2; half++)
      if (m->below != NULL) pack_exponentials(m, row + 16 * half, term, to + half * tile);
      else pack_tile(kind == bf16x3, m, right, row + 16 * half, term, to + half * tile);
}

// IN_MEMORY has the compiler write what it holds, and read it again: it does not know what instructions for tiles touch.
#define IN_MEMORY __asm__ volatile("" ::: "memory")

// AMX has eight tiles. Four are the result, 0 1 above 2 3, of the left matrix's 4 and 5 and the right one's 6 and 7.
#define LOAD(number, at) _tile_loadd(number, at, row_bytes)
#define MULTIPLY(result, left, right) _tile_dpbf16ps(result, left, right)
#define SUM(number, at) _tile_loadd(number, at, width * sizeof(float))
#define STORE(number, at) _tile_stored(number, at, width * sizeof(float))

WIDE static inline void sum_bf16(const char *a, const char *b, long steps) {
  for (; steps > 0; steps--, a += 2 * tile, b += 2 * tile) {
    LOAD(4, a); LOAD(6, b); MULTIPLY(0, 4, 6);
    LOAD(7, b + tile); MULTIPLY(1, 4, 7);
    LOAD(5, a + tile); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
  }
}

// sum_bf16x3 loads a tile of each matrix twice.
WIDE static inline void sum_bf16x3(const char *a, const char *b, long steps) {
  for (; steps > 0; steps--, a += 4 * tile, b += 4 * tile) {
    LOAD(4, a); LOAD(6, b + 2 * tile); MULTIPLY(0, 4, 6);
    LOAD(7, b + 3 * tile); MULTIPLY(1, 4, 7);
    LOAD(5, a + tile); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
    LOAD(6, b); MULTIPLY(0, 4, 6); MULTIPLY(2, 5, 6);
    LOAD(7, b + tile); MULTIPLY(1, 4, 7); MULTIPLY(3, 5, 7);
    LOAD(4, a + 2 * tile); MULTIPLY(0, 4, 6); MULTIPLY(1, 4, 7);
    LOAD(5, a + 3 * tile); MULTIPLY(2, 5, 6); MULTIPLY(3, 5, 7);
  }
}

WIDE void multiply_strips(strips kind, const char *left, const char *right, long depth, float *out, long width, bool add) {
  if (kind == f32) {
    multiply_floats(left, right, depth, out, width, add);
    return;
  }
  if (!have_tiles()) { // then there is no bf16x3
    multiply_pairs(left, right, depth, out, width, add);
    return;
  }
  IN_MEMORY;
  if (add) {
    SUM(0, out); SUM(1, out + 16); SUM(2, out + 16 * width); SUM(3, out + 16 * width + 16);
  } else {
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  }
  if (kind == bf16) sum_bf16(left, right, steps(depth));
  else sum_bf16x3(left, right, steps(depth));
  STORE(0, out); STORE(1, out + 16); STORE(2, out + 16 * width); STORE(3, out + 16 * width + 16);
  IN_MEMORY;
}

WIDE void copy_block(const float *block, long rows, long columns, void *out, long at, long width, bool rounded) {
  for (long i = 0; i < rows; i++, at += width)
    for (int from = 0; from < side; from += 16) {
      __m512 x = _mm512_load_ps(block + i * side + from);
      __mmask16 has = first(columns - from);
      if (rounded) rounded_row((uint16_t *)out + at + from, has, x);
      else _mm512_mask_storeu_ps((float *)out + at + from, has, x);
    }
}

WIDE void begin_tiles(void) {
  if (!have_tiles()) return;
  struct { uint8_t palette, start, reserved[14]; uint16_t row_bytes[16]; uint8_t rows[16]; } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.row_bytes[i] = row_bytes, shape.rows[i] = 16;
  IN_MEMORY;
  _tile_loadconfig(&shape);
}

WIDE void end_tiles(void) {
  if (have_tiles()) _tile_release();
}

#endif
