//go:build cgo && linux

#define _GNU_SOURCE
#include "api.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

// From this size on blocks are kept. The C library would take them from the system, which clears them, and give them back.
enum { large = 32 << 20, page = 4096 };

typedef struct {
  void *start;
  size_t size;
  bool used;
  bool again; // it was taken more than once: it is scratch memory
} block;

// All that the plugin has of such blocks. What takes and frees them is told nothing but a size or an address, so there is one list in a process.
static struct {
  pthread_mutex_t lock;
  pthread_cond_t freed;
  block *list;
  long number, room;
} blocks = {.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

static void unmap(long i) {
  munmap(blocks.list[i].start, blocks.list[i].size);
  blocks.list[i] = blocks.list[--blocks.number];
}

// unmap_free unmaps the free blocks smaller than this.
static void unmap_free(size_t size) {
  for (long i = blocks.number - 1; i >= 0; i--)
    if (!blocks.list[i].used && blocks.list[i].size < size) unmap(i);
}

// fits tells whether a block is not too small and at most twice as large. One still larger would be lost to whom it fits.
static bool fits(const block *b, size_t size) { return b->size >= size && b->size / 2 <= size; }

// kept is the smallest free block that fits, or NULL. Results of a program are there a moment before its scratch memory is free, and the next may want
// memory between: then there is one that will be free, and kept waits for it a little.
static block *kept(size_t size) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 20000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  for (int waited = 0;;) {
    block *best = NULL;
    bool soon = false;
    for (block *b = blocks.list; b < blocks.list + blocks.number; b++) {
      if (!fits(b, size)) continue;
      if (b->used) soon = soon || b->again;
      else if (best == NULL || b->size < best->size) best = b;
    }
    if (best != NULL || !soon || waited != 0) return best;
    waited = pthread_cond_timedwait(&blocks.freed, &blocks.lock, &until);
  }
}

// mapped adds a block from the system. NULL: there is no memory.
static block *mapped(size_t size) {
  if (blocks.number == blocks.room) {
    block *list = realloc(blocks.list, (2 * blocks.room + 16) * sizeof *list);
    if (list == NULL) return NULL;
    blocks.list = list, blocks.room = 2 * blocks.room + 16;
  }
  void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  blocks.list[blocks.number] = (block){start, size};
  return &blocks.list[blocks.number++];
}

// take_block is posix_memalign.
static int take_block(void **start, size_t alignment, size_t size) {
  if (size < large || size > SIZE_MAX - page || alignment > page) return posix_memalign(start, alignment, size);
  size = (size + page - 1) / page * page;
  pthread_mutex_lock(&blocks.lock);
  block *b = kept(size);
  if (b != NULL) {
    b->again = true;
  } else {
    unmap_free(size); // before there is another, so that never more is kept than was in use at once, or than twice that
    b = mapped(size);
  }
  if (b != NULL) b->used = true, *start = b->start;
  pthread_mutex_unlock(&blocks.lock);
  return b == NULL ? ENOMEM : 0;
}

// free_block is free.
static void free_block(void *start) {
  bool ours = false;
  if ((uintptr_t)start % page == 0 && start != NULL) {
    pthread_mutex_lock(&blocks.lock);
    for (block *b = blocks.list; b < blocks.list + blocks.number && !ours; b++)
      if (b->start == start) b->used = false, ours = true;
    if (ours) pthread_cond_broadcast(&blocks.freed);
    pthread_mutex_unlock(&blocks.lock);
  }
  if (!ours) free(start);
}

void keep_blocks(void **table) {
  // If only the first could be replaced, blocks would be freed as what they are not.
  if (replace_import(table, "free", (void *)free_block)) replace_import(table, "posix_memalign", (void *)take_block);
}

void drop_blocks(void) {
  pthread_mutex_lock(&blocks.lock);
  unmap_free(SIZE_MAX);
  pthread_mutex_unlock(&blocks.lock);
}
