// Helpers of the tests: arrays of bf16 or f32 numbers, plain loops in double precision to compare with, and
// threads.
#ifndef BFPO_KERNELS_TEST_H
#define BFPO_KERNELS_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../job.h"
#include "../panels.h"

// array is an array of bf16 or f32 numbers that also has them as doubles.
typedef struct {
  bool bf16;
  long size;
  void *data;
  double *values;
} array;

// array_random returns an array of numbers between -scale and scale, which bf16 represents exactly.
array array_random(bool bf16, long size, double scale);
// array_of_nan returns an array whose numbers are all NaN, for results.
array array_of_nan(bool bf16, long size);
// array_read returns the numbers in data as doubles; the caller frees them.
double *array_read(const array *a);
void array_free(array *a);

// round_bf16 rounds to bf16.
double round_bf16(double x);
// random_below returns a number from 0 to n - 1.
long random_below(long n);

// run_threads runs a job on three threads. It fails the test if j is NULL.
void run_threads(job *j);

// check_near fails if the norm of got - want is more than bound times the norm of want, or a number is NaN.
void check_near(const char *name, const array *got, const double *want, double bound);
// check fails with a message if ok is false.
void check(bool ok, const char *message);
// failures returns the number of failures.
int failures(void);

void test_products(void);
void test_avx2_panels(void);
void test_rows(void);
void test_attention(void);
void test_decoder(void);
void test_handlers(void);

#endif
