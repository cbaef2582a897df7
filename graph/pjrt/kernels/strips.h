// Blocks of matrices as the processor multiplies them.
#ifndef BFPO_KERNELS_STRIPS_H
#define BFPO_KERNELS_STRIPS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) && (__GNUC__ >= 11 || __clang_major__ >= 14)
#define X86_TILES 1
#endif

// Matrices lie in memory as [rows, depth], or as [depth, rows] if across, with stride numbers from one row, or term, to the next. Products sum over
// depth. Where there is below, of each row, numbers x of a left matrix [rows, depth] are f32 and stand for e^(x - below), x at most that, in bf16.
typedef struct {
  const void *data;
  long rows, depth;
  bool across;
  long stride;
  const float *below;
} matrix;

// A block is side rows of a matrix, and a step is side terms of the sum. A strip is a block in all its depth, step after step.
enum { side = 32 };

// There are three kinds of strips, of numbers in bf16 or in f32; sums are always f32.
//
// bf16 and bf16x3 lie as AMX has its tiles, of 16 rows of 64 bytes; where there is no AMX, AVX-512 reads bf16 so too. A step of bf16 is two of them,
// for 16 rows of the matrix each: of a left matrix a row of a tile has terms, of a right one it has a pair of terms of each of the 16. A step of bf16x3
// is four, the upper halves of f32 numbers and then the lower ones: (a + a')(b + b') is ab + ab' + a'b and 2^-16 of it at most.
//
// f32 is for AVX-512, in full precision. A step of a left matrix is [rows, terms], of a right one [terms, rows].
typedef enum { bf16, bf16x3, f32 } strips;

enum { row_bytes = 64, tile = 16 * row_bytes };

// can_multiply tells whether the processor has AVX-512 with its instructions for bf16, which all of this needs.
bool can_multiply(void);
// have_tiles tells whether this process may use AMX, for which it asks the system once.
bool have_tiles(void);
// number_bytes is the size of a number of the matrices, step_bytes that of a step and strip_bytes that of a strip.
long number_bytes(strips kind);
long step_bytes(strips kind);
long strip_bytes(strips kind, long depth);
// pack_strip makes a strip of the block that begins at a row, as one of the right matrix or of the left one. What is outside of the matrix is zero.
void pack_strip(strips kind, const matrix *m, bool right, long row, char *to);
// multiply_strips writes the product of two strips to [side, side] of an array of so many columns, or adds it to what is there.
void multiply_strips(strips kind, const char *left, const char *right, long depth, float *out, long width, bool add);
// copy_block copies rows and columns of a block to a place in an array of so many columns, f32 or rounded to bf16.
void copy_block(const float *block, long rows, long columns, void *out, long at, long width, bool rounded);
// begin_tiles and end_tiles stand around the work of a thread.
void begin_tiles(void);
void end_tiles(void);

#endif
