// Work that threads share.
#ifndef BFPO_KERNELS_JOB_H
#define BFPO_KERNELS_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// A job has phases of so many tasks, none or more, each of which begins when the one before has ended. It stands first in a structure from
// calloc that says what is to be done, and is freed with it.
enum { phases = 5 };

typedef struct job job;

struct job {
  long tasks[phases], rounds; // one round, or as many as are set: all phases again
  // run does a task of a phase. Phases are counted on from round to round.
  void (*run)(job *j, long phase, long task, int worker);
  int threads;           // that have work, at most
  struct memory *memory; // that tasks use
  long all;              // tasks of all rounds
  atomic_long next, done;
  atomic_int workers, owners;
};

// job_begin prepares a job that has tasks and is zero otherwise, with memory for all and for each worker besides. If there is none it frees the job
// and returns false. threads is how many there may be.
bool job_begin(job *j, int threads, size_t memory, size_t each);
// job_memory is where the memory begins; that of the workers comes last.
char *job_memory(const job *j);
// job_apart returns the task of a phase to do as the one of this number, so that threads that take turns each go on where their last task ended.
long job_apart(const job *j, long phase, long number);
// job_work takes part in the work until none is left. Each thread calls it once; late ones find nothing to do.
void job_work(job *j);
// job_wait returns when all is done, and gives the memory back.
void job_wait(job *j);
// job_leave frees the job when all owners have left.
void job_leave(job *j);

#endif
