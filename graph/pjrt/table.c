//go:build cgo && linux

#include "api.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

typedef void *(*function)(void *args);

void **open_plugin(const char *path, const char **error) {
  void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (library == NULL) {
    *error = dlerror();
    return NULL;
  }
  void **(*get)(void) = (void **(*)(void))dlsym(library, "GetPjrtApi");
  if (get == NULL) {
    *error = "no function GetPjrtApi: not a PJRT plugin";
    return NULL;
  }
  void **table = get();
  if (table == NULL) *error = "GetPjrtApi returned nothing";
  return table;
}

bool has(void **table, int entry) {
  return (size_t)table[api_struct_size] >= (entry + 1) * sizeof(void *) && table[entry] != NULL;
}

void *call(void **table, int entry, void *args) { return ((function)table[entry])(args); }

bool add_handler(void **table, const char *name, void *handler) {
  const char *platform = "Host";
  if (((int *)&table[api_version])[1] != foreign_functions_minor) return false;
  for (extension *e = table[api_extensions]; e != NULL; e = e->next) {
    if (e->type != extension_foreign_functions) continue;
    if (e->size < offsetof(extension, functions[foreign_function_register + 1])) continue;
    handler_args args = {
        .size = sizeof args,
        .name = name,
        .name_size = strlen(name),
        .handler = handler,
        .platform = platform,
        .platform_size = strlen(platform),
    };
    void *failed = ((function)e->functions[foreign_function_register])(&args);
    if (failed == NULL) return true;
    error_args destroy = {.size = sizeof destroy, .error = failed};
    call(table, api_error_destroy, &destroy);
  }
  return false;
}

void release(serialize_args *args) { args->release(args->backing); }

// The functions of a table do not receive the table, so each slot has its own.
#define TRAMPOLINES(n)                                                  \
  static void *create_##n(void *args) { return clientCreate(n, args); } \
  static void *compile_##n(void *args) { return clientCompile(n, args); }

TRAMPOLINES(0)
TRAMPOLINES(1)
TRAMPOLINES(2)
TRAMPOLINES(3)

void **copy_table(void **table, int slot) {
  static const function creates[slots] = {create_0, create_1, create_2, create_3};
  static const function compiles[slots] = {compile_0, compile_1, compile_2, compile_3};
  size_t size = (size_t)table[api_struct_size];
  void **copy = malloc(size);
  if (copy == NULL) return NULL;
  memcpy(copy, table, size);
  copy[api_client_create] = (void *)creates[slot];
  copy[api_client_compile] = (void *)compiles[slot];
  return copy;
}
