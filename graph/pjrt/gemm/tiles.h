// Blocks of matrices as the processor multiplies them.
#ifndef BFPO_GEMM_TILES_H
#define BFPO_GEMM_TILES_H

#include "product.h"

#if defined(__x86_64__) && (__GNUC__ >= 11 || __clang_major__ >= 14)
#define X86_TILES 1
#endif

// A block is side rows of a matrix, and a step is side terms of the sum. A strip is a block in all its depth, in tiles.
enum { side = 32 };

// strip_bytes is the size of a strip.
long strip_bytes(number_type type, long depth);
// pack_strip makes a strip of the block that begins at a row, as one of the right matrix or of the left one. What is outside of the matrix is zero.
void pack_strip(number_type type, const matrix *m, bool right, long row, char *to);
// multiply_strips writes the product of two strips to [side, side] of an array of so many columns.
void multiply_strips(number_type type, const char *left, const char *right, long depth, float *out, long width);
// copy_block copies rows and columns of a block to a place in an array of so many columns, f32 or rounded to bf16.
void copy_block(const float *block, long rows, long columns, void *out, long at, long width, bool rounded);
// begin_tiles and end_tiles stand around the work of a thread.
void begin_tiles(void);
void end_tiles(void);

#endif
