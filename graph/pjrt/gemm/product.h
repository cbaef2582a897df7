// Products of matrices with AMX, the matrix unit of newer Intel processors.
#ifndef BFPO_GEMM_PRODUCT_H
#define BFPO_GEMM_PRODUCT_H

#include <stdbool.h>

// Matrices lie in memory one behind the other as [rows, depth], or as [depth, rows] if across. Products sum over depth.
typedef struct {
  const void *data;
  long rows, depth;
  bool across;
} matrix;

// The numbers of types are XLA's.
typedef enum { type_f32 = 11, type_bf16 = 16 } number_type;

// product is the work of some threads: out [number, left.rows, right.rows] = left right^T of so many matrices.
typedef struct product product;

// can_multiply asks the system for the use of AMX, and tells whether this process and its processor have all that a product needs.
bool can_multiply(void);

// product_new prepares a product of matrices of one type by so many threads at most. f32 is multiplied as the sum of two bf16 (16 bits of 24).
// Sums are f32, and out is so or, of another type, rounded. NULL: out of memory.
product *product_new(long number, matrix left, matrix right, number_type type, void *out, number_type out_type, int threads);
// product_threads is how many threads have work.
int product_threads(const product *p);
// product_work takes part in the work until none is left. Each thread calls it once; late ones find nothing to do.
void product_work(product *p);
// product_wait returns when the result is there; what is left of the product is small.
void product_wait(product *p);
void product_free(product *p);

#endif
