// Tests of the kernels: each result is compared with plain loops in double precision.
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;

int failures(void) { return failed; }

void check(bool ok, const char *message) {
  if (ok) return;
  fprintf(stderr, "FAIL: %s\n", message);
  failed++;
}

static uint64_t state = 1;

static uint32_t next_random(void) { // Knuth's MMIX generator
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 32;
}

long random_below(long n) { return next_random() % n; }

static uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static float from_bf16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

double round_bf16(double x) { return from_bf16(to_bf16(x)); }

array array_of_nan(bool bf16, long size) {
  array a = {.bf16 = bf16, .size = size, .data = malloc(size * (bf16 ? 2 : 4)), .values = calloc(size, sizeof(double))};
  memset(a.data, 0xff, size * (bf16 ? 2 : 4));
  return a;
}

array array_random(bool bf16, long size, double scale) {
  array a = array_of_nan(bf16, size);
  for (long i = 0; i < size; i++) {
    uint16_t x = to_bf16((next_random() / 2147483648.0 - 1) * scale);
    a.values[i] = from_bf16(x);
    if (bf16) ((uint16_t *)a.data)[i] = x;
    else ((float *)a.data)[i] = from_bf16(x);
  }
  return a;
}

double *array_read(const array *a) {
  double *values = malloc(a->size * sizeof *values);
  for (long i = 0; i < a->size; i++)
    values[i] = a->bf16 ? from_bf16(((uint16_t *)a->data)[i]) : ((float *)a->data)[i];
  return values;
}

void array_free(array *a) {
  free(a->data);
  free(a->values);
}

void check_near(const char *name, const array *got, const double *want, double bound) {
  double *values = array_read(got), error = 0, norm = 0;
  for (long i = 0; i < got->size; i++) {
    error += (values[i] - want[i]) * (values[i] - want[i]);
    norm += want[i] * want[i];
  }
  free(values);
  double relative = sqrt(error / norm);
  if (relative <= bound) return;
  fprintf(stderr, "FAIL: %s: relative difference %g, want at most %g\n", name, relative, bound);
  failed++;
}

static void *work(void *j) {
  job_run_tasks(j);
  job_release(j);
  return NULL;
}

void run_threads(job *j) {
  check(j != NULL, "no job");
  if (j == NULL) return;
  pthread_t threads[16];
  int n = j->threads - 1;
  for (int i = 0; i < n; i++) {
    atomic_fetch_add(&j->owners, 1);
    if (pthread_create(&threads[i], NULL, work, j) != 0) abort();
  }
  job_run_tasks(j);
  job_wait(j);
  job_release(j);
  for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

int main(void) {
  if (!cpu_has_avx2()) {
    printf("skipped: the processor lacks AVX2 or FMA\n");
    return 0;
  }
  test_products();
  test_avx2_panels();
  if (cpu_has_avx512_bf16()) {
    test_rows();
    test_attention();
    test_decoder();
  } else {
    printf("products only: the processor lacks AVX-512 or its bfloat16 instructions\n");
  }
  test_handlers();
  printf("%d failures\n", failed);
  return failed != 0;
}
