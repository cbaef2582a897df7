//go:build cgo && linux

// The product as a custom call of XLA, by the C interface of its foreign functions, version 0: an entry keeps its place in the table of
// functions and a field its place in a structure.
#include <stddef.h>

#include "handler.h"
#include "product.h"

#include <stdatomic.h>
#include <stdlib.h>

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
  extension_metadata = 1, stage_execute = 3, out_of_memory = 8, unimplemented = 12,
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

// shared_product is a product that some threads work at; the last to leave frees it.
typedef struct { product *product; atomic_int owners; } shared_product;

static void leave(shared_product *s) {
  if (atomic_fetch_sub(&s->owners, 1) > 1) return;
  product_free(s->product);
  free(s);
}

static void help(void *data) {
  shared_product *s = data;
  product_work(s->product);
  leave(s);
}

// multiply uses the threads of XLA's pool that are free: it waits for none that has not begun.
static void *multiply(const call *c, long number, matrix left, matrix right, number_type from, void *out, number_type to) {
  int64_t threads = 1;
  threads_args asked = {.size = sizeof asked, .context = c->context, .threads = &threads};
  if (!succeeds(c, function_threads, &asked) || threads < 1) threads = 1;
  shared_product *s = malloc(sizeof *s);
  if (s != NULL) s->product = product_new(number, left, right, from, out, to, threads);
  if (s == NULL || s->product == NULL) {
    free(s);
    return failure(c, out_of_memory, "no memory for a product of matrices");
  }
  atomic_init(&s->owners, 1);
  for (int i = 1; i < product_threads(s->product); i++) {
    schedule_args helper = {.size = sizeof helper, .context = c->context, .task = help, .data = s};
    atomic_fetch_add(&s->owners, 1);
    if (succeeds(c, function_schedule, &helper)) continue;
    atomic_fetch_sub(&s->owners, 1);
    break;
  }
  product_work(s->product);
  product_wait(s->product);
  leave(s);
  return NULL;
}

// operand reads an argument, whose last two axes are a matrix.
static matrix operand(const buffer *b, bool across) {
  const int64_t *dims = b->dims + b->rank - 2;
  return (matrix){b->data, dims[across ? 1 : 0], dims[across ? 0 : 1], across};
}

void *gemm_product(void *frame) {
  call *c = frame;
  if (c->extension != NULL && ((metadata_extension *)c->extension)->kind == extension_metadata) { // XLA asks what this was made for
    metadata *m = ((metadata_extension *)c->extension)->metadata;
    m->version.major = GEMM_FFI_MAJOR, m->version.minor = GEMM_FFI_MINOR;
    return NULL;
  }
  if (c->stage != stage_execute) return NULL;
  if (c->arguments.n != 2 || c->results.n != 1 || c->attributes.n != 1) return failure(c, unimplemented, "not a product of two matrices");
  const buffer *left = c->arguments.list[0], *right = c->arguments.list[1], *out = c->results.list[0];
  int64_t across = *(int64_t *)((scalar *)c->attributes.list[0])->value; // bit 0 of the left matrix, bit 1 of the right one
  return multiply(c, left->rank == 3 ? left->dims[0] : 1, operand(left, across & 1), operand(right, across & 2), left->type, out->data, out->type);
}
