// The entries that XLA calls, with frames as XLA makes them. It includes handler.c for the structures of the
// interface.
#include "../handler.c"

#include <pthread.h>
#include <stdio.h>

#include "test.h"

#ifdef HAVE_KERNELS

static void *make_error(void *args) { return (void *)((error_args *)args)->message; }
static void *no_error(void *args) { return NULL; }

static pthread_t pool[64];
static int pool_size;

static void *run_scheduled(void *data) {
  schedule_args *args = data;
  args->task(args->data);
  free(args);
  return NULL;
}

static void *schedule(void *data) {
  schedule_args *args = malloc(sizeof *args);
  *args = *(schedule_args *)data;
  if (pthread_create(&pool[pool_size++], NULL, run_scheduled, args) != 0) abort();
  return NULL;
}

static void *set_threads(void *data) {
  *((threads_args *)data)->threads = 3;
  return NULL;
}

// call_handler calls a handler as XLA does, and returns its error message or NULL.
static const char *call_handler(void *(*handler)(void *), buffer *arguments, int n, buffer *results, int m,
                                int64_t attribute) {
  struct {
    api api;
    void *(*functions[FUNCTION_THREADS + 1])(void *);
  } table = {.api.version = {.major = FFI_MAJOR, .minor = FFI_MINOR}};
  void *(**functions)(void *) = (void *(**)(void *))((char *)&table + offsetof(api, functions));
  for (int i = 0; i <= FUNCTION_THREADS; i++) functions[i] = no_error;
  functions[FUNCTION_ERROR] = make_error;
  functions[FUNCTION_SCHEDULE] = schedule, functions[FUNCTION_THREADS] = set_threads;
  void *in[64], *out[64];
  for (int i = 0; i < n; i++) in[i] = &arguments[i];
  for (int i = 0; i < m; i++) out[i] = &results[i];
  scalar value = {.value = &attribute};
  void *list[] = {&value};
  call c = {.api = &table.api, .stage = STAGE_EXECUTE, .arguments = {.n = n, .list = in},
            .results = {.n = m, .list = out}, .attributes = {.n = 1, .list = list}};
  const char *message = handler(&c);
  for (int i = 0; i < pool_size; i++) pthread_join(pool[i], NULL);
  pool_size = 0;
  c.stage = STAGE_EXECUTE - 1;
  c.arguments.n = 0; // other stages need no arguments
  check(handler(&c) == NULL, "a handler does something before execution");
  return message;
}

static buffer buffer_of(array *a, int rank, int64_t *dims) {
  return (buffer){.type = a->bf16 ? TYPE_BF16 : TYPE_F32, .data = a->data, .rank = rank, .dims = dims};
}

// check_finite fails unless a handler has succeeded and has written all of a result that was NaN.
static void check_finite(const char *name, const char *message, const array *a) {
  double *values = array_read(a);
  bool ok = message == NULL;
  for (long i = 0; i < a->size && ok; i++) ok = values[i] == values[i];
  if (!ok) fprintf(stderr, "%s: %s\n", name, message == NULL ? "the result has NaN" : message);
  check(ok, name);
  free(values);
}

static void test_product_handlers(bool bf16) {
  int64_t left_dims[] = {5, 40}, right_dims[] = {24, 40}, out_dims[] = {5, 24}, right_t_dims[] = {40, 24};
  array left = array_random(bf16, 200, 1), right = array_random(bf16, 960, 1), out = array_of_nan(bf16, 120);
  array transposed = array_of_nan(bf16, 960), again = array_of_nan(bf16, 120);
  for (int i = 0; i < 24; i++)
    for (int k = 0; k < 40; k++) {
      if (bf16) ((uint16_t *)transposed.data)[k * 24 + i] = ((uint16_t *)right.data)[i * 40 + k];
      else ((float *)transposed.data)[k * 24 + i] = ((float *)right.data)[i * 40 + k];
    }
  buffer in[] = {buffer_of(&left, 2, left_dims), buffer_of(&right, 2, right_dims)}, y = buffer_of(&out, 2, out_dims);
  check_finite("product", call_handler(bfpo_product, in, 2, &y, 1, ALLOW_BF16X3), &out);
  buffer in_t[] = {in[0], buffer_of(&transposed, 2, right_t_dims)}, y_t = buffer_of(&again, 2, out_dims);
  const char *message = call_handler(bfpo_product, in_t, 2, &y_t, 1, RIGHT_TRANSPOSED | ALLOW_BF16X3);
  check_finite("transposed product", message, &again);
  double *want = array_read(&out);
  check_near("transposed product", &again, want, 1e-7);
  free(want);
  check(call_handler(bfpo_product, in, 1, &y, 1, 0) != NULL, "a product of one matrix is accepted");
  array_free(&left), array_free(&right), array_free(&out), array_free(&transposed), array_free(&again);
}

// test_batch_handler multiplies a batch of two axes.
static void test_batch_handler(bool bf16) {
  int64_t dims[] = {3, 2, 4, 8}, out_dims[] = {3, 2, 4, 4};
  array left = array_random(bf16, 192, 1), right = array_random(bf16, 192, 1), out = array_of_nan(bf16, 96);
  buffer in[] = {buffer_of(&left, 4, dims), buffer_of(&right, 4, dims)}, y = buffer_of(&out, 4, out_dims);
  double want[96] = {0};
  for (int i = 0; i < 96; i++)
    for (int k = 0; k < 8; k++) want[i] += left.values[i / 4 * 8 + k] * right.values[(i / 16 * 4 + i % 4) * 8 + k];
  check_finite("batch", call_handler(bfpo_product, in, 2, &y, 1, 0), &out);
  check_near("batch", &out, want, bf16 ? 3e-3 : 1e-6);
  array_free(&left), array_free(&right), array_free(&out);
}

static void test_rows_handler(bool bf16) {
  int64_t left_dims[] = {5, 40}, right_dims[] = {24, 40}, out_dims[] = {5, 24};
  array left = array_random(bf16, 200, 1), right = array_random(bf16, 960, 1), out = array_of_nan(bf16, 120);
  buffer in[] = {buffer_of(&left, 2, left_dims), buffer_of(&right, 2, right_dims)}, y = buffer_of(&out, 2, out_dims);
  check_finite("rows", call_handler(bfpo_rows, in, 2, &y, 1, 0), &out);
  check(call_handler(bfpo_rows, in, 1, &y, 1, 0) != NULL, "a product of one matrix is accepted");
  array_free(&left), array_free(&right), array_free(&out);
}

static void test_attention_handlers(bool bf16) {
  int64_t q_dims[] = {1, 40, 4, 32}, kv_dims[] = {1, 40, 2, 32}, mask_dims[] = {1, 40, 40}, y_dims[] = {1, 40, 128};
  array q = array_random(bf16, 5120, 1), k = array_random(bf16, 2560, 1), v = array_random(bf16, 2560, 1);
  array dy = array_random(bf16, 5120, 1), y = array_of_nan(bf16, 5120), dq = array_of_nan(bf16, 5120);
  array dk = array_of_nan(bf16, 2560), dv = array_of_nan(bf16, 2560);
  uint8_t mask[1600];
  for (int i = 0; i < 1600; i++) mask[i] = i % 40 <= i / 40;
  buffer in[] = {buffer_of(&q, 4, q_dims), buffer_of(&k, 4, kv_dims), buffer_of(&v, 4, kv_dims),
                 {.type = TYPE_PRED, .data = mask, .rank = 3, .dims = mask_dims}, buffer_of(&dy, 3, y_dims)};
  buffer out = buffer_of(&y, 3, y_dims);
  buffer gradients[] = {buffer_of(&dq, 4, q_dims), buffer_of(&dk, 4, kv_dims), buffer_of(&dv, 4, kv_dims)};
  check_finite("attention", call_handler(bfpo_attention, in, 4, &out, 1, 0), &y);
  const char *message = call_handler(bfpo_attention_gradient, in, 5, gradients, 3, 0);
  check_finite("attention gradient: dq", message, &dq);
  check_finite("attention gradient: dk", message, &dk);
  check_finite("attention gradient: dv", message, &dv);
  check(call_handler(bfpo_attention_gradient, in, 4, gradients, 3, 0) != NULL, "a gradient without dy is accepted");
  int64_t odd_dims[] = {1, 80, 2, 32};
  buffer k_buffer = in[1];
  in[1].dims = odd_dims;
  check(call_handler(bfpo_attention, in, 4, &out, 1, 0) != NULL, "keys of another length are accepted");
  in[1] = k_buffer, in[3].type = TYPE_S32;
  check(call_handler(bfpo_attention, in, 4, &out, 1, 0) != NULL, "a mask of integers is accepted");
  array *all[] = {&q, &k, &v, &dy, &y, &dq, &dk, &dv};
  for (int i = 0; i < 8; i++) array_free(all[i]);
}

// test_decoder_handler calls the decoder with one layer whose sizes are all 32.
static void test_decoder_handler(bool bf16) {
  int64_t x_dims[] = {1, 1, 32}, slot_dims[] = {1, 1}, angle_dims[] = {1, 1, 1, 16}, cache_dims[] = {1, 1, 32, 32};
  int64_t weight_dims[] = {32, 32}, norm_dims[] = {32};
  array x = array_random(false, 32, 1), cos = array_random(false, 16, 1), sin = array_random(false, 16, 1);
  array y = array_of_nan(false, 32), layer[LAYER_ARGUMENTS];
  int32_t slot = 3;
  uint8_t mask[32] = {1, 1, 1, 1};
  float epsilon = 1e-5;
  buffer in[ARG_LAYERS + LAYER_ARGUMENTS] = {
      buffer_of(&x, 3, x_dims), {.type = TYPE_S32, .data = &slot, .rank = 2, .dims = slot_dims},
      buffer_of(&cos, 4, angle_dims), buffer_of(&sin, 4, angle_dims),
      {.type = TYPE_PRED, .data = mask, .rank = 3, .dims = x_dims}, {.type = TYPE_F32, .data = &epsilon}};
  for (int i = 0; i < LAYER_ARGUMENTS; i++) {
    bool is_cache = i < 2, is_norm = i == 2 || i == 7;
    layer[i] = array_random(bf16, is_norm ? 32 : 1024, 1);
    in[ARG_LAYERS + i] = is_cache  ? buffer_of(&layer[i], 4, cache_dims)
                         : is_norm ? buffer_of(&layer[i], 1, norm_dims)
                                   : buffer_of(&layer[i], 2, weight_dims);
  }
  buffer out[] = {buffer_of(&y, 3, x_dims), in[ARG_LAYERS], in[ARG_LAYERS + 1]};
  int n = ARG_LAYERS + LAYER_ARGUMENTS;
  check_finite("decoder", call_handler(bfpo_decoder, in, n, out, 3, 0), &y);
  check(call_handler(bfpo_decoder, in, n - 1, out, 3, 0) != NULL, "a layer without a weight is accepted");
  out[1].data = layer[1].data;
  check(call_handler(bfpo_decoder, in, n, out, 3, 0) != NULL, "a cache that is not in place is accepted");
  array_free(&x), array_free(&cos), array_free(&sin), array_free(&y);
  for (int i = 0; i < LAYER_ARGUMENTS; i++) array_free(&layer[i]);
}

void test_handlers(void) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    test_product_handlers(bf16);
    test_batch_handler(bf16);
    if (!cpu_has_avx512_bf16()) continue;
    test_rows_handler(bf16);
    test_attention_handlers(bf16);
    test_decoder_handler(bf16);
  }
}

#endif
