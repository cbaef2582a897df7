//go:build cgo && linux

#include "attention.h"

#ifdef HAVE_KERNELS

#include <stdlib.h>
#include <string.h>

#include "softmax.h"

// With P = softmax(S) and S = scale q k^T, the gradients are
//
//	dv = P^T dy,  dP = dy v^T,  dS = P (dP - sum over keys of P dP),  dq = scale dS k,  dk = scale dS^T q.
//
// A task takes one head and goes through its queries in stretches of a few blocks. For each block it computes P and
// dS again, and dq. At the end of a stretch, whose P and dS fit into the processor's caches, it adds their products
// to the head's sums of dk and dv, which are transposed: [width, keys]. The last phase adds the sums of all heads
// of a KV head.
enum { ATTEND = 1, REDUCE = 2 };
enum { KEYS, KEYS_TRANSPOSED, VALUES };
enum { STRETCH_BLOCKS = 4 };

typedef struct {
  heads heads;
  const void *dy;
  void *dq, *dk, *dv;
} gradient;

// buffers are the memory of a worker. A panel of BLOCK terms, or of a stretch, has queries as its depth.
typedef struct {
  char *q, *dy;                       // panels of a block of queries, with the width as depth
  char *q_transposed, *dy_transposed; // [width_blocks] panels of a stretch
  float *scores;                      // [BLOCK, padded_length]: S, then e^S
  float *dp;                          // [BLOCK, padded_length]
  char *ds;                           // panel of dS of a block of queries, with the keys as depth
  char *ds_transposed, *p_transposed; // [blocks] panels of a stretch: dS and P
  float *output;                      // [BLOCK, width]
  uint8_t *visible;                   // [blocks]: whether any query of the stretch sees a block of keys
} buffers;

static void run(job *j, long phase, long task, int worker);

// reserve returns the next bytes of memory, or NULL if memory is NULL, and adds them to used.
static void *reserve(char *memory, size_t *used, size_t bytes) {
  char *at = memory == NULL ? NULL : memory + *used;
  *used += bytes;
  return at;
}

// divide_memory assigns a worker's memory to its buffers and returns the size of all of them. If memory is NULL it
// only computes the size.
static size_t divide_memory(const heads *h, char *memory, buffers *b) {
  size_t panel = h->width_blocks * h->step, stretch = STRETCH_BLOCKS * h->step, used = 0;
  size_t scores = BLOCK * h->padded_length * sizeof(float);
  b->q = reserve(memory, &used, panel);
  b->dy = reserve(memory, &used, panel);
  b->q_transposed = reserve(memory, &used, h->width_blocks * stretch);
  b->dy_transposed = reserve(memory, &used, h->width_blocks * stretch);
  b->scores = reserve(memory, &used, scores);
  b->dp = reserve(memory, &used, scores);
  b->ds = reserve(memory, &used, h->blocks * h->step);
  b->ds_transposed = reserve(memory, &used, h->blocks * stretch);
  b->p_transposed = reserve(memory, &used, h->blocks * stretch);
  b->output = reserve(memory, &used, BLOCK * h->in.width * sizeof(float));
  b->visible = reserve(memory, &used, h->blocks);
  return used;
}

job *attention_gradient_new(attention_inputs in, const void *dy, void *dq, void *dk, void *dv, int threads) {
  gradient *g = calloc(1, sizeof *g);
  if (g == NULL) return NULL;
  heads *h = &g->heads;
  heads_init(h, in);
  g->dy = dy, g->dq = dq, g->dk = dk, g->dv = dv;
  h->panel_set_count = 3;
  h->panel_sets[KEYS] = (panel_set){.source = in.k};
  h->panel_sets[KEYS_TRANSPOSED] = (panel_set){.source = in.k, .transposed = true};
  h->panel_sets[VALUES] = (panel_set){.source = in.v};
  h->job.tasks[ATTEND] = in.rows * in.heads;
  h->job.tasks[REDUCE] = in.rows * in.kv_heads * h->blocks;
  h->job.run = run;
  buffers b;
  size_t sums = 2 * in.rows * in.heads * in.width * h->padded_length * sizeof(float);
  return heads_begin(h, threads, sums, divide_memory(h, NULL, &b)) ? &h->job : NULL;
}

// head_sums returns the sums of dv or dk of one head, [width, padded_length].
static float *head_sums(const heads *h, bool of_dv, long row, long head) {
  return (float *)h->shared_memory + ((row * h->in.heads + head) * 2 + of_dv) * h->in.width * h->padded_length;
}

// softmax_sums belong to two queries: one over the sum of the exponentials, and the sum of P dP.
typedef struct {
  float inverse[2], p_dp[2];
} softmax_sums;

// exponentiate turns the scores of one query into exponentials, and sets the sums of query number i of the two.
WIDE static void exponentiate(const heads *h, float *scores, const float *dp, const uint32_t *mask,
                              const uint8_t *visible, long blocks, softmax_sums *s, int i) {
  float max = max_score(scores, mask, visible, blocks);
  __m512 sum = _mm512_setzero_ps(), dot = _mm512_setzero_ps();
  for (long j = 0; j < blocks; j++) {
    if (!visible[j]) continue;
    for (long k = j * BLOCK; k < (j + 1) * BLOCK; k += 16) {
      __mmask16 seen = mask[j] >> (k - j * BLOCK);
      __m512 e = exp_scores(seen, scores + k, max, h->scale);
      sum = _mm512_add_ps(sum, e);
      dot = _mm512_fmadd_ps(e, _mm512_maskz_load_ps(seen, dp + k), dot);
      _mm512_store_ps(scores + k, e);
    }
  }
  float total = _mm512_reduce_add_ps(sum);
  s->inverse[i] = total > 0 ? 1 / total : 0;
  s->p_dp[i] = _mm512_reduce_add_ps(dot) * s->inverse[i];
}

// differentiate computes P and dS of queries i and i + 1 of a block from their exponentials and dP, and stores them
// in the worker's panels: zeros for keys that other queries of the stretch see. block is the block's number in its
// stretch.
WIDE static void differentiate(const heads *h, const buffers *b, const uint32_t *mask, long i, long block,
                               const softmax_sums *s) {
  format f = h->in.format;
  for (long j = 0; j < h->blocks; j++) {
    if (!b->visible[j]) continue;
    __m512 p[2][2], ds[2][2]; // [query][half of the block of keys]
    for (int r = 0; r < 2; r++)
      for (int half = 0; half < 2; half++) {
        long k = (i + r) * h->padded_length + j * BLOCK + 16 * half;
        __mmask16 seen = mask[r * h->blocks + j] >> 16 * half;
        __m512 e = _mm512_maskz_load_ps(seen, b->scores + k), dp = _mm512_maskz_load_ps(seen, b->dp + k);
        p[r][half] = _mm512_maskz_mul_ps(seen, e, _mm512_set1_ps(s->inverse[r]));
        ds[r][half] = _mm512_maskz_mul_ps(seen, p[r][half], _mm512_sub_ps(dp, _mm512_set1_ps(s->p_dp[r])));
      }
    for (int r = 0; r < 2; r++) store_left(f, b->ds + j * h->step, i + r, ds[r][0], ds[r][1]);
    long step = (j * STRETCH_BLOCKS + block) * h->step;
    store_right(f, b->p_transposed + step, i, p[0], p[1]);
    store_right(f, b->ds_transposed + step, i, ds[0], ds[1]);
  }
}

// attend computes P, dS and dq of a block of queries.
static void attend(const gradient *g, const buffers *b, long row, long head, long block, long first_block) {
  const heads *h = &g->heads;
  format f = h->in.format;
  long kv_head = head / (h->in.heads / h->in.kv_heads), panel = h->width_blocks * h->step, blocks = block + 1;
  const uint32_t *mask = h->mask_bits + (row * h->padded_length + block * BLOCK) * h->blocks;
  const uint8_t *visible = h->visible + (row * h->blocks + block) * h->blocks;
  matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, block * BLOCK, BLOCK, false);
  matrix dy = heads_matrix(h, g->dy, h->in.heads, row, head, block * BLOCK, BLOCK, false);
  pack_panel(f, &q, false, 0, b->q);
  pack_panel(f, &dy, false, 0, b->dy);
  const char *k = heads_panels(h, KEYS, row, kv_head), *v = heads_panels(h, VALUES, row, kv_head);
  for (long j = 0; j < blocks; j++) {
    if (!visible[j]) continue;
    multiply_panels(f, b->q, k + j * panel, h->in.width, b->scores + j * BLOCK, h->padded_length, false);
    multiply_panels(f, b->dy, v + j * panel, h->in.width, b->dp + j * BLOCK, h->padded_length, false);
  }
  float scales[BLOCK];
  for (long i = 0; i < BLOCK; i += 2, mask += 2 * h->blocks) {
    softmax_sums s;
    for (int r = 0; r < 2; r++) {
      long from = (i + r) * h->padded_length;
      exponentiate(h, b->scores + from, b->dp + from, mask + r * h->blocks, visible, blocks, &s, r);
      scales[i + r] = h->scale;
    }
    differentiate(h, b, mask, i, block - first_block, &s);
  }
  const char *keys = heads_panels(h, KEYS_TRANSPOSED, row, kv_head);
  for (long c = 0; c < h->width_blocks; c++) {
    const char *columns = keys + c * h->blocks * h->step;
    heads_multiply(h, b->ds, columns, visible, blocks, b->output + c * BLOCK, h->in.width);
  }
  heads_store(h, b->output, scales, g->dq, row, block, head);
}

// find_visible sets which blocks of keys any query of the blocks from first to end sees.
static void find_visible(const heads *h, const buffers *b, long row, long first, long end) {
  memset(b->visible, 0, h->blocks);
  for (long i = first; i < end; i++)
    for (long j = 0; j < h->blocks; j++) b->visible[j] |= h->visible[(row * h->blocks + i) * h->blocks + j];
}

// add_stretch adds the products of a stretch to the head's sums of dk and dv.
static void add_stretch(const heads *h, const buffers *b, long row, long head, long queries) {
  float *dk = head_sums(h, false, row, head), *dv = head_sums(h, true, row, head);
  long stretch = STRETCH_BLOCKS * h->step;
  for (long j = 0; j < h->blocks; j++) {
    if (!b->visible[j]) continue;
    for (long c = 0; c < h->width_blocks; c++) {
      long at = c * BLOCK * h->padded_length + j * BLOCK;
      multiply_panels(h->in.format, b->q_transposed + c * stretch, b->ds_transposed + j * stretch, queries, dk + at,
                      h->padded_length, true);
      multiply_panels(h->in.format, b->dy_transposed + c * stretch, b->p_transposed + j * stretch, queries, dv + at,
                      h->padded_length, true);
    }
  }
}

// differentiate_head computes dq of a head and its sums of dk and dv.
static void differentiate_head(const gradient *g, long row, long head, char *memory) {
  const heads *h = &g->heads;
  buffers b;
  divide_memory(h, memory, &b);
  memset(head_sums(h, false, row, head), 0, 2 * h->in.width * h->padded_length * sizeof(float));
  for (long first = 0; first < h->blocks; first += STRETCH_BLOCKS) {
    long end = first + STRETCH_BLOCKS < h->blocks ? first + STRETCH_BLOCKS : h->blocks, queries = (end - first) * BLOCK;
    matrix q = heads_matrix(h, h->in.q, h->in.heads, row, head, first * BLOCK, queries, true);
    matrix dy = heads_matrix(h, g->dy, h->in.heads, row, head, first * BLOCK, queries, true);
    for (long c = 0; c < h->width_blocks; c++) {
      long panel = c * STRETCH_BLOCKS * h->step;
      pack_panel(h->in.format, &q, false, c * BLOCK, b.q_transposed + panel);
      pack_panel(h->in.format, &dy, false, c * BLOCK, b.dy_transposed + panel);
    }
    find_visible(h, &b, row, first, end);
    for (long block = first; block < end; block++) attend(g, &b, row, head, block, first);
    add_stretch(h, &b, row, head, queries);
  }
}

// reduce adds the sums of the heads of a KV head for a block of keys and stores them, scaled and transposed.
WIDE static void reduce(const heads *h, bool of_dv, void *to, long row, long kv_head, long block, float scale) {
  long group = h->in.heads / h->in.kv_heads, first = block * BLOCK;
  for (long k = first; k < first + BLOCK && k < h->in.length; k += 16)
    for (long c = 0; c < h->in.width; c += 16) {
      __m512i square[16];
      for (int i = 0; i < 16; i++) {
        __m512 sum = _mm512_setzero_ps();
        for (long n = 0; n < group; n++) {
          const float *sums = head_sums(h, of_dv, row, kv_head * group + n);
          sum = _mm512_add_ps(sum, _mm512_load_ps(sums + (c + i) * h->padded_length + k));
        }
        square[i] = _mm512_castps_si512(_mm512_mul_ps(sum, _mm512_set1_ps(scale)));
      }
      transpose(square);
      for (int i = 0; i < 16 && k + i < h->in.length; i++) {
        long at = ((row * h->in.length + k + i) * h->in.kv_heads + kv_head) * h->in.width + c;
        store16(h->in.format, to, at, _mm512_castsi512_ps(square[i]));
      }
    }
}

static void run(job *j, long phase, long task, int worker) {
  const gradient *g = (gradient *)j;
  const heads *h = &g->heads;
  switch (phase) {
  case PREPARE:
    heads_prepare(h, task);
    break;
  case ATTEND: {
    char *memory = h->worker_memory + worker * h->worker_bytes;
    differentiate_head(g, task / h->in.heads, task % h->in.heads, memory);
    break;
  }
  case REDUCE: {
    long tasks = h->in.kv_heads * h->blocks, row = task / tasks;
    long kv_head = task % tasks / h->blocks, block = task % h->blocks;
    reduce(h, false, g->dk, row, kv_head, block, h->scale);
    reduce(h, true, g->dv, row, kv_head, block, 1);
    break;
  }
  }
}

#endif
