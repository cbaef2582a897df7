// The few parts of the PJRT C API, version 0, that this package calls itself. The API promises that an entry keeps its place in the
// table and a field its place in a structure; each structure begins with its size, and newer fields only come at the end.
#ifndef BFPO_PJRT_API_H
#define BFPO_PJRT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Places in the table of functions, which is an array of pointers but for the version in front.
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

// Every argument structure begins so.
#define HEADER   \
  size_t size;   \
  void *extension

typedef struct { HEADER; void *error; } error_args;
typedef struct { HEADER; void *error; const char *text; size_t length; } error_message_args;
typedef struct { HEADER; const char *name; size_t name_size; int type; const char *text; size_t n; } named_value; // a string is of type 0
typedef struct { HEADER; named_value *options; size_t n; void *kv[4]; void *client; void *kv_try[2]; } client_create_args;
typedef struct { HEADER; void *object; const char *text; size_t length; } text_args; // platform version of a client, kind of a device
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
typedef struct { HEADER; const char *name; size_t name_size; named_value *options; size_t n; void *topology; } topology_create_args;
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
typedef struct { HEADER; void *from; void *to; } get_args; // executable of a loaded one, description of a device
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

// The extensions of a table are a list, and what is used here is the one for foreign functions. It has changed without saying so: this is how it
// stands in the one version of the table given here.
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

// slots is how many plugins one process can decorate.
enum { slots = 4 };

// open_plugin loads a plugin and returns its table of functions, or NULL and a text that says why not.
void **open_plugin(const char *path, const char **error);
// copy_table returns a copy of a table with the entries of one slot's trampolines in it; it is never freed.
void **copy_table(void **table, int slot);
// has tells whether a plugin's table is long enough to have an entry, and has it.
bool has(void **table, int entry);
// add_handler makes a C function known to the plugin as a custom call of CPUs; false says that the plugin is none that this is known to work with.
bool add_handler(void **table, const char *name, void *handler);
// call calls a function of the table.
void *call(void **table, int entry, void *args);
// release calls the function that the plugin gave with serialized bytes.
void release(serialize_args *args);

#endif
