#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../avx2.h"
#include "../product.h"
#include "../rows.h"
#include "test.h"

// element returns an element of matrix number of an array of matrices.
static double element(const array *a, long number, long rows, long depth, long row, long term, bool transposed) {
  const double *m = a->values + number * rows * depth;
  return transposed ? m[term * rows + row] : m[row * depth + term];
}

static void multiply_plain(const array *left, const array *right, long batch, long rows, long columns, long depth,
                           bool left_transposed, bool right_transposed, double *out) {
  for (long n = 0; n < batch; n++)
    for (long i = 0; i < rows; i++)
      for (long j = 0; j < columns; j++) {
        double sum = 0;
        for (long k = 0; k < depth; k++)
          sum += element(left, n, rows, depth, i, k, left_transposed) *
                 element(right, n, columns, depth, j, k, right_transposed);
        out[(n * rows + i) * columns + j] = sum;
      }
}

static matrix matrix_of(const array *a, long rows, long depth, bool transposed) {
  return (matrix){.data = a->data, .rows = rows, .depth = depth, .transposed = transposed,
                  .stride = transposed ? rows : depth};
}

static void test_product(format f, long batch, long rows, long columns, long depth, int layout, bool to_bf16) {
  bool left_transposed = layout & 1, right_transposed = layout & 2, bf16 = has_bf16_elements(f);
  array left = array_random(bf16, batch * rows * depth, 1), right = array_random(bf16, batch * columns * depth, 1);
  array out = array_of_nan(to_bf16, batch * rows * columns);
  double *want = malloc(out.size * sizeof *want);
  multiply_plain(&left, &right, batch, rows, columns, depth, left_transposed, right_transposed, want);
  matrix a = matrix_of(&left, rows, depth, left_transposed), b = matrix_of(&right, columns, depth, right_transposed);
  run_threads(product_new(batch, a, b, f, out.data, to_bf16, 3));
  char name[128];
  snprintf(name, sizeof name, "product of format %d, %ld x [%ld, %ld] x [%ld, %ld], layout %d, to_bf16 %d", f, batch,
           rows, depth, columns, depth, layout, to_bf16);
  // bf16 numbers are exact in all formats, so only the sums round; their errors grow with the depth.
  check_near(name, &out, want, to_bf16 ? 3e-3 : fmax(2e-7, 2e-9 * sqrt(depth)));
  array_free(&left), array_free(&right), array_free(&out);
  free(want);
}

void test_products(void) {
  static const long sizes[][4] = {
      {1, 64, 96, 128}, {1, 1, 1, 1}, {2, 33, 70, 45},
      {1, 33, 40, 5003},  // several pieces
      {2, 40, 33, 12001}, // and rounds
  };
  for (format f = BF16; f <= F32; f++) {
    if (f == BF16X3 && !amx_available()) continue;
    if (f == BF16 && !cpu_has_avx512_bf16()) continue;
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int layout = 0; layout < 4; layout++) {
        bool to_bf16 = layout == 3 && has_bf16_elements(f);
        test_product(f, sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3], layout, to_bf16);
      }
  }
  float nothing;
  matrix empty = {.data = &nothing, .rows = 0, .depth = 4, .stride = 4};
  check(product_new(1, empty, empty, F32, &nothing, false, 3) == NULL, "a job for an empty product");
}

// check_panel compares the panel that begins at a row with the elements of the matrix, and with zero outside of it.
static void check_panel(const array *a, const matrix *m, bool right, long row, const float *panel, long panel_depth) {
  for (long k = 0; k < panel_depth; k++)
    for (long i = 0; i < BLOCK; i++) {
      long at = k / BLOCK * BLOCK * BLOCK + (right ? k % BLOCK * BLOCK + i : i * BLOCK + k % BLOCK);
      bool exists = row + i < m->rows && k < m->depth;
      double want = exists ? element(a, 0, m->rows, m->depth, row + i, k, m->transposed) : 0;
      check(panel[at] == want, "an element of a panel differs");
    }
}

static void test_avx2_panel_pair(format f, long rows, long columns, long depth, int layout) {
  bool bf16 = has_bf16_elements(f);
  long padded = (depth + BLOCK - 1) / BLOCK * BLOCK, stride = BLOCK + 3;
  array left = array_random(bf16, rows * depth, 1), right = array_random(bf16, columns * depth, 1);
  matrix a = matrix_of(&left, rows, depth, layout & 1), b = matrix_of(&right, columns, depth, layout & 2);
  char *panels[2] = {aligned_alloc(64, panel_bytes(f, depth)), aligned_alloc(64, panel_bytes(f, depth))};
  avx2_pack_panel(f, &a, false, 0, panels[0]);
  avx2_pack_panel(f, &b, true, 0, panels[1]);
  check_panel(&left, &a, false, 0, (float *)panels[0], padded);
  check_panel(&right, &b, true, 0, (float *)panels[1], padded);
  array out = array_of_nan(false, BLOCK * stride);
  for (int add = 0; add < 2; add++) { // the second time the result is doubled
    avx2_multiply_panels(panels[0], panels[1], depth, out.data, stride, add);
    for (long i = 0; i < BLOCK; i++)
      for (long j = 0; j < BLOCK; j++) {
        double sum = 0;
        for (long k = 0; k < depth && i < rows && j < columns; k++)
          sum += element(&left, 0, rows, depth, i, k, a.transposed) *
                 element(&right, 0, columns, depth, j, k, b.transposed);
        double got = ((float *)out.data)[i * stride + j];
        check(fabs(got - (add + 1) * sum) < 1e-6 * (1 + sqrt(depth)), "a product of panels differs");
      }
  }
  array_free(&left), array_free(&right), array_free(&out);
  free(panels[0]), free(panels[1]);
}

// test_avx2_second_panel packs the second block of a matrix, which has one row.
static void test_avx2_second_panel(bool right, bool transposed) {
  const long rows = BLOCK + 1, depth = 40;
  array a = array_random(true, rows * depth, 1);
  matrix m = matrix_of(&a, rows, depth, transposed);
  char *panel = aligned_alloc(64, panel_bytes(BF16_WIDENED, depth));
  avx2_pack_panel(BF16_WIDENED, &m, right, BLOCK, panel);
  check_panel(&a, &m, right, BLOCK, (float *)panel, 2 * BLOCK);
  array_free(&a);
  free(panel);
}

// test_avx2_store stores a part of a block, whose last rows and columns must stay NaN.
static void test_avx2_store(bool to_bf16, long rows, long columns) {
  static float block[BLOCK * BLOCK] __attribute__((aligned(64)));
  for (int i = 0; i < BLOCK * BLOCK; i++) block[i] = i % 7 == 0 ? 1e-40f * i : 1 / (i - 500.5f);
  block[1] = NAN, block[2] = INFINITY, block[3] = -INFINITY;
  array out = array_of_nan(to_bf16, BLOCK * 40);
  avx2_store_block(block, rows, columns, out.data, 5, 40, to_bf16);
  double *values = array_read(&out);
  for (long at = 0; at < out.size; at++) {
    long row = (at - 5) / 40, column = (at - 5) % 40;
    bool inside = at >= 5 && row < rows && column < columns;
    double x = inside ? block[row * BLOCK + column] : NAN, want = to_bf16 && inside && !isnan(x) ? round_bf16(x) : x;
    check(values[at] == want || (isnan(values[at]) && isnan(want)), "a stored number differs");
  }
  free(values);
  array_free(&out);
}

// test_avx2_panels tests the functions that processors with AVX-512 do not call.
void test_avx2_panels(void) {
  static const long sizes[][3] = {{32, 32, 128}, {1, 1, 1}, {7, 32, 33}, {32, 9, 300}, {17, 31, 0}};
  for (format f = BF16_WIDENED; f <= F32; f += F32 - BF16_WIDENED)
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int layout = 0; layout < 4; layout++)
        test_avx2_panel_pair(f, sizes[s][0], sizes[s][1], sizes[s][2], layout);
  for (int c = 0; c < 4; c++) test_avx2_second_panel(c & 1, c & 2);
  for (int to_bf16 = 0; to_bf16 < 2; to_bf16++) {
    test_avx2_store(to_bf16, BLOCK, BLOCK);
    test_avx2_store(to_bf16, 31, 5);
    test_avx2_store(to_bf16, 1, 17);
  }
}

static void test_few_rows(bool bf16, long rows, long columns, long depth, bool to_bf16) {
  array left = array_random(bf16, rows * depth, 1), right = array_random(bf16, columns * depth, 1);
  array out = array_of_nan(to_bf16, rows * columns), alone = array_of_nan(to_bf16, columns);
  double *want = malloc(out.size * sizeof *want);
  multiply_plain(&left, &right, 1, rows, columns, depth, false, false, want);
  matrix a = matrix_of(&left, rows, depth, false), b = matrix_of(&right, columns, depth, false);
  run_threads(rows_new(a, b, bf16, out.data, to_bf16, 3));
  char name[128];
  snprintf(name, sizeof name, "%ld rows, %ld columns, depth %ld, bf16 %d", rows, columns, depth, bf16);
  check_near(name, &out, want, to_bf16 ? 3e-3 : 3e-7);
  double *all = array_read(&out);
  for (long i = 0; i < rows; i++) {
    matrix row = a;
    row.data = (const char *)a.data + i * depth * (bf16 ? 2 : 4), row.rows = 1;
    run_threads(rows_new(row, b, bf16, alone.data, to_bf16, 3));
    double *one = array_read(&alone);
    for (long j = 0; j < columns; j++) check(one[j] == all[i * columns + j], "a row depends on the other rows");
    free(one);
  }
  free(all);
  array_free(&left), array_free(&right), array_free(&out), array_free(&alone);
  free(want);
}

void test_rows(void) {
  static const long sizes[][3] = {{1, 4, 1}, {1, 131, 333}, {3, 64, 480}, {7, 77, 96}, {16, 128, 1024}, {2, 9000, 64}};
  for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int bf16 = 0; bf16 < 2; bf16++)
      for (int to_bf16 = 0; to_bf16 <= bf16; to_bf16++)
        test_few_rows(bf16, sizes[s][0], sizes[s][1], sizes[s][2], to_bf16);
}
