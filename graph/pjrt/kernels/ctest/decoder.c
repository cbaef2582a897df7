#include "../decoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { ROWS = 2, TOKENS = 2, ALL = ROWS * TOKENS, WIDTH = 64, HEADS = 4, KV_HEADS = 2, HEAD_WIDTH = 32, HALF = 16 };
enum { MLP_WIDTH = 96, LENGTH = 64, LAYERS = 2, WEIGHTS = 9 };
enum { Q_WIDTH = HEADS * HEAD_WIDTH, KV_WIDTH = KV_HEADS * HEAD_WIDTH };
enum { INPUT_NORM, Q, K, V, O, POST_NORM, GATE, UP, DOWN };

// network has the inputs of the decoder; the doubles of keys and values become those after the step.
typedef struct {
  array x, cos, sin, keys[LAYERS], values[LAYERS], weights[LAYERS][WEIGHTS];
  int32_t slots[ALL];
  uint8_t mask[ALL * LENGTH];
} network;

static network make_network(bool bf16) {
  static const long sizes[WEIGHTS] = {WIDTH, Q_WIDTH * WIDTH, KV_WIDTH * WIDTH, KV_WIDTH * WIDTH, WIDTH * Q_WIDTH,
                                      WIDTH, MLP_WIDTH * WIDTH, MLP_WIDTH * WIDTH, WIDTH * MLP_WIDTH};
  network n = {.x = array_random(false, ALL * WIDTH, 1), .cos = array_random(false, ALL * HALF, 1),
               .sin = array_random(false, ALL * HALF, 1)};
  for (int l = 0; l < LAYERS; l++) {
    n.keys[l] = array_random(bf16, ROWS * KV_HEADS * LENGTH * HEAD_WIDTH, 1);
    n.values[l] = array_random(bf16, ROWS * KV_HEADS * LENGTH * HEAD_WIDTH, 1);
    for (int w = 0; w < WEIGHTS; w++) n.weights[l][w] = array_random(bf16, sizes[w], sizes[w] == WIDTH ? 1 : 0.3);
  }
  for (int i = 0; i < ALL; i++) {
    n.slots[i] = i == ALL - 1 ? -1 : 20 + 9 * (i / TOKENS) + i % TOKENS; // the last token is not stored
    for (int t = 0; t < LENGTH; t++) n.mask[i * LENGTH + t] = t <= n.slots[i] || (n.slots[i] < 0 && t < 4);
  }
  return n;
}

static void free_network(network *n) {
  array_free(&n->x), array_free(&n->cos), array_free(&n->sin);
  for (int l = 0; l < LAYERS; l++) {
    array_free(&n->keys[l]), array_free(&n->values[l]);
    for (int w = 0; w < WEIGHTS; w++) array_free(&n->weights[l][w]);
  }
}

static void norm_plain(const double *x, const double *weights, double *out) {
  double sum = 0;
  for (int c = 0; c < WIDTH; c++) sum += x[c] * x[c];
  for (int c = 0; c < WIDTH; c++) out[c] = x[c] / sqrt(sum / WIDTH + 1e-5) * weights[c];
}

// project computes out = w x for w [rows, depth].
static void project(const array *w, const double *x, long rows, long depth, double *out) {
  for (long i = 0; i < rows; i++) {
    out[i] = 0;
    for (long k = 0; k < depth; k++) out[i] += w->values[i * depth + k] * x[k];
  }
}

static void rotate(const network *n, long token, double *x) {
  for (int c = 0; c < HALF; c++) {
    double cos = n->cos.values[token * HALF + c], sin = n->sin.values[token * HALF + c], a = x[c], b = x[HALF + c];
    x[c] = a * cos - b * sin, x[HALF + c] = b * cos + a * sin;
  }
}

static double *cached(double *cache, long row, long kv_head) {
  return cache + (row * KV_HEADS + kv_head) * LENGTH * HEAD_WIDTH;
}

// qkv_plain computes the queries of all tokens and stores their keys and values.
static void qkv_plain(network *n, int l, const double *x, double *queries) {
  const array *w = n->weights[l];
  for (long i = 0; i < ALL; i++) {
    double normed[WIDTH], k[KV_WIDTH], v[KV_WIDTH];
    norm_plain(x + i * WIDTH, w[INPUT_NORM].values, normed);
    project(&w[Q], normed, Q_WIDTH, WIDTH, queries + i * Q_WIDTH);
    project(&w[K], normed, KV_WIDTH, WIDTH, k);
    project(&w[V], normed, KV_WIDTH, WIDTH, v);
    for (int h = 0; h < HEADS; h++) rotate(n, i, queries + i * Q_WIDTH + h * HEAD_WIDTH);
    for (int h = 0; h < KV_HEADS && n->slots[i] >= 0; h++) {
      rotate(n, i, k + h * HEAD_WIDTH);
      double *keys = cached(n->keys[l].values, i / TOKENS, h), *values = cached(n->values[l].values, i / TOKENS, h);
      for (int c = 0; c < HEAD_WIDTH; c++) {
        keys[n->slots[i] * HEAD_WIDTH + c] = k[h * HEAD_WIDTH + c];
        values[c * LENGTH + n->slots[i]] = v[h * HEAD_WIDTH + c];
      }
    }
  }
}

static void attend_plain(network *n, int l, long token, int head, const double *q, double *out) {
  long kv_head = head / (HEADS / KV_HEADS);
  double *keys = cached(n->keys[l].values, token / TOKENS, kv_head);
  double *values = cached(n->values[l].values, token / TOKENS, kv_head), sum = 0;
  for (int c = 0; c < HEAD_WIDTH; c++) out[c] = 0;
  for (int t = 0; t < LENGTH; t++) {
    if (!n->mask[token * LENGTH + t]) continue;
    double score = 0;
    for (int c = 0; c < HEAD_WIDTH; c++) score += q[c] * keys[t * HEAD_WIDTH + c];
    double e = exp(score / sqrt(HEAD_WIDTH));
    sum += e;
    for (int c = 0; c < HEAD_WIDTH; c++) out[c] += e * values[c * LENGTH + t];
  }
  for (int c = 0; c < HEAD_WIDTH; c++) out[c] /= sum;
}

// layer_plain computes a layer on x [ALL, WIDTH].
static void layer_plain(network *n, int l, double *x) {
  const array *w = n->weights[l];
  double queries[ALL * Q_WIDTH];
  qkv_plain(n, l, x, queries);
  for (long i = 0; i < ALL; i++, x += WIDTH) {
    double attended[Q_WIDTH], projected[WIDTH], normed[WIDTH], gate[MLP_WIDTH], up[MLP_WIDTH];
    for (int h = 0; h < HEADS; h++)
      attend_plain(n, l, i, h, queries + i * Q_WIDTH + h * HEAD_WIDTH, attended + h * HEAD_WIDTH);
    project(&w[O], attended, WIDTH, Q_WIDTH, projected);
    for (int c = 0; c < WIDTH; c++) x[c] += projected[c];
    norm_plain(x, w[POST_NORM].values, normed);
    project(&w[GATE], normed, MLP_WIDTH, WIDTH, gate);
    project(&w[UP], normed, MLP_WIDTH, WIDTH, up);
    for (int c = 0; c < MLP_WIDTH; c++) gate[c] *= up[c] / (1 + exp(-gate[c]));
    project(&w[DOWN], gate, WIDTH, MLP_WIDTH, projected);
    for (int c = 0; c < WIDTH; c++) x[c] += projected[c];
  }
}

static void test_dtype(bool bf16, double bound) {
  network n = make_network(bf16);
  decoder_layer layers[LAYERS];
  for (int l = 0; l < LAYERS; l++) {
    array *w = n.weights[l];
    layers[l] = (decoder_layer){
        .keys = n.keys[l].data, .values = n.values[l].data, .input_norm = w[INPUT_NORM].data,
        .q = w[Q].data, .k = w[K].data, .v = w[V].data, .o = w[O].data,
        .post_norm = w[POST_NORM].data, .gate = w[GATE].data, .up = w[UP].data, .down = w[DOWN].data,
    };
  }
  decoder_inputs in = {
      .bf16 = bf16, .bf16_norms = bf16, .rows = ROWS, .tokens = TOKENS, .width = WIDTH, .heads = HEADS,
      .kv_heads = KV_HEADS, .head_width = HEAD_WIDTH, .mlp_width = MLP_WIDTH, .cache_length = LENGTH,
      .layer_count = LAYERS, .epsilon = 1e-5, .slots = n.slots, .cos = n.cos.data, .sin = n.sin.data, .mask = n.mask,
      .layers = layers, .x = n.x.data,
  };
  run_threads(decoder_new(in, 3));
  for (int l = 0; l < LAYERS; l++) layer_plain(&n, l, n.x.values);
  check_near("decoder: x", &n.x, n.x.values, bound);
  for (int l = 0; l < LAYERS; l++) {
    check_near("decoder: keys", &n.keys[l], n.keys[l].values, bound);
    check_near("decoder: values", &n.values[l], n.values[l].values, bound);
  }
  free_network(&n);
}

void test_decoder(void) {
  test_dtype(false, 2e-6);
  test_dtype(true, 2e-2);
}
