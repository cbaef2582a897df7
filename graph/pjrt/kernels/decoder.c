//go:build cgo && linux

#include "decoder.h"

#ifdef HAVE_KERNELS

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "softmax.h"

// The phases of a layer: qkv projection of one head, attention of one head of a row, and, for some columns each,
// output projection, gate and up projection, down projection.
enum { QKV, ATTEND, OUT_PROJECTION, GATE_UP, DOWN_PROJECTION };

// A task that computes columns reads up to TASK_BYTES of weights: memory is slow at the beginning of each task. It
// computes COLUMNS at a time.
enum { TASK_BYTES = 1 << 19, COLUMNS = 16 };

// buffers are the memory of a worker.
typedef struct {
  long norm_phase; // the phase for which normed has been computed
  char *normed;    // [all tokens, width]
  float *sums;     // [all tokens, head_width], two of [all tokens, COLUMNS], or scores [tokens, cache_length]
  char *weights;   // exponentials of scores
} buffers;

typedef struct {
  job job;
  decoder_inputs in;
  long all_tokens, size; // tokens of all rows; bytes of an element
  long pool_threads;
  char *queries;   // [rows, heads, tokens, head_width]
  char *attended;  // [all tokens, heads, head_width]: the attention output
  float *residual; // [all tokens, width]: x plus the projected attention output
  char *gated;     // [all tokens, mlp_width]
  buffers buffers[];
} decoder;

static void run(job *j, long phase, long task, int worker);

static long align_to_line(long bytes) { return (bytes + 63) / 64 * 64; }
static long divide_up(long n, long by) { return (n + by - 1) / by; }
static long min(long a, long b) { return a < b ? a : b; }
static format element_format(bool bf16) { return bf16 ? BF16 : F32; }

// task_columns returns how many of all columns a task computes that reads depth weights for each. Threads get
// equally many tasks, as far as COLUMNS allows.
static long task_columns(const decoder *p, long all, long depth) {
  long tasks = p->pool_threads * divide_up(all * depth * p->size, p->pool_threads * TASK_BYTES);
  return divide_up(divide_up(all, tasks), COLUMNS) * COLUMNS;
}

// memory_sizes are the bytes of the shared and of each worker's arrays.
typedef struct {
  long attended, residual, gated, normed, sums, weights;
} memory_sizes;

static memory_sizes sizes_of(const decoder *p) {
  const decoder_inputs *d = &p->in;
  long scores = d->tokens * (d->cache_length + COLUMNS);
  long head = p->all_tokens * (d->head_width > COLUMNS ? d->head_width + COLUMNS : 2 * COLUMNS);
  return (memory_sizes){
      .attended = align_to_line(p->all_tokens * d->heads * d->head_width * p->size),
      .residual = align_to_line(p->all_tokens * d->width * sizeof(float)),
      .gated = align_to_line(p->all_tokens * d->mlp_width * p->size),
      .normed = align_to_line(p->all_tokens * d->width * p->size),
      .sums = align_to_line((scores > head ? scores : head) * sizeof(float)),
      .weights = align_to_line(d->tokens * d->cache_length * p->size),
  };
}

// place assigns the job's memory to the arrays.
static void place(decoder *p, memory_sizes s) {
  char *at = job_memory(&p->job);
  p->queries = at, at += s.attended;
  p->attended = at, at += s.attended;
  p->residual = (float *)at, at += s.residual;
  p->gated = at, at += s.gated;
  for (int i = 0; i < p->job.threads; i++, at += s.normed + s.sums + s.weights)
    p->buffers[i] = (buffers){
        .norm_phase = -1, .normed = at, .sums = (float *)(at + s.normed), .weights = at + s.normed + s.sums};
}

job *decoder_new(decoder_inputs in, int threads) {
  decoder *p = calloc(1, sizeof *p + threads * sizeof(buffers));
  if (p == NULL) return NULL;
  p->in = in, p->all_tokens = in.rows * in.tokens, p->size = in.bf16 ? 2 : 4, p->pool_threads = threads;
  long *tasks = p->job.tasks;
  tasks[QKV] = in.heads + 2 * in.kv_heads;
  tasks[ATTEND] = in.rows * in.heads;
  tasks[OUT_PROJECTION] = divide_up(in.width, task_columns(p, in.width, in.heads * in.head_width));
  tasks[GATE_UP] = divide_up(in.mlp_width, task_columns(p, in.mlp_width, 2 * in.width));
  tasks[DOWN_PROJECTION] = divide_up(in.width, task_columns(p, in.width, in.mlp_width));
  p->job.rounds = in.layer_count, p->job.run = run;
  memory_sizes s = sizes_of(p);
  if (!job_init(&p->job, threads, 2 * s.attended + s.residual + s.gated, s.normed + s.sums + s.weights)) return NULL;
  place(p, s);
  return &p->job;
}

// round16 rounds 16 numbers to the elements.
WIDE static inline __m512 round16(bool bf16, __m512 x) {
  if (!bf16) return x;
  uint16_t rounded[16];
  store_bf16(rounded, 0xffff, x);
  return widen(_mm256_loadu_si256((__m256i *)rounded));
}

// load16 loads 16 elements.
WIDE static inline __m512 load16(bool bf16, const void *from, long at) {
  if (!bf16) return _mm512_loadu_ps((const float *)from + at);
  return widen(_mm256_loadu_si256((const __m256i *)((const uint16_t *)from + at)));
}

// rms_norm computes the norm of x [all tokens, width] for the tasks of a phase. Each worker computes it once.
WIDE static const char *rms_norm(const decoder *p, buffers *b, long phase, const float *x, const void *weights) {
  long width = p->in.width;
  for (long i = 0; i < p->all_tokens && b->norm_phase != phase; i++, x += width) {
    __m512 sum = _mm512_setzero_ps();
    for (long c = 0; c < width; c += 16) {
      __m512 v = _mm512_loadu_ps(x + c);
      sum = _mm512_fmadd_ps(v, v, sum);
    }
    __m512 scale = _mm512_set1_ps(1 / sqrtf(_mm512_reduce_add_ps(sum) / width + p->in.epsilon));
    for (long c = 0; c < width; c += 16) {
      __m512 normed = _mm512_mul_ps(_mm512_loadu_ps(x + c), scale);
      __m512 weighted = _mm512_mul_ps(normed, load16(p->in.bf16_norms, weights, c));
      store16(element_format(p->in.bf16), b->normed, i * width + c, weighted);
    }
  }
  b->norm_phase = phase;
  return b->normed;
}

// multiply_columns computes COLUMNS columns of left [all tokens, depth] times a weight matrix [out, depth].
static void multiply_columns(const decoder *p, const char *left, long depth, const void *weights, long column,
                             float *out, long stride) {
  matrix a = {.data = left, .rows = p->all_tokens, .depth = depth, .stride = depth};
  matrix b = {.data = weights, .depth = depth, .stride = depth};
  for (long c = 0; c < COLUMNS; c += QUAD) multiply_rows(p->in.bf16, &a, &b, column + c, out + c, stride);
}

static bool has_slot(const decoder_inputs *d, long token) {
  return d->slots[token] >= 0 && d->slots[token] < d->cache_length;
}

// apply_rope rotates a head [all tokens, head_width] and stores it in the keys of a layer, or in queries if keys is
// NULL.
WIDE static void apply_rope(const decoder *p, const float *x, long head, void *keys) {
  const decoder_inputs *d = &p->in;
  long half = d->head_width / 2;
  void *to = keys != NULL ? keys : p->queries;
  format f = element_format(d->bf16);
  for (long i = 0; i < p->all_tokens; i++, x += d->head_width) {
    long row = i / d->tokens, at = ((row * d->heads + head) * d->tokens + i % d->tokens) * d->head_width;
    if (keys != NULL) {
      if (!has_slot(d, i)) continue;
      at = ((row * d->kv_heads + head) * d->cache_length + d->slots[i]) * d->head_width;
    }
    for (long c = 0; c < half; c += 16) {
      __m512 cos = _mm512_loadu_ps(d->cos + i * half + c), sin = _mm512_loadu_ps(d->sin + i * half + c);
      __m512 a = _mm512_loadu_ps(x + c), b = _mm512_loadu_ps(x + half + c);
      store16(f, to, at + c, _mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin)));
      store16(f, to, at + half + c, _mm512_fmadd_ps(b, cos, _mm512_mul_ps(a, sin)));
    }
  }
}

// store_values stores a head [all tokens, head_width] of rounded numbers in the values of a layer.
static void store_values(const decoder *p, const float *x, long kv_head, void *values) {
  const decoder_inputs *d = &p->in;
  for (long i = 0; i < p->all_tokens; i++, x += d->head_width) {
    if (!has_slot(d, i)) continue;
    long at = (i / d->tokens * d->kv_heads + kv_head) * d->head_width * d->cache_length + d->slots[i];
    for (long c = 0; c < d->head_width; c++, at += d->cache_length)
      if (d->bf16) memcpy((uint16_t *)values + at, (const char *)(x + c) + 2, 2); // the lower half is zero
      else ((float *)values)[at] = x[c];
  }
}

// project_head computes one head of the queries, keys or values.
WIDE static void project_head(const decoder *p, buffers *b, long phase, const decoder_layer *l, long head) {
  const decoder_inputs *d = &p->in;
  const char *normed = rms_norm(p, b, phase, d->x, l->input_norm);
  long key_head = head - d->heads, value_head = key_head - d->kv_heads;
  bool is_value = value_head >= 0, is_key = !is_value && key_head >= 0;
  const void *weights = is_value ? l->v : is_key ? l->k : l->q;
  long number = is_value ? value_head : is_key ? key_head : head;
  for (long c = 0; c < d->head_width; c += COLUMNS)
    multiply_columns(p, normed, d->width, weights, number * d->head_width + c, b->sums + c, d->head_width);
  for (long i = 0; i < p->all_tokens * d->head_width; i += 16)
    _mm512_storeu_ps(b->sums + i, round16(d->bf16, _mm512_loadu_ps(b->sums + i)));
  if (is_value) store_values(p, b->sums, number, l->values);
  else apply_rope(p, b->sums, number, is_key ? l->keys : NULL);
}

// mask16 returns which of 16 positions a token sees.
WIDE static inline __mmask16 mask16(const uint8_t *mask) {
  return _mm_test_epi8_mask(_mm_loadu_si128((const __m128i *)mask), _mm_set1_epi8(-1));
}

// softmax turns the scores of a token for the first n positions into exponentials, and returns their sum.
WIDE static float softmax(const decoder *p, const float *scores, const uint8_t *mask, long n, char *weights) {
  __m512 max = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
  for (long t = 0; t < n; t += 16) max = _mm512_mask_max_ps(max, mask16(mask + t), max, _mm512_loadu_ps(scores + t));
  float highest = _mm512_reduce_max_ps(max), scale = 1 / sqrtf(p->in.head_width);
  for (long t = 0; t < n; t += 16) {
    __m512 e = exp_scores(mask16(mask + t), scores + t, highest, scale);
    sum = _mm512_add_ps(sum, e);
    store16(element_format(p->in.bf16), weights, t, e);
  }
  return _mm512_reduce_add_ps(sum);
}

// used_positions returns the number of positions of the cache up to the last one that a token of the row has taken.
static long used_positions(const decoder_inputs *d, long row) {
  long n = 0;
  for (long s = 0; s < d->tokens; s++) {
    long slot = d->slots[row * d->tokens + s];
    if (slot >= n) n = slot + 1;
  }
  return min(divide_up(n, 16) * 16, d->cache_length);
}

// attend computes the attention output of one head of a row.
WIDE static void attend(const decoder *p, buffers *b, const decoder_layer *l, long row, long head) {
  const decoder_inputs *d = &p->in;
  long kv_head = row * d->kv_heads + head / (d->heads / d->kv_heads), length = d->cache_length, width = d->head_width;
  long bytes = width * p->size, n = used_positions(d, row);
  float *output = b->sums + d->tokens * length, sum[d->tokens];
  const char *queries = p->queries + (row * d->heads + head) * d->tokens * bytes;
  matrix q = {.data = queries, .rows = d->tokens, .depth = width, .stride = width};
  matrix k = {.data = (char *)l->keys + kv_head * length * bytes, .rows = length, .depth = width, .stride = width};
  for (long t = 0; t < n; t += QUAD) multiply_rows(d->bf16, &q, &k, t, b->sums + t, length);
  for (long s = 0; s < d->tokens; s++) {
    const uint8_t *mask = d->mask + (row * d->tokens + s) * length;
    sum[s] = softmax(p, b->sums + s * length, mask, n, b->weights + s * length * p->size);
  }
  matrix w = {.data = b->weights, .rows = d->tokens, .depth = n, .stride = length};
  matrix v = {.data = (char *)l->values + kv_head * length * bytes, .rows = width, .depth = n, .stride = length};
  for (long c = 0; c < width; c += COLUMNS) {
    for (long i = 0; i < COLUMNS; i += QUAD) multiply_rows(d->bf16, &w, &v, c + i, output + i, COLUMNS);
    for (long s = 0; s < d->tokens; s++) {
      long at = ((row * d->tokens + s) * d->heads + head) * width + c;
      __m512 y = _mm512_div_ps(_mm512_loadu_ps(output + s * COLUMNS), _mm512_set1_ps(sum[s]));
      store16(element_format(d->bf16), p->attended, at, y);
    }
  }
}

// project_and_add computes some columns of out = x + left weights^T, [all tokens, width], for left [all tokens,
// depth].
WIDE static void project_and_add(const decoder *p, buffers *b, const char *left, long depth, const void *weights,
                                 long task, const float *x, float *out) {
  long width = p->in.width, n = task_columns(p, width, depth), end = min((task + 1) * n, width);
  for (long c = task * n; c < end; c += COLUMNS) {
    multiply_columns(p, left, depth, weights, c, b->sums, COLUMNS);
    for (long i = 0; i < p->all_tokens; i++) {
      __m512 sum = _mm512_add_ps(_mm512_loadu_ps(x + i * width + c), _mm512_loadu_ps(b->sums + i * COLUMNS));
      _mm512_storeu_ps(out + i * width + c, sum);
    }
  }
}

// silu returns x / (1 + e^-x).
WIDE static inline __m512 silu(__m512 x) {
  __m512 one = _mm512_set1_ps(1), e = exp16(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x))); // e^-|x|
  __m512 numerator = _mm512_mask_mov_ps(one, _mm512_movepi32_mask(_mm512_castps_si512(x)), e);      // e^x if x < 0
  return _mm512_div_ps(_mm512_mul_ps(x, numerator), _mm512_add_ps(one, e));
}

// gate_up computes some columns of silu(gate) * up.
WIDE static void gate_up(const decoder *p, buffers *b, long phase, const decoder_layer *l, long task) {
  const decoder_inputs *d = &p->in;
  const char *normed = rms_norm(p, b, phase, p->residual, l->post_norm);
  long n = task_columns(p, d->mlp_width, 2 * d->width), end = min((task + 1) * n, d->mlp_width);
  float *gates = b->sums, *ups = gates + p->all_tokens * COLUMNS;
  for (long c = task * n; c < end; c += COLUMNS) {
    multiply_columns(p, normed, d->width, l->gate, c, gates, COLUMNS);
    multiply_columns(p, normed, d->width, l->up, c, ups, COLUMNS);
    for (long i = 0; i < p->all_tokens; i++) {
      __m512 gate = round16(d->bf16, _mm512_loadu_ps(gates + i * COLUMNS));
      __m512 up = round16(d->bf16, _mm512_loadu_ps(ups + i * COLUMNS));
      store16(element_format(d->bf16), p->gated, i * d->mlp_width + c, _mm512_mul_ps(silu(gate), up));
    }
  }
}

static void run(job *j, long phase, long task, int worker) {
  decoder *p = (decoder *)j;
  const decoder_inputs *d = &p->in;
  const decoder_layer *l = d->layers + phase / MAX_PHASES;
  buffers *b = p->buffers + worker;
  if (phase % MAX_PHASES != ATTEND) task = job_contiguous_task(j, phase, task);
  switch (phase % MAX_PHASES) {
  case QKV:
    project_head(p, b, phase, l, task);
    break;
  case ATTEND:
    attend(p, b, l, task / d->heads, task % d->heads);
    break;
  case OUT_PROJECTION:
    project_and_add(p, b, p->attended, d->heads * d->head_width, l->o, task, d->x, p->residual);
    break;
  case GATE_UP:
    gate_up(p, b, phase, l, task);
    break;
  case DOWN_PROJECTION:
    project_and_add(p, b, p->gated, d->mlp_width, l->down, task, p->residual, d->x);
    break;
  }
}

#endif
