// Work that is divided among the threads of XLA's pool.
#ifndef BFPO_KERNELS_JOB_H
#define BFPO_KERNELS_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// A job has up to MAX_PHASES phases with any number of tasks each. The tasks of a phase begin when all tasks of the
// phase before have ended. A job is the first member of a structure from calloc that has its arguments; job_release
// frees that structure.
enum { MAX_PHASES = 5 };

typedef struct job job;

struct job {
  long tasks[MAX_PHASES]; // number of tasks of each phase
  long rounds;            // how often all phases are run; 0 is one
  // run runs a task. Phases are numbered on from round to round: phase % MAX_PHASES is the phase in its round.
  void (*run)(job *j, long phase, long task, int worker);
  int threads;              // largest number of threads that have tasks
  struct job_memory *memory;
  long total;               // tasks of all rounds
  atomic_long next, done;   // the next task to begin, and how many have ended
  atomic_int workers, owners;
};

// job_init completes a job whose tasks, rounds and run are set, for up to threads threads, with shared_bytes of
// memory for all tasks and worker_bytes for each worker. If memory is short it frees the job and returns false.
bool job_init(job *j, int threads, size_t shared_bytes, size_t worker_bytes);
// job_memory returns the memory of a job: the shared bytes, then those of each worker.
char *job_memory(const job *j);
// job_contiguous_task maps the tasks of a phase so that each thread, if threads take turns, gets consecutive tasks.
long job_contiguous_task(const job *j, long phase, long task);
// job_run_tasks runs tasks until none is left. Each thread calls it once; a late thread finds none.
void job_run_tasks(job *j);
// job_wait waits until all tasks have ended, and frees the job's memory.
void job_wait(job *j);
// job_release gives up one owner's reference. The last one frees the job.
void job_release(job *j);

#endif
