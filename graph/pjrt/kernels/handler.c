//go:build cgo && linux

// Version 0 of the C interface of XLA's foreign functions: an entry keeps its place in the table of functions, and
// a field its place in a structure.
#include "handler.h"

#include "attention.h"
#include "decoder.h"
#include "product.h"
#include "rows.h"

const char *compiler_version(void) { return __VERSION__; }

#ifdef HAVE_KERNELS

#include <stdlib.h>
#include <string.h>

// HEADER begins every structure of the interface.
#define HEADER   \
  size_t size;   \
  void *extension

typedef struct { HEADER; int type; void *data; int64_t rank; int64_t *dims; } buffer;
typedef struct { HEADER; int64_t n; int *kinds; void **list; } values;
typedef struct { HEADER; int64_t n; int *kinds; void **names; void **list; } attributes;
typedef struct { int type; void *value; } scalar;
typedef struct { HEADER; int major, minor; } version;
typedef struct { HEADER; version version; void *internal; void *(*functions[])(void *args); } api;
typedef struct {
  HEADER;
  const api *api;
  void *context;
  int stage;
  values arguments, results;
  attributes attributes;
} call;
typedef struct { size_t size; version version; } metadata;
typedef struct { size_t size; int kind; void *next; metadata *metadata; } metadata_extension;
typedef struct { HEADER; const char *message; int code; } error_args;
typedef struct { HEADER; void *error; } destroy_args;
typedef struct { HEADER; void *context; void (*task)(void *data); void *data; } schedule_args;
typedef struct { HEADER; void *context; int64_t *threads; } threads_args;

enum { FUNCTION_ERROR = 0, FUNCTION_DESTROY = 2, FUNCTION_SCHEDULE = 11, FUNCTION_THREADS = 12 };
enum { TYPE_PRED = 1, TYPE_S32 = 4, TYPE_F32 = 11, TYPE_BF16 = 16 };
enum { EXTENSION_METADATA = 1, STAGE_EXECUTE = 3, CODE_OUT_OF_MEMORY = 8, CODE_UNIMPLEMENTED = 12 };

static void *failure(const call *c, int code, const char *message) {
  error_args args = {.size = sizeof args, .message = message, .code = code};
  return c->api->functions[FUNCTION_ERROR](&args);
}

static void *wrong_operands(const call *c, const char *message) { return failure(c, CODE_UNIMPLEMENTED, message); }

// succeeds calls one of XLA's functions and frees its error.
static bool succeeds(const call *c, int function, void *args) {
  destroy_args failed = {.size = sizeof failed, .error = c->api->functions[function](args)};
  if (failed.error == NULL) return true;
  c->api->functions[FUNCTION_DESTROY](&failed);
  return false;
}

// thread_count returns the number of threads in XLA's pool.
static int thread_count(const call *c) {
  int64_t n = 1;
  threads_args args = {.size = sizeof args, .context = c->context, .threads = &n};
  return succeeds(c, FUNCTION_THREADS, &args) && n > 1 ? n : 1;
}

static void help_with_job(void *data) {
  job_run_tasks(data);
  job_release(data);
}

// run_job runs a job on this thread and on those threads of XLA's pool that are free before its last task begins.
static void *run_job(const call *c, job *j) {
  if (j == NULL) return failure(c, CODE_OUT_OF_MEMORY, "no memory for a custom call");
  for (int i = 1; i < j->threads; i++) {
    schedule_args args = {.size = sizeof args, .context = c->context, .task = help_with_job, .data = j};
    atomic_fetch_add(&j->owners, 1);
    if (succeeds(c, FUNCTION_SCHEDULE, &args)) continue;
    atomic_fetch_sub(&j->owners, 1);
    break;
  }
  job_run_tasks(j);
  job_wait(j);
  job_release(j);
  return NULL;
}

// is_execution reports whether XLA wants the call executed. Otherwise it answers a request for the interface's
// version.
static bool is_execution(const call *c) {
  const metadata_extension *e = c->extension;
  if (e != NULL && e->kind == EXTENSION_METADATA) {
    e->metadata->version.major = FFI_MAJOR, e->metadata->version.minor = FFI_MINOR;
    return false;
  }
  return c->stage == STAGE_EXECUTE;
}

static const buffer *argument(const call *c, int i) { return c->arguments.list[i]; }
static const buffer *result(const call *c, int i) { return c->results.list[i]; }
static bool has_counts(const call *c, int64_t arguments, int64_t results) {
  return c->arguments.n == arguments && c->results.n == results;
}

static bool has_shape(const buffer *b, int type, const int64_t dims[], int rank) {
  if (b->type != type || b->rank != rank) return false;
  for (int i = 0; i < rank; i++)
    if (b->dims[i] != dims[i]) return false;
  return true;
}

// as_matrix returns the matrix in the last two axes of an array.
static matrix as_matrix(const buffer *b, bool transposed) {
  const int64_t *dims = b->dims + b->rank - 2;
  return (matrix){
      .data = b->data,
      .rows = dims[transposed ? 1 : 0],
      .depth = dims[transposed ? 0 : 1],
      .transposed = transposed,
      .stride = dims[1],
  };
}

void *bfpo_product(void *frame) {
  const call *c = frame;
  if (!is_execution(c)) return NULL;
  if (!has_counts(c, 2, 1) || c->attributes.n != 1) return wrong_operands(c, "not a product of two matrices");
  const buffer *left = argument(c, 0), *right = argument(c, 1), *out = result(c, 0);
  int64_t attribute = *(int64_t *)((scalar *)c->attributes.list[0])->value;
  long batch = 1;
  for (int i = 0; i + 2 < left->rank; i++) batch *= left->dims[i];
  format f = left->type != TYPE_F32 ? bf16_format() : attribute & ALLOW_BF16X3 && amx_available() ? BF16X3 : F32;
  matrix a = as_matrix(left, attribute & LEFT_TRANSPOSED), b = as_matrix(right, attribute & RIGHT_TRANSPOSED);
  return run_job(c, product_new(batch, a, b, f, out->data, out->type == TYPE_BF16, thread_count(c)));
}

void *bfpo_rows(void *frame) {
  const call *c = frame;
  if (!is_execution(c)) return NULL;
  if (!has_counts(c, 2, 1)) return wrong_operands(c, "not a product of two matrices");
  const buffer *left = argument(c, 0), *right = argument(c, 1), *out = result(c, 0);
  matrix a = as_matrix(left, false), b = as_matrix(right, false);
  return run_job(c, rows_new(a, b, left->type != TYPE_F32, out->data, out->type == TYPE_BF16, thread_count(c)));
}

// is_attention checks the shapes of q, k, v and mask.
static bool is_attention(const call *c) {
  const buffer *q = argument(c, 0), *k = argument(c, 1), *v = argument(c, 2), *mask = argument(c, 3);
  if (q->rank != 4 || k->rank != 4 || (q->type != TYPE_F32 && q->type != TYPE_BF16)) return false;
  int64_t rows = q->dims[0], length = q->dims[1], kv_heads = k->dims[2], width = q->dims[3];
  const int64_t kv_dims[] = {rows, length, kv_heads, width}, mask_dims[] = {rows, length, length};
  if (rows * length < 1 || kv_heads < 1 || q->dims[2] % kv_heads != 0 || width < 1 || width % BLOCK != 0) return false;
  return has_shape(k, q->type, kv_dims, 4) && has_shape(v, q->type, kv_dims, 4) &&
         has_shape(mask, TYPE_PRED, mask_dims, 3);
}

static attention_inputs read_attention_inputs(const call *c) {
  const buffer *q = argument(c, 0), *k = argument(c, 1);
  return (attention_inputs){
      .format = q->type == TYPE_F32 ? F32 : bf16_format(),
      .q = q->data,
      .k = k->data,
      .v = argument(c, 2)->data,
      .mask = argument(c, 3)->data,
      .rows = q->dims[0],
      .length = q->dims[1],
      .heads = q->dims[2],
      .kv_heads = k->dims[2],
      .width = q->dims[3],
  };
}

void *bfpo_attention(void *frame) {
  const call *c = frame;
  if (!is_execution(c)) return NULL;
  if (!has_counts(c, 4, 1) || !is_attention(c)) return wrong_operands(c, "not attention");
  return run_job(c, attention_new(read_attention_inputs(c), result(c, 0)->data, thread_count(c)));
}

void *bfpo_attention_gradient(void *frame) {
  const call *c = frame;
  if (!is_execution(c)) return NULL;
  if (!has_counts(c, 5, 3) || !is_attention(c)) return wrong_operands(c, "not the gradient of attention");
  void *dq = result(c, 0)->data, *dk = result(c, 1)->data, *dv = result(c, 2)->data;
  const void *dy = argument(c, 4)->data;
  return run_job(c, attention_gradient_new(read_attention_inputs(c), dy, dq, dk, dv, thread_count(c)));
}

// Arguments of bfpo_decoder: these, then LAYER_ARGUMENTS for each layer.
enum { ARG_X, ARG_SLOTS, ARG_COS, ARG_SIN, ARG_MASK, ARG_EPSILON, ARG_LAYERS, LAYER_ARGUMENTS = 11 };

static bool is_float(int type) { return type == TYPE_F32 || type == TYPE_BF16; }

// read_decoder_sizes reads the sizes from the first layer, and reports whether they are valid.
static bool read_decoder_sizes(const call *c, decoder_inputs *d) {
  const buffer **in = (const buffer **)c->arguments.list, **layer = in + ARG_LAYERS;
  const buffer *slots = in[ARG_SLOTS], *epsilon = in[ARG_EPSILON];
  const buffer *keys = layer[0], *norm = layer[2], *q = layer[3], *gate = layer[8];
  if (slots->rank != 2 || keys->rank != 4 || q->rank != 2 || gate->rank != 2) return false;
  if (!has_shape(epsilon, TYPE_F32, NULL, 0) || !is_float(q->type) || !is_float(norm->type)) return false;
  d->bf16 = q->type == TYPE_BF16, d->bf16_norms = norm->type == TYPE_BF16, d->epsilon = *(float *)epsilon->data;
  d->rows = slots->dims[0], d->tokens = slots->dims[1];
  d->width = q->dims[1], d->mlp_width = gate->dims[0];
  d->kv_heads = keys->dims[1], d->cache_length = keys->dims[2], d->head_width = keys->dims[3];
  if (d->rows * d->tokens < 1 || d->width < 1 || d->kv_heads < 1) return false;
  if (d->cache_length < 1 || d->head_width < 1 || d->mlp_width < 1) return false;
  d->heads = q->dims[0] / d->head_width, d->layer_count = (c->arguments.n - ARG_LAYERS) / LAYER_ARGUMENTS;
  d->slots = slots->data, d->cos = in[ARG_COS]->data, d->sin = in[ARG_SIN]->data, d->mask = in[ARG_MASK]->data;
  d->x = result(c, 0)->data;
  return d->heads > 0 && d->heads % d->kv_heads == 0 && d->width % BLOCK == 0 && d->head_width % BLOCK == 0 &&
         d->mlp_width % BLOCK == 0 && d->cache_length % BLOCK == 0;
}

// read_layers reads the layers, and reports whether their shapes are valid and the cache is updated in place.
static bool read_layers(const call *c, const decoder_inputs *d, decoder_layer *layers) {
  int type = argument(c, ARG_LAYERS)->type, norm_type = argument(c, ARG_LAYERS + 2)->type;
  int64_t q = d->heads * d->head_width, kv = d->kv_heads * d->head_width, width = d->width, mlp = d->mlp_width;
  const int64_t keys[] = {d->rows, d->kv_heads, d->cache_length, d->head_width};
  const int64_t values[] = {d->rows, d->kv_heads, d->head_width, d->cache_length};
  const int64_t dims[][2] = {{width}, {q, width}, {kv, width}, {kv, width}, {width, q},
                             {width}, {mlp, width}, {mlp, width}, {width, mlp}};
  for (long i = 0; i < d->layer_count; i++) {
    const buffer **a = (const buffer **)c->arguments.list + ARG_LAYERS + i * LAYER_ARGUMENTS;
    if (!has_shape(a[0], type, keys, 4) || !has_shape(a[1], type, values, 4)) return false;
    for (int k = 0; k < LAYER_ARGUMENTS - 2; k++) {
      bool is_norm = k % 5 == 0;
      if (!has_shape(a[2 + k], is_norm ? norm_type : type, dims[k], is_norm ? 1 : 2)) return false;
    }
    const buffer *new_keys = result(c, 1 + 2 * i), *new_values = result(c, 2 + 2 * i);
    if (!has_shape(new_keys, type, keys, 4) || !has_shape(new_values, type, values, 4)) return false;
    if (new_keys->data != a[0]->data || new_values->data != a[1]->data) return false;
    layers[i] = (decoder_layer){
        .keys = a[0]->data, .values = a[1]->data, .input_norm = a[2]->data,
        .q = a[3]->data, .k = a[4]->data, .v = a[5]->data, .o = a[6]->data,
        .post_norm = a[7]->data, .gate = a[8]->data, .up = a[9]->data, .down = a[10]->data,
    };
  }
  return true;
}

// is_decoder checks the shapes of the arguments before the layers.
static bool is_decoder(const call *c, const decoder_inputs *d) {
  const int64_t slots[] = {d->rows, d->tokens}, mask[] = {d->rows, d->tokens, d->cache_length};
  const int64_t angles[] = {d->rows, d->tokens, 1, d->head_width / 2}, x[] = {d->rows, d->tokens, d->width};
  return has_shape(argument(c, ARG_X), TYPE_F32, x, 3) && has_shape(result(c, 0), TYPE_F32, x, 3) &&
         has_shape(argument(c, ARG_SLOTS), TYPE_S32, slots, 2) &&
         has_shape(argument(c, ARG_COS), TYPE_F32, angles, 4) && has_shape(argument(c, ARG_SIN), TYPE_F32, angles, 4) &&
         has_shape(argument(c, ARG_MASK), TYPE_PRED, mask, 3);
}

void *bfpo_decoder(void *frame) {
  const call *c = frame;
  if (!is_execution(c)) return NULL;
  const char *wrong = "not the layers of a decoder";
  int64_t n = c->arguments.n - ARG_LAYERS;
  if (n < LAYER_ARGUMENTS || n % LAYER_ARGUMENTS != 0 || c->results.n != 1 + 2 * (n / LAYER_ARGUMENTS))
    return wrong_operands(c, wrong);
  decoder_inputs d = {0};
  if (!read_decoder_sizes(c, &d) || !is_decoder(c, &d)) return wrong_operands(c, wrong);
  decoder_layer *layers = malloc(d.layer_count * sizeof *layers);
  if (layers == NULL) return run_job(c, NULL);
  d.layers = layers;
  void *failed;
  if (read_layers(c, &d, layers)) {
    const void *x = argument(c, ARG_X)->data;
    if (d.x != x) memcpy(d.x, x, d.rows * d.tokens * d.width * sizeof(float));
    failed = run_job(c, decoder_new(d, thread_count(c)));
  } else {
    failed = wrong_operands(c, wrong);
  }
  free(layers);
  return failed;
}

#else

void *bfpo_product(void *frame) { return NULL; }
void *bfpo_rows(void *frame) { return NULL; }
void *bfpo_attention(void *frame) { return NULL; }
void *bfpo_attention_gradient(void *frame) { return NULL; }
void *bfpo_decoder(void *frame) { return NULL; }

#endif
