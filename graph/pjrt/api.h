// The parts of version 0 of the PJRT C API that this package calls. Within a version, entries keep their places in
// the table of functions, and fields their places in structures. Each structure begins with its size, and new
// fields are added at its end.
#ifndef BFPO_PJRT_API_H
#define BFPO_PJRT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Indices in the table of functions, an array of pointers except for its header.
enum {
  api_struct_size = 0,
  api_extensions = 1,
  api_version = 4, // int major, int minor
  api_error_destroy = 5,
  api_error_message = 6,
  api_plugin_initialize = 8,
  api_client_create = 15,
  api_client_platform_version = 19,
  api_client_addressable_devices = 21,
  api_client_compile = 25,
  api_device_description_attributes = 30,
  api_device_description_kind = 31,
  api_device_get_description = 34,
  api_device_memory_stats = 39,
  api_executable_destroy = 45,
  api_executable_optimized = 53,
  api_executable_serialize = 54,
  api_get_executable = 56,
  api_executable_load = 61,
  api_topology_create = 87,
  api_compile = 94,
  api_executable_memory = 101,
};

// HEADER begins every argument structure.
#define HEADER   \
  size_t size;   \
  void *extension

typedef struct { HEADER; void *error; } error_args;
typedef struct { HEADER; void *error; const char *text; size_t length; } error_message_args;
typedef struct {
  HEADER;
  const char *name;
  size_t name_size;
  int type; // 0 is a string
  // For Go a union is bytes. With a pointer in its place, a number there would end the process when Go moves a stack
  // that has a copy.
  union {
    const char *text;
    int64_t number;
  } value;
  size_t n;
} named_value;

static inline const char *value_text(const named_value *v) { return v->value.text; }
static inline void set_value_text(named_value *v, const char *text) { v->value.text = text; }

typedef struct {
  HEADER;
  named_value *options;
  size_t n;
  void *kv[4];
  void *client;
  void *kv_try[2];
} client_create_args;
typedef struct { HEADER; void *object; const char *text; size_t length; } text_args; // for entries that return a string
typedef struct { HEADER; void *client; void **devices; size_t n; } devices_args;
typedef struct { HEADER; void *description; size_t n; named_value *attributes; } attributes_args;
typedef struct { HEADER; char *code; size_t code_size; const char *format; size_t format_size; } program;
typedef struct {
  HEADER;
  void *client;
  const program *program;
  const char *options;
  size_t options_size;
  void *loaded;
} client_compile_args;
typedef struct {
  HEADER;
  const char *name;
  size_t name_size;
  named_value *options;
  size_t n;
  void *topology;
} topology_create_args;
typedef struct {
  HEADER;
  void *topology;
  program *program;
  const char *options;
  size_t options_size;
  void *client;
  void *executable;
} ahead_compile_args;
typedef struct { HEADER; void *executable; program *program; } optimized_args;
typedef struct { HEADER; void *from; void *to; } get_args; // for entries that return an object of another one
typedef struct {
  HEADER;
  void *executable;
  const char *bytes;
  size_t n;
  void *backing;
  void (*release)(void *backing);
} serialize_args;
typedef struct {
  HEADER;
  void *client;
  const char *bytes;
  size_t n;
  void *loaded;
  const char *options;
  size_t options_size;
} load_args;
typedef struct {
  HEADER;
  void *executable;
  int64_t code, inputs, outputs, aliases, temp;
  int64_t host[5];
  int64_t more[5];
} executable_memory_args;
typedef struct { int64_t value; bool set; } optional;
typedef struct {
  HEADER;
  void *device;
  int64_t used;
  optional peak, allocations, largest, limit, reserved, peak_reserved, reservable, largest_free, pool, peak_pool;
} device_memory_args;

// A table has a list of extensions. The extension for foreign functions has changed between minor versions of the
// table without a version of its own; this is its layout in minor version foreign_functions_minor.
enum { foreign_functions_minor = 115, extension_foreign_functions = 5, foreign_function_register = 2 };
typedef struct extension { size_t size; int type; struct extension *next; void *functions[]; } extension;
typedef struct {
  size_t size;
  const char *name;
  size_t name_size;
  void *handler;
  const char *platform;
  size_t platform_size;
  unsigned traits;
} handler_args;

// slots is the number of plugins that one process can load, see table.c.
enum { slots = 4 };

// open_plugin loads a plugin and returns its table of functions, or NULL and an error.
void **open_plugin(const char *path, const char **error);
// copy_table returns a copy of a table whose entries for creating clients and compiling call Go with the slot. It
// is never freed, and NULL if memory is short.
void **copy_table(void **table, int slot);
// has reports whether a table has an entry.
bool has(void **table, int entry);
// add_handler registers a C function as a custom call of the plugin on CPUs. It returns false if the plugin refuses
// it, or if its table has another minor version than foreign_functions_minor.
bool add_handler(void **table, const char *name, void *handler);
// call calls an entry of a table.
void *call(void **table, int entry, void *args);
// release frees the bytes of a serialized executable.
void release(serialize_args *args);

#endif
