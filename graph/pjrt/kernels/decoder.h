// The layers of a decoder for a few tokens, as generation asks for them: what takes time is to read the weights.
#ifndef BFPO_KERNELS_DECODER_H
#define BFPO_KERNELS_DECODER_H

#include "job.h"
#include "strips.h"

// One layer has the weights that Hugging Face calls so, [out, in], and a cache: keys [rows, groups, columns, head] and values [rows, groups, head, columns].
typedef struct {
  void *keys, *values;
  const void *input_norm, *q, *k, *v, *o, *post_norm, *gate, *up, *down;
} layer;

// decoding is what is to be done: of each row the next tokens, tokens of them. Matrices, keys and values are bf16 or f32, norms too. All widths are
// divisible by side.
typedef struct {
  strips kind, norms;
  long rows, tokens, width, heads, groups, head, middle, columns, layers;
  float epsilon;
  const int32_t *now;    // [rows, tokens]: columns of the cache that tokens take
  const float *cos, *sin; // [rows, tokens, head / 2]
  const uint8_t *mask;   // [rows, tokens, columns]: which a token sees
  const layer *layer;    // layers of them
  float *x;              // [rows, tokens, width]: the embeddings, and then what the last layer says
} decoding;

// decoder_new prepares all layers. Numbers are rounded to bf16 where graph code of that kind rounds them: the states after norms, queries, keys, values,
// exponentials before they meet the values, what attention says, gate, up and their product. NULL: out of memory.
job *decoder_new(decoding d, int threads);

#endif
