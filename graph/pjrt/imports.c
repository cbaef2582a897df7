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

// An import is an entry in one of two tables of a library: at its place the loader writes the address of what has the name.
static bool replace_in(const struct link_map *map, const ElfW(Rela) * entries, size_t size, const ElfW(Sym) * symbols, const char *names,
                       const char *name, void *ours) {
  bool found = false;
  uintptr_t page = sysconf(_SC_PAGESIZE);
  for (const ElfW(Rela) *e = entries; e < entries + size / sizeof *e; e++) {
    unsigned long kind = ELF64_R_TYPE(e->r_info), symbol = ELF64_R_SYM(e->r_info);
    if (symbol == 0 || (kind != import_call && kind != import_address && kind != import_pointer)) continue;
    if (strcmp(names + symbols[symbol].st_name, name) != 0) continue;
    uintptr_t place = map->l_addr + e->r_offset;
    if (mprotect((void *)(place / page * page), page, PROT_READ | PROT_WRITE) != 0) return false;
    *(void **)place = ours;
    found = true;
  }
  return found;
}

bool replace_import(void *within, const char *name, void *ours) {
  Dl_info info;
  struct link_map *map = NULL;
  if (dladdr1(within, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || map == NULL) return false;
  const ElfW(Sym) *symbols = NULL;
  const char *names = NULL;
  const ElfW(Rela) *tables[2] = {NULL, NULL};
  size_t sizes[2] = {0, 0};
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
    void *at = (void *)d->d_un.d_ptr;
    switch (d->d_tag) {
      case DT_SYMTAB: symbols = at; break;
      case DT_STRTAB: names = at; break;
      case DT_RELA: tables[0] = at; break;
      case DT_JMPREL: tables[1] = at; break;
      case DT_RELASZ: sizes[0] = d->d_un.d_val; break;
      case DT_PLTRELSZ: sizes[1] = d->d_un.d_val; break;
    }
  }
  if (symbols == NULL || names == NULL) return false;
  bool found = false;
  for (int i = 0; i < 2; i++)
    if (tables[i] != NULL && replace_in(map, tables[i], sizes[i], symbols, names, name, ours)) found = true;
  return found;
}
#else
bool replace_import(void *within, const char *name, void *ours) { return false; }
#endif
