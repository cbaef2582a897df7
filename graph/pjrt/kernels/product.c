//go:build cgo && linux

#include "product.h"

#ifdef HAVE_KERNELS

#include <stdlib.h>

// The matrix with fewer rows, the shared one, is packed once by all threads. The other one is split into groups of
// blocks; a task packs its group for itself and multiplies it with a part of the shared matrix.
//
// A long depth is divided so that caches hold what is used again. A piece of the depth is short enough that a
// task's group stays in the second-level cache. A round is some pieces: the shared matrix is packed for one round
// at a time, which stays in the second-level caches of all threads.
enum { PACK, MULTIPLY };
enum { GROUP_BLOCKS = 2, TASKS_PER_THREAD = 4, BLOCK_ELEMENTS = BLOCK * BLOCK };
enum { PIECE_BYTES = 1 << 17, ROUND_BYTES_PER_THREAD = 1 << 19, PREFETCH_BYTES = 1 << 23 };
// Pieces are multiples of STEPS_AT_ONCE in f32.c and avx2.c, so that pieces do not change results.
enum { PIECE_MULTIPLE = 4 * BLOCK };

typedef struct {
  job job;
  long batch;
  matrix left, right;
  format format;
  void *out;
  bool to_bf16;
  const matrix *shared, *split; // left and right in either order
  long groups, parts;           // of the split and of the shared matrix
  long piece, round;            // terms of depth
  size_t shared_bytes, sum_bytes, worker_bytes;
} product;

static long blocks(const matrix *m) { return (m->rows + BLOCK - 1) / BLOCK; }
static long divide_up(long n, long by) { return (n + by - 1) / by; }
static long min(long a, long b) { return a < b ? a : b; }

static void run(job *j, long phase, long task, int worker);

// plan_depth sets pieces and rounds and the memory for panels and sums. Between pieces the worker keeps the sums of
// its group; between rounds the job keeps the sums of all blocks.
static void plan_depth(product *p, int threads) {
  long depth = p->left.depth, panel = panel_bytes(p->format, depth);
  long shared_blocks = blocks(p->shared), shared_panels = p->batch * shared_blocks;
  p->piece = divide_up(divide_up(depth, divide_up(panel, PIECE_BYTES)), PIECE_MULTIPLE) * PIECE_MULTIPLE;
  long pieces = divide_up(depth, p->piece), sums = shared_panels * blocks(p->split) * BLOCK_ELEMENTS * sizeof(float);
  long rounds = min(pieces, divide_up(shared_panels * panel, threads * (long)ROUND_BYTES_PER_THREAD));
  if (sums + shared_panels * panel / rounds > shared_panels * panel) rounds = 1; // sums would take more than they save
  p->round = divide_up(pieces, rounds) * p->piece;
  bool many_pieces = p->piece < depth, many_rounds = p->round < depth;
  long worker_sums = many_rounds ? 0 : many_pieces ? GROUP_BLOCKS * shared_blocks : 1;
  p->shared_bytes = shared_panels * panel_bytes(p->format, min(p->round, depth));
  p->sum_bytes = many_rounds ? sums : 0;
  p->worker_bytes = GROUP_BLOCKS * panel_bytes(p->format, min(p->piece, depth)) +
                    worker_sums * BLOCK_ELEMENTS * sizeof(float);
  p->job.rounds = divide_up(depth, p->round);
}

job *product_new(long batch, matrix left, matrix right, format f, void *out, bool to_bf16, int threads) {
  if (batch * left.rows * right.rows * left.depth == 0) return NULL;
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->batch = batch, p->left = left, p->right = right, p->format = f, p->out = out, p->to_bf16 = to_bf16;
  bool share_left = left.rows <= right.rows;
  p->shared = share_left ? &p->left : &p->right, p->split = share_left ? &p->right : &p->left;
  p->groups = divide_up(blocks(p->split), GROUP_BLOCKS);
  p->parts = min(divide_up(TASKS_PER_THREAD * threads, batch * p->groups), blocks(p->shared));
  plan_depth(p, threads);
  p->job.tasks[PACK] = batch * blocks(p->shared);
  p->job.tasks[MULTIPLY] = batch * p->groups * p->parts;
  p->job.run = run;
  return job_init(&p->job, threads, p->shared_bytes + p->sum_bytes, p->worker_bytes) ? &p->job : NULL;
}

// pack packs some terms of a block of one of the matrices.
static void pack(const product *p, const matrix *m, long number, long block, long term, long terms, char *to) {
  matrix part = *m;
  long offset = number * m->rows * m->depth + term * (m->transposed ? m->stride : 1);
  part.data = (const char *)m->data + offset * element_bytes(p->format);
  part.depth = terms;
  pack_panel(p->format, &part, m == &p->right, block * BLOCK, to);
}

// store stores a block of the result.
static void store(const product *p, long number, long left_block, long right_block, const float *sums) {
  long row = left_block * BLOCK, column = right_block * BLOCK, width = p->right.rows;
  long rows = min(p->left.rows - row, BLOCK), columns = min(width - column, BLOCK);
  store_block(sums, rows, columns, p->out, (number * p->left.rows + row) * width + column, width, p->to_bf16);
}

// block_sums returns the memory for the sums of a block of the result.
static float *block_sums(const product *p, long number, long split_block, long shared_block, char *worker_memory) {
  long shared_blocks = blocks(p->shared);
  if (p->sum_bytes > 0) {
    long block = (number * blocks(p->split) + split_block) * shared_blocks + shared_block;
    return (float *)(job_memory(&p->job) + p->shared_bytes) + block * BLOCK_ELEMENTS;
  }
  float *end = (float *)(worker_memory + p->worker_bytes);
  if (p->piece >= p->left.depth) return end - BLOCK_ELEMENTS;
  return end - ((split_block % GROUP_BLOCKS + 1) * shared_blocks - shared_block) * BLOCK_ELEMENTS;
}

// multiply multiplies a group of the split matrix with a part of the shared matrix, for the piece of the depth at
// term of the round at round_term.
static void multiply(const product *p, long number, long group, long part, long term, long round_term,
                     char *worker_memory) {
  long depth = p->left.depth, terms = min(p->piece, depth - term), shared_blocks = blocks(p->shared);
  long first = group * GROUP_BLOCKS, end = min(first + GROUP_BLOCKS, blocks(p->split));
  long split_panel = panel_bytes(p->format, terms);
  long shared_panel = panel_bytes(p->format, min(p->round, depth - round_term));
  for (long i = first; i < end; i++)
    pack(p, p->split, number, i, term, terms, worker_memory + (i - first) * split_panel);
  for (long j = shared_blocks * part / p->parts; j < shared_blocks * (part + 1) / p->parts; j++)
    for (long i = first; i < end; i++) {
      const char *split = worker_memory + (i - first) * split_panel;
      const char *shared = job_memory(&p->job) + (number * shared_blocks + j) * shared_panel +
                           panel_bytes(p->format, term - round_term);
      bool split_right = p->split == &p->right;
      float *sums = block_sums(p, number, i, j, worker_memory);
      multiply_panels(p->format, split_right ? shared : split, split_right ? split : shared, terms, sums, BLOCK,
                      term > 0);
      if (term + terms == depth) store(p, number, split_right ? j : i, split_right ? i : j, sums);
    }
}

// prefetch reads a part of the round's terms of the split matrix if it is transposed. Tasks will read narrow
// columns of it; memory delivers whole rows several times as fast, and the caches keep them until then.
static void prefetch(const product *p, long number, long term, long terms, long part, long parts) {
  const matrix *m = p->split;
  long row = m->stride * element_bytes(p->format);
  long from = (term + terms * part / parts) * row, to = (term + terms * (part + 1) / parts) * row;
  if (!m->transposed || terms * row > PREFETCH_BYTES) return;
  const char *data = (const char *)m->data + number * m->rows * m->depth * element_bytes(p->format);
  for (long i = from; i < to; i += 64) (void)*(const volatile char *)(data + i);
}

static void run(job *j, long phase, long task, int worker) {
  const product *p = (product *)j;
  long shared_blocks = blocks(p->shared), round_term = phase / MAX_PHASES * p->round;
  long terms = min(p->round, p->left.depth - round_term);
  if (phase % MAX_PHASES == PACK) {
    long number = task / shared_blocks, block = task % shared_blocks;
    prefetch(p, number, round_term, terms, block, shared_blocks);
    char *to = job_memory(j) + task * panel_bytes(p->format, terms);
    pack(p, p->shared, number, block, round_term, terms, to);
    return;
  }
  char *worker_memory = job_memory(j) + p->shared_bytes + p->sum_bytes + worker * p->worker_bytes;
  long part = task % p->parts, group = task / p->parts % p->groups, number = task / p->parts / p->groups;
  for (long term = round_term; term < round_term + terms; term += p->piece)
    multiply(p, number, group, part, term, round_term, worker_memory);
}

#endif
