// Blocks of matrices as the processor multiplies them.
#ifndef BFPO_AMX_TILES_H
#define BFPO_AMX_TILES_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) && (__GNUC__ >= 11 || __clang_major__ >= 14)
#define X86_TILES 1
#endif

// Matrices lie in memory as [rows, depth], or as [depth, rows] if across, with stride numbers from one row, or term, to the next. Products sum over
// depth.
typedef struct {
  const void *data;
  long rows, depth;
  bool across;
  long stride;
} matrix;

// The numbers of types are XLA's.
typedef enum { type_f32 = 11, type_bf16 = 16 } number_type;

// can_multiply asks the system for the use of AMX, and tells whether this process and its processor have all that is needed.
bool can_multiply(void);

// A tile has 16 rows of 64 bytes. A block is side rows of a matrix, and a step is side terms of the sum. A strip is a block in all its depth, in tiles:
// a step of bf16 is two of them, for 16 rows each. In those of a left matrix a row has terms, in those of a right one it has a pair of terms of each of
// the 16.
enum { side = 32, row_bytes = 64, tile = 16 * row_bytes, step_bytes = 2 * tile };

// strip_bytes is the size of a strip.
long strip_bytes(number_type type, long depth);
// pack_strip makes a strip of the block that begins at a row, as one of the right matrix or of the left one. What is outside of the matrix is zero.
void pack_strip(number_type type, const matrix *m, bool right, long row, char *to);
// multiply_strips writes the product of two strips to [side, side] of an array of so many columns, or adds it to what is there.
void multiply_strips(number_type type, const char *left, const char *right, long depth, float *out, long width, bool add);
// copy_block copies rows and columns of a block to a place in an array of so many columns, f32 or rounded to bf16.
void copy_block(const float *block, long rows, long columns, void *out, long at, long width, bool rounded);
// begin_tiles and end_tiles stand around the work of a thread.
void begin_tiles(void);
void end_tiles(void);

#endif
