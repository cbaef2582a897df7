//go:build cgo && linux

#define _GNU_SOURCE
#include "api.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { huge_page = 2 << 20, known = 256, most = 64, patience = 100 };

typedef struct {
  void *start;
  size_t size;
  bool used;
} block;

// What takes and frees memory is told nothing but a size or an address, so there is one such state in a process.
static struct {
  pthread_mutex_t lock;
  bool keep;
  size_t sizes[known]; // of the scratch memory of programs, the last ones
  long noted;
  block blocks[most]; // of scratch memory, at first one for each program that runs at the same time
  long number;
} scratch = {.lock = PTHREAD_MUTEX_INITIALIZER};

// is_scratch knows scratch memory by its size, to the byte: results of programs come the same way.
static bool is_scratch(size_t size) {
  for (long i = 0; i < known && i < scratch.noted; i++)
    if (scratch.sizes[i] == size) return true;
  return false;
}

static void unmap(long i) {
  munmap(scratch.blocks[i].start, scratch.blocks[i].size);
  scratch.blocks[i] = scratch.blocks[--scratch.number];
}

static void unmap_free(void) {
  for (long i = scratch.number - 1; i >= 0; i--)
    if (!scratch.blocks[i].used) unmap(i);
}

// kept is the smallest free block of at least this size, or NULL. A program's results are there a moment before its scratch memory is free: another
// program that begins in this moment waits for it a little.
static block *kept(size_t size) {
  const struct timespec moment = {.tv_nsec = 200000};
  for (int waited = 0;; waited++) {
    block *best = NULL;
    bool soon = false;
    for (block *b = scratch.blocks; b < scratch.blocks + scratch.number; b++) {
      if (b->size < size) continue;
      if (b->used) soon = true;
      else if (best == NULL || b->size < best->size) best = b;
    }
    if (best != NULL || !soon || waited == patience) return best;
    pthread_mutex_unlock(&scratch.lock);
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&scratch.lock);
  }
}

// mapped is a block from the system, in place of those that are free and too small. It is of huge pages if the system likes. NULL: there is none.
static block *mapped(size_t size) {
  unmap_free();
  if (scratch.number == most) return NULL;
  size = (size + huge_page - 1) / huge_page * huge_page;
  char *start = mmap(NULL, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  size_t before = -(uintptr_t)start % huge_page;
  if (before != 0) munmap(start, before);
  munmap(start + before + size, huge_page - before);
  madvise(start + before, size, MADV_HUGEPAGE);
  scratch.blocks[scratch.number] = (block){.start = start + before, .size = size};
  return &scratch.blocks[scratch.number++];
}

// take is posix_memalign.
static int take(void **start, size_t alignment, size_t size) {
  block *b = NULL;
  if (size >= least_scratch && alignment <= huge_page) {
    pthread_mutex_lock(&scratch.lock);
    if (scratch.keep && is_scratch(size)) {
      if ((b = kept(size)) == NULL) b = mapped(size);
      if (b != NULL) b->used = true, *start = b->start;
    }
    pthread_mutex_unlock(&scratch.lock);
  }
  if (b != NULL) return 0;
  int failed = posix_memalign(start, alignment, size);
  if (failed != ENOMEM) return failed;
  pthread_mutex_lock(&scratch.lock);
  unmap_free(); // it may be what is missing
  pthread_mutex_unlock(&scratch.lock);
  return posix_memalign(start, alignment, size);
}

// give_back is free.
static void give_back(void *start) {
  bool ours = false;
  if (start != NULL && (uintptr_t)start % huge_page == 0) {
    pthread_mutex_lock(&scratch.lock);
    for (long i = 0; i < scratch.number && !ours; i++) {
      if (scratch.blocks[i].start != start) continue;
      ours = true;
      scratch.blocks[i].used = false;
      if (!scratch.keep) unmap(i);
    }
    pthread_mutex_unlock(&scratch.lock);
  }
  if (!ours) free(start);
}

void own_scratch(void **table) {
  // free first: were only the other replaced, blocks would be freed as what they are not.
  if (replace_import(table, "free", (void *)give_back)) replace_import(table, "posix_memalign", (void *)take);
}

void note_scratch(size_t size) {
  pthread_mutex_lock(&scratch.lock);
  if (size >= least_scratch && !is_scratch(size)) scratch.sizes[scratch.noted++ % known] = size;
  pthread_mutex_unlock(&scratch.lock);
}

void keep_scratch(bool keep) {
  pthread_mutex_lock(&scratch.lock);
  scratch.keep = keep;
  if (!keep) unmap_free();
  pthread_mutex_unlock(&scratch.lock);
}
