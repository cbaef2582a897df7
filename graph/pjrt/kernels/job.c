//go:build cgo && linux

#include "job.h"

#include "panels.h"

#ifdef HAVE_KERNELS

#include <sched.h>
#include <stdlib.h>

struct job_memory {
  size_t size;
  char bytes[] __attribute__((aligned(64)));
};

// spare is the memory of a finished job, for the next one: page faults on new memory cost more than the work on it.
// XLA does not count this memory in a program's size. The gradient of attention needs most: 25 MiB for 4 rows of
// 1024 tokens and 9 heads of 64, 180 MiB for 2 rows of 2048 tokens and 32 heads of 128 with 16 threads.
static struct job_memory *_Atomic spare;

static struct job_memory *take_memory(size_t size) {
  struct job_memory *m = atomic_exchange(&spare, NULL);
  if (m != NULL && m->size >= size) return m;
  free(m);
  size_t total = (sizeof *m + size + 63) / 64 * 64;
  if ((m = aligned_alloc(64, total)) != NULL) m->size = size;
  return m;
}

// give_memory makes m the spare memory, unless another thread has given a larger block meanwhile.
static void give_memory(struct job_memory *m) {
  struct job_memory *other = atomic_exchange(&spare, m);
  if (other != NULL && other->size > m->size) other = atomic_exchange(&spare, other);
  free(other);
}

bool job_init(job *j, int threads, size_t shared_bytes, size_t worker_bytes) {
  long most = 1, round = 0;
  for (int p = 0; p < MAX_PHASES; p++) {
    round += j->tasks[p];
    if (j->tasks[p] > most) most = j->tasks[p];
  }
  if (j->rounds == 0) j->rounds = 1;
  j->total = round * j->rounds;
  j->threads = threads < most ? threads : most;
  atomic_init(&j->owners, 1);
  j->memory = take_memory(shared_bytes + j->threads * worker_bytes);
  if (j->memory != NULL) return true;
  free(j);
  return false;
}

char *job_memory(const job *j) { return j->memory->bytes; }

long job_contiguous_task(const job *j, long phase, long task) {
  long tasks = j->tasks[phase % MAX_PHASES], thread = task % j->threads;
  long each = tasks / j->threads, longer = tasks % j->threads; // the first threads have one task more
  return thread * each + (thread < longer ? thread : longer) + task / j->threads;
}

// back_off passes a moment of a thread that waits: first without the system, then by yielding its core.
static void back_off(long tries) {
  enum { SPINS = 1 << 12 };
  if (tries < SPINS) __builtin_ia32_pause();
  else sched_yield();
}

// run_task runs a task, counted over all rounds, after the phases before it have ended.
static void run_task(job *j, long number, int worker) {
  long round = j->total / j->rounds, phase = number / round * MAX_PHASES, task = number % round;
  for (; task >= j->tasks[phase % MAX_PHASES]; phase++) task -= j->tasks[phase % MAX_PHASES];
  for (long tries = 0; atomic_load(&j->done) < number - task; tries++) back_off(tries);
  j->run(j, phase, task, worker);
  atomic_fetch_add(&j->done, 1);
}

void job_run_tasks(job *j) {
  int worker = atomic_fetch_add(&j->workers, 1);
  if (atomic_load(&j->next) >= j->total) return;
  amx_begin();
  for (long number; (number = atomic_fetch_add(&j->next, 1)) < j->total;) run_task(j, number, worker);
  amx_end();
}

void job_wait(job *j) {
  for (long tries = 0; atomic_load(&j->done) < j->total; tries++) back_off(tries);
  give_memory(j->memory); // threads that come later find no task and do not use it
}

void job_release(job *j) {
  if (atomic_fetch_sub(&j->owners, 1) == 1) free(j);
}

#endif
