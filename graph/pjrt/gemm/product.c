//go:build cgo && linux

#include "product.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "tiles.h"

#ifdef X86_TILES

#include <sched.h>

// The matrix with fewer rows, or each of them, is brought into tiles once, by all threads. The other one is cut into groups of blocks, each of which a task brings
// into tiles for itself and multiplies with a part of the first.
enum { group = 2, tasks_per_thread = 4, spins = 1 << 12 };

struct product {
  long number;
  matrix left, right;
  number_type type;
  void *out;
  bool rounded;
  long strip; // bytes of one
  const matrix *whole, *cut;
  int threads;
  long groups, parts, tasks; // groups of the one that is cut, parts of the whole one, and all of all matrices
  atomic_long packing, packed, task, done;
  atomic_int workers;
  struct memory *memory;
};

// memory is what tiles lie in: those of the whole matrix, then those of each worker's group.
struct memory {
  size_t size;
  char tiles[] __attribute__((aligned(64)));
};

// kept is the memory of a product that is done, for the next one: taking it from the system anew costs more than to fill it.
static struct memory *_Atomic kept;

static struct memory *take(size_t size) {
  struct memory *m = atomic_exchange(&kept, NULL);
  if (m != NULL && m->size >= size) return m;
  free(m);
  size_t all = (sizeof *m + size + 63) / 64 * 64;
  if ((m = aligned_alloc(64, all)) != NULL) m->size = size;
  return m;
}

// give keeps the larger of two blocks.
static void give(struct memory *m) {
  struct memory *other = atomic_exchange(&kept, m);
  if (other != NULL && other->size > m->size) other = atomic_exchange(&kept, other);
  free(other);
}

static long blocks(const matrix *m) { return (m->rows + side - 1) / side; }

product *product_new(long number, matrix left, matrix right, number_type type, void *out, number_type out_type, int threads) {
  if (number * left.rows * right.rows * left.depth == 0) return NULL; // XLA does not ask for it
  product *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->number = number, p->left = left, p->right = right, p->type = type, p->out = out, p->rounded = out_type != type_f32;
  p->strip = strip_bytes(type, left.depth);
  bool whole_left = left.rows <= right.rows;
  p->whole = whole_left ? &p->left : &p->right, p->cut = whole_left ? &p->right : &p->left;
  p->groups = (blocks(p->cut) + group - 1) / group;
  p->parts = (tasks_per_thread * threads + number * p->groups - 1) / (number * p->groups); // enough tasks for threads of unlike speed
  if (p->parts > blocks(p->whole)) p->parts = blocks(p->whole);
  p->tasks = number * p->groups * p->parts;
  p->threads = threads < p->tasks ? threads : p->tasks;
  p->memory = take((number * blocks(p->whole) + p->threads * group) * p->strip);
  if (p->memory == NULL) {
    free(p);
    return NULL;
  }
  return p;
}

int product_threads(const product *p) { return p->threads; }
void product_free(product *p) { free(p); }

static long type_bytes(number_type type) { return type == type_f32 ? 4 : 2; }

// pack makes a strip of a block of one of the matrices.
static void pack(const product *p, const matrix *m, long number, long block, char *to) {
  matrix one = *m;
  one.data = (const char *)m->data + number * m->rows * m->depth * type_bytes(p->type);
  pack_strip(p->type, &one, m == &p->right, block * side, to);
}

// multiply computes a block of the result, of strips.
static void multiply(const product *p, long number, long left, const char *a, long right, const char *b) {
  long row = left * side, column = right * side, width = p->right.rows, at = (number * p->left.rows + row) * width + column;
  long rows = p->left.rows - row, columns = width - column;
  if (!p->rounded && rows >= side && columns >= side) {
    multiply_strips(p->type, a, b, p->left.depth, (float *)p->out + at, width);
    return;
  }
  float local[side * side] __attribute__((aligned(64)));
  multiply_strips(p->type, a, b, p->left.depth, local, side);
  copy_block(local, rows < side ? rows : side, columns < side ? columns : side, p->out, at, width, p->rounded);
}

// run does one task.
static void run(const product *p, long task, char *scratch) {
  long number = task / (p->groups * p->parts), part = task % p->parts, all = blocks(p->whole);
  long from = task / p->parts % p->groups * group, to = from + group < blocks(p->cut) ? from + group : blocks(p->cut);
  for (long i = from; i < to; i++) pack(p, p->cut, number, i, scratch + (i - from) * p->strip);
  for (long j = all * part / p->parts; j < all * (part + 1) / p->parts; j++)
    for (long i = from; i < to; i++) {
      const char *cut = scratch + (i - from) * p->strip, *whole = p->memory->tiles + (number * all + j) * p->strip;
      if (p->cut == &p->right) multiply(p, number, j, whole, i, cut);
      else multiply(p, number, i, cut, j, whole);
    }
}

static void await(atomic_long *count, long n) {
  for (int i = 0; atomic_load(count) < n; i++)
    if (i < spins) __builtin_ia32_pause();
    else sched_yield();
}

void product_work(product *p) {
  int worker = atomic_fetch_add(&p->workers, 1);
  if (atomic_load(&p->task) >= p->tasks) return;
  begin_tiles();
  long each = blocks(p->whole), all = p->number * each;
  for (long i; (i = atomic_fetch_add(&p->packing, 1)) < all; atomic_fetch_add(&p->packed, 1))
    pack(p, p->whole, i / each, i % each, p->memory->tiles + i * p->strip);
  await(&p->packed, all);
  char *scratch = p->memory->tiles + (all + worker * group) * p->strip;
  for (long i; (i = atomic_fetch_add(&p->task, 1)) < p->tasks; atomic_fetch_add(&p->done, 1)) run(p, i, scratch);
  end_tiles();
}

void product_wait(product *p) {
  await(&p->done, p->tasks);
  give(p->memory); // threads that come late find no task, and touch none of it
}

#else

bool can_multiply(void) { return false; }
product *product_new(long number, matrix left, matrix right, number_type type, void *out, number_type out_type, int threads) { return NULL; }
int product_threads(const product *p) { return 0; }
void product_work(product *p) {}
void product_wait(product *p) {}
void product_free(product *p) {}

#endif
