#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../gate.h"
#include "../product.h"
#include "test.h"

static void test_gate_gradient(long elements) {
  array gate = array_random(true, elements, 8), up = array_random(true, elements, 2);
  array dy = array_random(true, elements, 1), dgate = array_of_nan(true, elements), dup = array_of_nan(true, elements);
  double *want_dgate = malloc(elements * sizeof(double)), *want_dup = malloc(elements * sizeof(double));
  for (long i = 0; i < elements; i++) {
    double x = gate.values[i], s = 1 / (1 + exp(-x));
    want_dgate[i] = dy.values[i] * up.values[i] * s * (1 + x * (1 - s));
    want_dup[i] = dy.values[i] * x * s;
  }
  run_threads(gate_gradient_new(gate.data, up.data, dy.data, dgate.data, dup.data, elements, 3));
  check_near("dgate", &dgate, want_dgate, 3e-3);
  check_near("dup", &dup, want_dup, 3e-3);
  array_free(&gate), array_free(&up), array_free(&dy), array_free(&dgate), array_free(&dup);
  free(want_dgate), free(want_dup);
}

static void test_weighted_rows(format f, long rows, long depth, long columns) {
  array x = array_random(false, rows * depth, 6), w = array_random(true, depth * columns, 1);
  array out = array_of_nan(false, rows * columns);
  float *max = malloc(rows * sizeof *max);
  double *want = calloc(rows * columns, sizeof *want);
  for (long i = 0; i < rows; i++) {
    max[i] = -INFINITY;
    for (long k = 0; k < depth; k++) max[i] = fmaxf(max[i], x.values[i * depth + k]);
    for (long k = 0; k < depth; k++)
      for (long j = 0; j < columns; j++)
        want[i * columns + j] += exp(x.values[i * depth + k] - max[i]) * w.values[k * columns + j];
  }
  matrix a = {.data = x.data, .rows = rows, .depth = depth, .stride = depth, .row_max = max};
  matrix b = {.data = w.data, .rows = columns, .depth = depth, .transposed = true, .stride = columns};
  run_threads(product_new(1, a, b, f, out.data, false, 3));
  check_near("weighted rows", &out, want, 6e-3);
  array_free(&x), array_free(&w), array_free(&out);
  free(max), free(want);
}

void test_elementwise(void) {
  static const long sizes[] = {1, 37, 1 << 15, (1 << 16) + 5};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) test_gate_gradient(sizes[i]);
  for (format f = BF16; f <= BF16_WIDENED; f++) {
    test_weighted_rows(f, 1, 1, 1);
    test_weighted_rows(f, 45, 301, 70);
    test_weighted_rows(f, 33, 9001, 34);
  }
}
