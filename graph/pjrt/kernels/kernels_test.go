package kernels

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestC builds and runs the tests in C, which compare every kernel with plain loops in double precision.
func TestC(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler")
	}
	out, err := exec.Command("ctest/run", "-O2").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "skipped") {
		t.Skip(string(out))
	}
}

// TestVersion checks that every change of a source, and another compiler, change the version, and that all sources are
// part of it.
func TestVersion(t *testing.T) {
	original := fstest.MapFS{"a.c": {Data: []byte("int a;\n")}, "a.h": {Data: []byte("int b;\n")}}
	changed := map[string]fstest.MapFS{
		"another text":     {"a.c": {Data: []byte("int c;\n")}, "a.h": {Data: []byte("int b;\n")}},
		"another name":     {"b.c": {Data: []byte("int a;\n")}, "a.h": {Data: []byte("int b;\n")}},
		"a file less":      {"a.c": {Data: []byte("int a;\n")}},
		"text moved":       {"a.c": {Data: []byte("int a;\nint b;\n")}, "a.h": {Data: []byte("")}},
		"a file more":      {"a.c": {Data: []byte("int a;\n")}, "a.h": {Data: []byte("int b;\n")}, "b.c": {Data: nil}},
		"names exchanged":  {"a.h": {Data: []byte("int a;\n")}, "a.c": {Data: []byte("int b;\n")}},
		"a space inserted": {"a.c": {Data: []byte("int  a;\n")}, "a.h": {Data: []byte("int b;\n")}},
	}
	version := hashSources(original, "gcc 12")
	if again := hashSources(original, "gcc 12"); again != version {
		t.Errorf("the same sources have the versions %s and %s", version, again)
	}
	if hashSources(original, "gcc 13") == version {
		t.Error("another compiler has the same version")
	}
	for name, files := range changed {
		if hashSources(files, "gcc 12") == version {
			t.Errorf("%s: the same version", name)
		}
	}

	for _, pattern := range []string{"*.c", "*.h"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := sources.ReadFile(name); err != nil || string(got) != string(want) {
				t.Errorf("%s is not part of the version: %v", name, err)
			}
		}
	}
}
