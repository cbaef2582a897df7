//go:build cgo && linux

#include "api.h"

#ifdef __GLIBC__
#include <malloc.h>

// Threads share one heap: of their own heaps none holds a block larger than 64 MB, whatever mallopt says. Each thread chooses its heap once, so this
// comes before there is a second thread.
__attribute__((constructor)) static void one_heap(void) { mallopt(M_ARENA_MAX, 1); }

void cold_heap(void) {
  enum { largest = 256 << 10 };
  mallopt(M_MMAP_MAX, 1 << 16);
  mallopt(M_MMAP_THRESHOLD, largest);
  mallopt(M_TRIM_THRESHOLD, 2 * largest); // as the library does where it chooses itself
  malloc_trim(0);
}

void warm_heap(void) {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  malloc_trim(0);
}
#else
void cold_heap(void) {}
void warm_heap(void) {}
#endif
