// Packed panels of matrices, and the products of panels.
#ifndef BFPO_KERNELS_PANELS_H
#define BFPO_KERNELS_PANELS_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"

// matrix is a matrix of rows x depth elements. Products contract the depth.
typedef struct {
  const void *data;
  long rows, depth;
  bool transposed; // stored as [depth, rows] instead of [rows, depth]
  long stride;     // elements from one stored row to the next
} matrix;

// A block is BLOCK rows of a matrix. A panel is a packed block, in steps of BLOCK terms of the depth; elements
// outside of the matrix are zero.
enum { BLOCK = 32 };

// A format determines the elements of matrices and the layout of panels. Sums are always f32.
//
// Panels of BF16 and BF16X3 consist of AMX tiles, 16 rows of 64 bytes each. Without AMX, vdpbf16ps reads BF16 in
// the same layout. A step of BF16 is two tiles, for 16 rows of the matrix each: a row of a left tile has 32 terms
// of a row of the matrix, a row of a right tile has two terms of each of 16 rows. A step of BF16X3 is four tiles:
// each f32 element is split into a bf16 number and a bf16 remainder, a = a1 + a2, and a b is a1 b1 + a1 b2 + a2 b1
// with an error of at most 2^-16 a b.
//
// Panels of F32 and BF16_WIDENED are f32 numbers, for FMA. A step of a left panel is [rows, terms], of a right
// panel [terms, rows].
typedef enum {
  BF16,         // bf16 matrices in bf16 panels
  BF16_WIDENED, // bf16 matrices in f32 panels
  BF16X3,       // f32 matrices in pairs of bf16 panels; needs AMX
  F32,          // f32 matrices in f32 panels
} format;

enum { TILE_ROW_BYTES = 64, TILE_BYTES = 16 * TILE_ROW_BYTES };

// bf16_format returns the faster format for bf16 matrices on this processor, BF16 or BF16_WIDENED.
format bf16_format(void);
// has_bf16_elements reports whether a format is for bf16 matrices.
static inline bool has_bf16_elements(format f) { return f == BF16 || f == BF16_WIDENED; }
// has_f32_panels reports whether the panels of a format are f32.
static inline bool has_f32_panels(format f) { return f == F32 || f == BF16_WIDENED; }
// element_bytes returns the size of an element of the matrices.
long element_bytes(format f);
// step_bytes returns the size of one step of a panel.
long step_bytes(format f);
// panel_bytes returns the size of a panel.
long panel_bytes(format f, long depth);
// pack_panel packs the block that begins at a row, as a panel of a right or of a left matrix. Panels are aligned to
// 64 bytes.
void pack_panel(format f, const matrix *m, bool right, long row, char *to);
// multiply_panels computes the product of two panels, [BLOCK, BLOCK], in an array with stride columns. It adds to
// what is there if add is true.
void multiply_panels(format f, const char *left, const char *right, long depth, float *out, long stride, bool add);
// store_block stores rows x columns of a [BLOCK, BLOCK] block at an index of an array with stride columns, in f32
// or rounded to bf16.
void store_block(const float *block, long rows, long columns, void *out, long at, long stride, bool to_bf16);
// amx_begin and amx_end configure and release AMX, if it is available, around the work of a thread.
void amx_begin(void);
void amx_end(void);

#endif
