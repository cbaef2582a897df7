// All layers of a decoder for a few tokens, as in generation, where reading the weights takes most of the time.
#ifndef BFPO_KERNELS_DECODER_H
#define BFPO_KERNELS_DECODER_H

#include "job.h"
#include "panels.h"

// decoder_layer has a layer's cache, keys [rows, kv_heads, cache_length, head_width] and values [rows, kv_heads,
// head_width, cache_length], and its weights [out, in] under the names of Hugging Face.
typedef struct {
  void *keys, *values;
  const void *input_norm, *q, *k, *v, *o, *post_norm, *gate, *up, *down;
} decoder_layer;

// decoder_inputs are the next tokens of each row, the cache and the weights. Matrices, keys and values are bf16 or
// f32, and so are the weights of norms. All widths and cache_length are multiples of BLOCK.
typedef struct {
  bool bf16, bf16_norms;
  long rows, tokens, width, heads, kv_heads, head_width, mlp_width, cache_length, layer_count;
  float epsilon;
  const int32_t *slots;        // [rows, tokens]: the tokens' positions in the cache; tokens outside are not stored
  const float *cos, *sin;      // [rows, tokens, head_width / 2]
  const uint8_t *mask;         // [rows, tokens, cache_length]: whether a token sees a position
  const decoder_layer *layers; // [layer_count]
  float *x;                    // [rows, tokens, width]: embeddings before, the output of the last layer after
} decoder_inputs;

// decoder_new prepares all layers. With bf16 it rounds what the graph's own operations round: the outputs of norms,
// queries, keys, values, the exponentials of scores, the attention output, gate, up and their product. It returns
// NULL if memory is short.
job *decoder_new(decoder_inputs in, int threads);

#endif
