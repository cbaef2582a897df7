//go:build cgo && linux

#include "api.h"

#ifdef __GLIBC__
#include <malloc.h>

void bound_heap(int largest) {
  mallopt(M_MMAP_THRESHOLD, largest);
  mallopt(M_TRIM_THRESHOLD, 2 * largest);  // as the library does where it chooses itself
}
void trim_heap(void) { malloc_trim(0); }
#else
void bound_heap(int largest) {}
void trim_heap(void) {}
#endif
