//go:build cgo && linux

#define _GNU_SOURCE
#include "api.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__GLIBC__) && defined(__x86_64__)
enum { import_call = R_X86_64_JUMP_SLOT, import_address = R_X86_64_GLOB_DAT, import_pointer = R_X86_64_64 };
#elif defined(__GLIBC__) && defined(__aarch64__)
enum { import_call = R_AARCH64_JUMP_SLOT, import_address = R_AARCH64_GLOB_DAT, import_pointer = R_AARCH64_ABS64 };
#else
#define NO_IMPORTS
#endif

#ifndef NO_IMPORTS

typedef struct {
  const struct link_map *map;
  const ElfW(Sym) * symbols;
  const char *names;
} library;

// An import is an entry in one of two tables of a library: at its place the loader writes the address of what has the name. replaced is how many entries
// of a table have the name; -1: a place could not be written.
static long replaced(library l, const ElfW(Rela) * entries, size_t size, const char *name, void *ours) {
  long found = 0;
  uintptr_t page = sysconf(_SC_PAGESIZE);
  for (const ElfW(Rela) *e = entries; e < entries + size / sizeof *e; e++) {
    unsigned long kind = ELF64_R_TYPE(e->r_info), symbol = ELF64_R_SYM(e->r_info);
    if (symbol == 0 || (kind != import_call && kind != import_address && kind != import_pointer)) continue;
    if (strcmp(l.names + l.symbols[symbol].st_name, name) != 0) continue;
    uintptr_t place = l.map->l_addr + e->r_offset;
    if (mprotect((void *)(place / page * page), page, PROT_READ | PROT_WRITE) != 0) return -1;
    *(void **)place = ours;
    found++;
  }
  return found;
}

bool replace_import(void *within, const char *name, void *ours) {
  Dl_info info;
  struct link_map *map = NULL;
  if (dladdr1(within, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) return false;
  library l = {.map = map};
  const ElfW(Rela) *data = NULL, *calls = NULL;
  size_t data_size = 0, calls_size = 0;
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
    void *at = (void *)d->d_un.d_ptr;
    switch (d->d_tag) {
      case DT_SYMTAB: l.symbols = at; break;
      case DT_STRTAB: l.names = at; break;
      case DT_RELA: data = at; break;
      case DT_JMPREL: calls = at; break;
      case DT_RELASZ: data_size = d->d_un.d_val; break;
      case DT_PLTRELSZ: calls_size = d->d_un.d_val; break;
    }
  }
  if (l.symbols == NULL || l.names == NULL) return false;
  long of_data = replaced(l, data, data_size, name, ours), of_calls = replaced(l, calls, calls_size, name, ours);
  return of_data >= 0 && of_calls >= 0 && of_data + of_calls > 0;
}
#else
bool replace_import(void *within, const char *name, void *ours) { return false; }
#endif
