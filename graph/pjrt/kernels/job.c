//go:build cgo && linux

#include "job.h"

#include "strips.h"

#ifdef X86_TILES

#include <sched.h>
#include <stdlib.h>

enum { spins = 1 << 12 };

struct memory {
  size_t size;
  char bytes[] __attribute__((aligned(64)));
};

// kept is the memory of a job that is done, for the next one: taking it from the system anew costs more than to fill it. It is no part of the sizes
// that XLA tells of a program: of attention, the gradient needs most, 25 MiB for 4 rows of 1024 tokens and 9 heads of 64, 180 MiB for 2 of 2048 and 32
// of 128 with 16 threads.
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

bool job_begin(job *j, int threads, size_t memory, size_t each) {
  long most = 1, round = 0;
  for (int p = 0; p < phases; p++) {
    round += j->tasks[p];
    if (j->tasks[p] > most) most = j->tasks[p];
  }
  if (j->rounds == 0) j->rounds = 1;
  j->all = round * j->rounds;
  j->threads = threads < most ? threads : most;
  atomic_init(&j->owners, 1);
  j->memory = take(memory + j->threads * each);
  if (j->memory != NULL) return true;
  free(j);
  return false;
}

char *job_memory(const job *j) { return j->memory->bytes; }

long job_apart(const job *j, long phase, long number) {
  long tasks = j->tasks[phase % phases], thread = number % j->threads, more = tasks % j->threads;
  return thread * (tasks / j->threads) + (thread < more ? thread : more) + number / j->threads;
}

// rest is what a thread does for a while that has nothing to do.
static void rest(long tries) {
  if (tries < spins) __builtin_ia32_pause();
  else sched_yield();
}

// do_task does one of all tasks when those of the phases before it are done.
static void do_task(job *j, long task, int worker) {
  long round = j->all / j->rounds, phase = task / round * phases, place = task % round;
  for (; place >= j->tasks[phase % phases]; phase++) place -= j->tasks[phase % phases];
  for (long tries = 0; atomic_load(&j->done) < task - place; tries++) rest(tries);
  j->run(j, phase, place, worker);
  atomic_fetch_add(&j->done, 1);
}

void job_work(job *j) {
  int worker = atomic_fetch_add(&j->workers, 1);
  if (atomic_load(&j->next) >= j->all) return;
  begin_tiles();
  for (long task; (task = atomic_fetch_add(&j->next, 1)) < j->all;) do_task(j, task, worker);
  end_tiles();
}

void job_wait(job *j) {
  for (long tries = 0; atomic_load(&j->done) < j->all; tries++) rest(tries);
  give(j->memory); // threads that come late find no task, and touch none of it
}

void job_leave(job *j) {
  if (atomic_fetch_sub(&j->owners, 1) == 1) free(j);
}

#endif
