//go:build cgo && linux

// Jobs as custom calls of XLA, by the C interface of its foreign functions, version 0: an entry keeps its place in the table of
// functions and a field its place in a structure.
#include "handler.h"

#include "attention.h"
#include "decoder.h"
#include "gate.h"
#include "product.h"
#include "rows.h"

const char *compiler_version(void) { return __VERSION__; }

#ifdef X86_TILES

#include <stdlib.h>
#include <string.h>

// Every structure of XLA begins so.
#define HEADER   \
  size_t size;   \
  void *extension

typedef struct { HEADER; int type; void *data; int64_t rank; int64_t *dims; } buffer;
typedef struct { HEADER; int64_t n; int *kinds; void **list; } values;
typedef struct { HEADER; int64_t n; int *kinds; void **names; void **list; } attributes;
typedef struct { int type; void *value; } scalar;
typedef struct { HEADER; int major, minor; } version;
typedef struct { HEADER; version version; void *internal; void *(*functions[])(void *args); } api;
typedef struct { HEADER; const api *api; void *context; int stage; values arguments, results; attributes attributes; } call;
typedef struct { size_t size; version version; } metadata;
typedef struct { size_t size; int kind; void *next; metadata *metadata; } metadata_extension;
typedef struct { HEADER; const char *message; int code; } error_args;
typedef struct { HEADER; void *error; } destroy_args;
typedef struct { HEADER; void *context; void (*task)(void *data); void *data; } schedule_args;
typedef struct { HEADER; void *context; int64_t *threads; } threads_args;

enum {
  function_error = 0, function_destroy = 2, function_schedule = 11, function_threads = 12,
  type_pred = 1, type_s32 = 4, type_f32 = 11, type_bf16 = 16, extension_metadata = 1, stage_execute = 3, out_of_memory = 8, unimplemented = 12,
};

static void *failure(const call *c, int code, const char *message) {
  error_args args = {.size = sizeof args, .message = message, .code = code};
  return c->api->functions[function_error](&args);
}

// succeeds calls one of XLA's functions.
static bool succeeds(const call *c, int function, void *args) {
  destroy_args failed = {.size = sizeof failed, .error = c->api->functions[function](args)};
  if (failed.error == NULL) return true;
  c->api->functions[function_destroy](&failed);
  return false;
}

static void help(void *data) {
  job_work(data);
  job_leave(data);
}

// threads is the number of those that XLA's pool has.
static int threads(const call *c) {
  int64_t n = 1;
  threads_args asked = {.size = sizeof asked, .context = c->context, .threads = &n};
  return succeeds(c, function_threads, &asked) && n > 1 ? n : 1;
}

// perform does a job with the threads of XLA's pool that are free: it waits for none that has not begun.
static void *perform(const call *c, job *j) {
  if (j == NULL) return failure(c, out_of_memory, "no memory for a call");
  for (int i = 1; i < j->threads; i++) {
    schedule_args helper = {.size = sizeof helper, .context = c->context, .task = help, .data = j};
    atomic_fetch_add(&j->owners, 1);
    if (succeeds(c, function_schedule, &helper)) continue;
    atomic_fetch_sub(&j->owners, 1);
    break;
  }
  job_work(j);
  job_wait(j);
  job_leave(j);
  return NULL;
}

// waits tells that XLA does not want the work done but something else, which is then done.
static bool waits(const call *c) {
  if (c->extension != NULL && ((metadata_extension *)c->extension)->kind == extension_metadata) { // XLA asks what this was made for
    metadata *m = ((metadata_extension *)c->extension)->metadata;
    m->version.major = FFI_MAJOR, m->version.minor = FFI_MINOR;
    return true;
  }
  return c->stage != stage_execute;
}

// operand reads an argument, whose last two axes are a matrix.
static matrix operand(const buffer *b, bool across) {
  const int64_t *dims = b->dims + b->rank - 2;
  return (matrix){b->data, dims[across ? 1 : 0], dims[across ? 0 : 1], across, dims[1], NULL};
}

static bool has_shape(const buffer *b, int type, const int64_t dims[], int rank) {
  if (b->type != type || b->rank != rank) return false;
  for (int i = 0; i < rank; i++)
    if (b->dims[i] != dims[i]) return false;
  return true;
}

void *bfpo_product(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  if (c->arguments.n != 2 || c->results.n != 1 || c->attributes.n != 1) return failure(c, unimplemented, "not a product of two matrices");
  const buffer *left = c->arguments.list[0], *right = c->arguments.list[1], *out = c->results.list[0];
  int64_t how = *(int64_t *)((scalar *)c->attributes.list[0])->value;
  long number = left->rank == 3 ? left->dims[0] : 1;
  strips kind = left->type != type_f32 ? bf16 : how & as_bf16x3 && have_tiles() ? bf16x3 : f32;
  matrix a = operand(left, how & left_across), b = operand(right, how & right_across);
  return perform(c, product_new(number, a, b, kind, out->data, out->type == type_bf16, threads(c)));
}

// are_weighed_rows checks numbers, the largest ones and the matrix.
static bool are_weighed_rows(const call *c) {
  if (c->arguments.n != 3 || c->results.n != 1) return false;
  const buffer *x = c->arguments.list[0], *right = c->arguments.list[2];
  if (x->rank != 2 || right->rank != 2) return false;
  int64_t rows = x->dims[0], depth = x->dims[1], columns = right->dims[1];
  const int64_t left[] = {rows, depth}, matrix[] = {depth, columns}, out[] = {rows, columns};
  return rows * depth * columns > 0 && has_shape(x, type_f32, left, 2) && has_shape(c->arguments.list[1], type_f32, left, 1) &&
         has_shape(right, type_bf16, matrix, 2) && has_shape(c->results.list[0], type_f32, out, 2);
}

void *bfpo_weighed_rows(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  if (!are_weighed_rows(c)) return failure(c, unimplemented, "not exponentials times a matrix");
  matrix x = operand(c->arguments.list[0], false), right = operand(c->arguments.list[2], true);
  x.below = ((const buffer *)c->arguments.list[1])->data;
  return perform(c, product_new(1, x, right, bf16, ((const buffer *)c->results.list[0])->data, false, threads(c)));
}

void *bfpo_rows(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  if (c->arguments.n != 2 || c->results.n != 1) return failure(c, unimplemented, "not a product of two matrices");
  const buffer *left = c->arguments.list[0], *right = c->arguments.list[1], *out = c->results.list[0];
  strips kind = left->type == type_f32 ? f32 : bf16;
  return perform(c, rows_new(operand(left, false), operand(right, false), kind, out->data, out->type == type_bf16, threads(c)));
}

// is_attention checks q, k, v and mask.
static bool is_attention(const call *c) {
  const buffer *q = c->arguments.list[0], *k = c->arguments.list[1], *v = c->arguments.list[2], *mask = c->arguments.list[3];
  if (q->rank != 4 || k->rank != 4 || (q->type != type_f32 && q->type != type_bf16)) return false;
  int64_t groups = k->dims[2], width = q->dims[3];
  const int64_t keys[] = {q->dims[0], q->dims[1], groups, width}, seen[] = {q->dims[0], q->dims[1], q->dims[1]};
  if (q->dims[0] * q->dims[1] < 1 || groups < 1 || q->dims[2] % groups != 0 || width < 1 || width % side != 0) return false;
  return has_shape(k, q->type, keys, 4) && has_shape(v, q->type, keys, 4) && has_shape(mask, type_pred, seen, 3);
}

// attended reads q, k, v and mask.
static inputs attended(const call *c) {
  const buffer *q = c->arguments.list[0], *k = c->arguments.list[1], *v = c->arguments.list[2], *mask = c->arguments.list[3];
  return (inputs){q->type == type_f32 ? f32 : bf16, q->data, k->data, v->data, mask->data, q->dims[0], q->dims[1], q->dims[2], k->dims[2], q->dims[3]};
}

void *bfpo_attention(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  if (c->arguments.n != 4 || c->results.n != 1 || !is_attention(c)) return failure(c, unimplemented, "not attention");
  const buffer *y = c->results.list[0];
  return perform(c, attention_new(attended(c), y->data, threads(c)));
}

void *bfpo_attention_gradient(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  if (c->arguments.n != 5 || c->results.n != 3 || !is_attention(c)) return failure(c, unimplemented, "not the gradient of attention");
  const buffer *dy = c->arguments.list[4], **out = (const buffer **)c->results.list;
  return perform(c, attention_gradient_new(attended(c), dy->data, out[0]->data, out[1]->data, out[2]->data, threads(c)));
}

void *bfpo_gate_gradient(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  const char *wrong = "not the gradient of a gate";
  if (c->arguments.n != 3 || c->results.n != 2) return failure(c, unimplemented, wrong);
  const buffer **in = (const buffer **)c->arguments.list, **out = (const buffer **)c->results.list, *all[] = {in[0], in[1], in[2], out[0], out[1]};
  long numbers = 1;
  for (int i = 0; i < in[0]->rank; i++) numbers *= in[0]->dims[i];
  for (int i = 0; i < 5; i++)
    if (!has_shape(all[i], type_bf16, in[0]->dims, in[0]->rank) || numbers < 1) return failure(c, unimplemented, wrong);
  return perform(c, gate_gradient_new(in[0]->data, in[1]->data, in[2]->data, out[0]->data, out[1]->data, numbers, threads(c)));
}

// Operands of bfpo_decoder: these, and then a layer's for each.
enum { decoder_x, decoder_now, decoder_cos, decoder_sin, decoder_mask, decoder_epsilon, decoder_layers, layer_operands = 11 };

static bool is_number(int type) { return type == type_f32 || type == type_bf16; }

static strips kind_of(const buffer *b) { return b->type == type_f32 ? f32 : bf16; }

// read_sizes reads the sizes off the first layer, and tells whether there can be such a decoder.
static bool read_sizes(const call *c, decoding *d) {
  const buffer **in = (const buffer **)c->arguments.list, **first = in + decoder_layers;
  const buffer *now = in[decoder_now], *epsilon = in[decoder_epsilon], *keys = first[0], *norm = first[2], *q = first[3], *gate = first[8];
  if (now->rank != 2 || keys->rank != 4 || q->rank != 2 || gate->rank != 2 || !has_shape(epsilon, type_f32, NULL, 0)) return false;
  if (!is_number(q->type) || !is_number(norm->type)) return false;
  d->kind = kind_of(q), d->norms = kind_of(norm), d->rows = now->dims[0], d->tokens = now->dims[1], d->epsilon = *(float *)epsilon->data;
  d->width = q->dims[1], d->groups = keys->dims[1], d->columns = keys->dims[2], d->head = keys->dims[3], d->middle = gate->dims[0];
  if (d->rows * d->tokens < 1 || d->width < 1 || d->groups < 1 || d->columns < 1 || d->head < 1 || d->middle < 1) return false;
  d->heads = q->dims[0] / d->head, d->layers = (c->arguments.n - decoder_layers) / layer_operands;
  d->now = now->data, d->cos = in[decoder_cos]->data, d->sin = in[decoder_sin]->data, d->mask = in[decoder_mask]->data;
  d->x = ((const buffer *)c->results.list[0])->data;
  return d->heads > 0 && d->heads % d->groups == 0 && d->width % side + d->head % side + d->middle % side + d->columns % side == 0;
}

// read_layers sets the layers, and tells whether all is of the shapes of the first, and the cache in place.
static bool read_layers(const call *c, const decoding *d, layer *layers) {
  const buffer **in = (const buffer **)c->arguments.list, **out = (const buffer **)c->results.list;
  int type = in[decoder_layers]->type, norm = in[decoder_layers + 2]->type;
  int64_t mixed = d->heads * d->head, shared = d->groups * d->head;
  const int64_t keys[] = {d->rows, d->groups, d->columns, d->head}, values[] = {d->rows, d->groups, d->head, d->columns};
  const int64_t dims[][2] = {{d->width}, {mixed, d->width}, {shared, d->width}, {shared, d->width}, {d->width, mixed},
                             {d->width}, {d->middle, d->width}, {d->middle, d->width}, {d->width, d->middle}};
  for (long i = 0; i < d->layers; i++) {
    const buffer **a = in + decoder_layers + i * layer_operands;
    if (!has_shape(a[0], type, keys, 4) || !has_shape(a[1], type, values, 4)) return false;
    for (int k = 0; k < layer_operands - 2; k++)
      if (!has_shape(a[2 + k], k % 5 == 0 ? norm : type, dims[k], k % 5 == 0 ? 1 : 2)) return false;
    const buffer *next = out[1 + 2 * i], *after = out[2 + 2 * i];
    if (!has_shape(next, type, keys, 4) || !has_shape(after, type, values, 4) || next->data != a[0]->data || after->data != a[1]->data) return false;
    layers[i] = (layer){a[0]->data, a[1]->data, a[2]->data, a[3]->data, a[4]->data, a[5]->data, a[6]->data, a[7]->data, a[8]->data, a[9]->data, a[10]->data};
  }
  return true;
}

// is_decoder checks what comes before the layers.
static bool is_decoder(const call *c, const decoding *d) {
  const buffer **in = (const buffer **)c->arguments.list;
  const int64_t tokens[] = {d->rows, d->tokens}, mask[] = {d->rows, d->tokens, d->columns}, angles[] = {d->rows, d->tokens, 1, d->head / 2};
  const int64_t x[] = {d->rows, d->tokens, d->width};
  if (!has_shape(in[decoder_x], type_f32, x, 3) || !has_shape(c->results.list[0], type_f32, x, 3)) return false;
  return has_shape(in[decoder_now], type_s32, tokens, 2) && has_shape(in[decoder_cos], type_f32, angles, 4) &&
         has_shape(in[decoder_sin], type_f32, angles, 4) && has_shape(in[decoder_mask], type_pred, mask, 3);
}

void *bfpo_decoder(void *frame) {
  const call *c = frame;
  if (waits(c)) return NULL;
  const char *wrong = "not the layers of a decoder";
  int64_t n = c->arguments.n - decoder_layers;
  if (n < layer_operands || n % layer_operands != 0 || c->results.n != 1 + 2 * (n / layer_operands)) return failure(c, unimplemented, wrong);
  decoding d = {0};
  if (!read_sizes(c, &d) || !is_decoder(c, &d)) return failure(c, unimplemented, wrong);
  layer *layers = malloc(d.layers * sizeof *layers);
  if (layers == NULL) return perform(c, NULL);
  d.layer = layers;
  bool right = read_layers(c, &d, layers);
  const buffer *x = c->arguments.list[decoder_x];
  if (right && d.x != x->data) memcpy(d.x, x->data, d.rows * d.tokens * d.width * sizeof(float));
  void *failed = right ? perform(c, decoder_new(d, threads(c))) : failure(c, unimplemented, wrong);
  free(layers);
  return failed;
}

#else

bool can_multiply(void) { return false; }
bool have_tiles(void) { return false; }
void *bfpo_product(void *frame) { return NULL; }
void *bfpo_weighed_rows(void *frame) { return NULL; }
void *bfpo_rows(void *frame) { return NULL; }
void *bfpo_attention(void *frame) { return NULL; }
void *bfpo_attention_gradient(void *frame) { return NULL; }
void *bfpo_gate_gradient(void *frame) { return NULL; }
void *bfpo_decoder(void *frame) { return NULL; }

#endif
