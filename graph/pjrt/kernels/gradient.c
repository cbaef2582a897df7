//go:build cgo && linux

#include "attention.h"

#ifdef X86_TILES

#include <stdlib.h>
#include <string.h>

#include "scores.h"

// With the weights P = softmax(S), S = scale q k^T: dv = P^T dy, dS = P (dP - sum of P dP) for dP = dy v^T, dq = scale dS k, dk = scale dS^T q.
//
// A task takes one head, and a stretch of some blocks of queries after another: of each block it makes P and dS anew, and dq. When a stretch is done
// its P and dS, few enough for the processor's caches, go into sums for dk and dv. They lie across, [width, keys], and the last phase adds those of all
// heads of a group.
enum { attending = 1, adding = phases - 1, keys = 0, key_columns = 1, values = 2, stretch = 4 };

typedef struct {
  heads heads;
  const void *dy;
  void *dq, *dk, *dv;
} gradient;

// work is what one worker needs for a stretch. Strips of stretch steps are those with the depth of its queries.
typedef struct {
  char *query, *adjoint;                  // strips of a block
  char *query_columns, *adjoint_columns;  // [columns] strips
  float *scores, *products;               // [side, padded]: S, then e^S; dP
  char *scores_adjoint;                   // strip of dS of a block
  char *by_key_scores, *by_key_weights;   // [blocks] strips: dS and P
  float *mixed;                           // [side, width]
  uint8_t *seen;                          // [blocks], of the whole stretch
} work;

static void run(job *j, long phase, long task, int worker);

// divide cuts a worker's memory into pieces, and returns what they need.
static size_t divide(const heads *h, char *own, work *w) {
  char *at = own;
  size_t strip = h->columns * h->step, columns = h->columns * stretch * h->step, rows = side * h->padded * sizeof(float);
  w->query = at, at += strip;
  w->adjoint = at, at += strip;
  w->query_columns = at, at += columns;
  w->adjoint_columns = at, at += columns;
  w->scores = (float *)at, at += rows;
  w->products = (float *)at, at += rows;
  w->scores_adjoint = at, at += h->blocks * h->step;
  w->by_key_scores = at, at += h->blocks * stretch * h->step;
  w->by_key_weights = at, at += h->blocks * stretch * h->step;
  w->mixed = (float *)at, at += side * h->in.width * sizeof(float);
  w->seen = (uint8_t *)at, at += h->blocks;
  return at - own;
}

job *attention_gradient_new(inputs in, const void *dy, void *dq, void *dk, void *dv, int threads) {
  gradient *g = calloc(1, sizeof *g);
  if (g == NULL) return NULL;
  heads *h = &g->heads;
  heads_init(h, in);
  g->dy = dy, g->dq = dq, g->dk = dk, g->dv = dv;
  h->number = 3;
  h->packed[keys] = (packed){.of = in.k};
  h->packed[key_columns] = (packed){.of = in.k, .by_column = true};
  h->packed[values] = (packed){.of = in.v};
  h->job.tasks[attending] = in.rows * in.heads;
  h->job.tasks[adding] = in.rows * in.groups * h->blocks;
  h->job.run = run;
  work w;
  size_t sums = 2 * in.rows * in.heads * in.width * h->padded * sizeof(float);
  return heads_begin(h, threads, sums, divide(h, NULL, &w)) ? &h->job : NULL;
}

// sums are those for dk or dv of a head: [width, padded].
static float *sums(const heads *h, bool of_values, long row, long head) {
  return (float *)h->shared + ((row * h->in.heads + head) * 2 + of_values) * h->in.width * h->padded;
}

// pair_sums are those of a pair of queries: one over that of their exponentials, and that of P dP.
typedef struct { float inverse[2], shift[2]; } pair_sums;

// exponentials turns the scores of one query into those, and notes what becomes of their sums.
WIDE static void exponentials(const heads *h, float *scores, const float *dp, const uint32_t *bits, const uint8_t *seen, long blocks, pair_sums *t, int which) {
  float top = highest(scores, bits, seen, blocks);
  __m512 sum = _mm512_setzero_ps(), dot = _mm512_setzero_ps();
  for (long j = 0; j < blocks; j++) {
    if (!seen[j]) continue;
    for (long k = j * side; k < (j + 1) * side; k += 16) {
      __mmask16 visible = bits[j] >> (k - j * side);
      __m512 e = weight(visible, scores + k, top, h->scale);
      sum = _mm512_add_ps(sum, e);
      dot = _mm512_fmadd_ps(e, _mm512_maskz_load_ps(visible, dp + k), dot);
      _mm512_store_ps(scores + k, e);
    }
  }
  float total = _mm512_reduce_add_ps(sum);
  t->inverse[which] = total > 0 ? 1 / total : 0;
  t->shift[which] = _mm512_reduce_add_ps(dot) * t->inverse[which];
}

// differentiate turns a pair of queries' exponentials and dP into P and dS, in all the ways that they are read.
WIDE static void differentiate(const heads *h, const work *w, const uint32_t *bits, long blocks, long i, long at, const pair_sums *t) {
  for (long j = 0; j < blocks; j++) {
    if (!w->seen[j]) continue;
    __m512 p[2][2], ds[2][2];
    for (int r = 0; r < 2; r++)
      for (int half = 0; half < 2; half++) {
        long k = (i + r) * h->padded + j * side + 16 * half;
        __mmask16 visible = bits[r * h->blocks + j] >> 16 * half;
        p[r][half] = _mm512_maskz_mul_ps(visible, _mm512_maskz_load_ps(visible, w->scores + k), _mm512_set1_ps(t->inverse[r]));
        __m512 dp = _mm512_sub_ps(_mm512_maskz_load_ps(visible, w->products + k), _mm512_set1_ps(t->shift[r]));
        ds[r][half] = _mm512_maskz_mul_ps(visible, p[r][half], dp);
      }
    for (int r = 0; r < 2; r++) put_left(h->in.kind, w->scores_adjoint + j * h->step, i + r, ds[r][0], ds[r][1]);
    long step = (j * stretch + at) * h->step;
    put_right(h->in.kind, w->by_key_weights + step, i, p[0], p[1]);
    put_right(h->in.kind, w->by_key_scores + step, i, ds[0], ds[1]);
  }
}

// attend does a block of queries, the one so many blocks behind the beginning of its stretch.
static void attend(const gradient *g, const work *w, long row, long head, long block, long at) {
  const heads *h = &g->heads;
  long group = head / (h->in.heads / h->in.groups), strip = h->columns * h->step, blocks = block + 1;
  const uint32_t *bits = h->bits + (row * h->padded + block * side) * h->blocks;
  const uint8_t *seen = h->seen + (row * h->blocks + block) * h->blocks;
  matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, block * side, side, false);
  matrix dy = heads_matrix(h, g->dy, h->in.heads, row, head, block * side, side, false);
  pack_strip(h->in.kind, &q, false, 0, w->query);
  pack_strip(h->in.kind, &dy, false, 0, w->adjoint);
  const char *k = heads_strips(h, keys, row, group), *v = heads_strips(h, values, row, group);
  for (long j = 0; j < blocks; j++) {
    if (!seen[j]) continue;
    multiply_strips(h->in.kind, w->query, k + j * strip, h->in.width, w->scores + j * side, h->padded, false);
    multiply_strips(h->in.kind, w->adjoint, v + j * strip, h->in.width, w->products + j * side, h->padded, false);
  }
  float scale[side];
  for (long i = 0; i < side; i += 2, bits += 2 * h->blocks) {
    pair_sums t;
    for (int r = 0; r < 2; r++) {
      long from = (i + r) * h->padded;
      exponentials(h, w->scores + from, w->products + from, bits + r * h->blocks, seen, blocks, &t, r);
      scale[i + r] = h->scale;
    }
    differentiate(h, w, bits, h->blocks, i, at, &t);
  }
  const char *columns = heads_strips(h, key_columns, row, group);
  for (long c = 0; c < h->columns; c++)
    heads_multiply(h, w->scores_adjoint, columns + c * h->blocks * h->step, seen, blocks, w->mixed + c * side, h->in.width);
  heads_write(h, w->mixed, scale, g->dq, row, block, head);
}

// look notes which blocks of keys any query of a stretch sees.
static void look(const heads *h, const work *w, long row, long from, long to) {
  memset(w->seen, 0, h->blocks);
  for (long i = from; i < to; i++)
    for (long j = 0; j < h->blocks; j++) w->seen[j] |= h->seen[(row * h->blocks + i) * h->blocks + j];
}

// add adds the products of a stretch to the sums for dk and dv.
static void add(const heads *h, const work *w, long row, long head, long queries) {
  for (long j = 0; j < h->blocks; j++) {
    if (!w->seen[j]) continue;
    for (long c = 0; c < h->columns; c++) {
      long at = c * side * h->padded + j * side;
      multiply_strips(h->in.kind, w->query_columns + c * stretch * h->step, w->by_key_scores + j * stretch * h->step, queries, sums(h, false, row, head) + at,
                      h->padded, true);
      multiply_strips(h->in.kind, w->adjoint_columns + c * stretch * h->step, w->by_key_weights + j * stretch * h->step, queries,
                      sums(h, true, row, head) + at, h->padded, true);
    }
  }
}

static void do_head(const gradient *g, long row, long head, char *own) {
  const heads *h = &g->heads;
  work w;
  divide(h, own, &w);
  memset(sums(h, false, row, head), 0, 2 * h->in.width * h->padded * sizeof(float));
  for (long from = 0; from < h->blocks; from += stretch) {
    long to = from + stretch < h->blocks ? from + stretch : h->blocks, queries = (to - from) * side;
    matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, from * side, queries, true);
    matrix dy = heads_matrix(h, g->dy, h->in.heads, row, head, from * side, queries, true);
    for (long c = 0; c < h->columns; c++) {
      pack_strip(h->in.kind, &q, false, c * side, w.query_columns + c * stretch * h->step);
      pack_strip(h->in.kind, &dy, false, c * side, w.adjoint_columns + c * stretch * h->step);
    }
    look(h, &w, row, from, to);
    for (long block = from; block < to; block++) attend(g, &w, row, head, block, block - from);
    add(h, &w, row, head, queries);
  }
}

// collect adds the sums of a group's heads for a block of keys, rounded and turned into [keys, width].
WIDE static void collect(const heads *h, bool of_values, void *to, long row, long group, long block, float scale) {
  long each = h->in.heads / h->in.groups, from = block * side;
  for (long k = from; k < from + side && k < h->in.length; k += 16)
    for (long c = 0; c < h->in.width; c += 16) {
      __m512i turned[16];
      for (int i = 0; i < 16; i++) {
        __m512 sum = _mm512_setzero_ps();
        for (long n = 0; n < each; n++)
          sum = _mm512_add_ps(sum, _mm512_load_ps(sums(h, of_values, row, group * each + n) + (c + i) * h->padded + k));
        turned[i] = _mm512_castps_si512(_mm512_mul_ps(sum, _mm512_set1_ps(scale)));
      }
      transpose(turned);
      for (int i = 0; i < 16 && k + i < h->in.length; i++) {
        long at = ((row * h->in.length + k + i) * h->in.groups + group) * h->in.width + c;
        put(h->in.kind, to, at, _mm512_castsi512_ps(turned[i]));
      }
    }
}

static void run(job *j, long phase, long task, int worker) {
  const gradient *g = (gradient *)j;
  const heads *h = &g->heads;
  switch (phase) {
  case preparing: heads_prepare(h, task); break;
  case attending: do_head(g, task / h->in.heads, task % h->in.heads, h->own + worker * h->each); break;
  case adding: {
    long each = h->in.groups * h->blocks, row = task / each, group = task % each / h->blocks, block = task % h->blocks;
    collect(h, false, g->dk, row, group, block, h->scale);
    collect(h, true, g->dv, row, group, block, 1);
  }
  }
}

#endif
