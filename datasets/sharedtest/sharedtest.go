// Package sharedtest finds for tests the reference material beside the repository: recorded numbers and real data, which are not part of it.
package sharedtest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of a file or folder of the reference material, in $BFPO_SHARED, else in the folder shared beside the repository;
// the test is skipped where it is not there.
func Path(t testing.TB, elems ...string) string {
	t.Helper()
	root := os.Getenv("BFPO_SHARED")
	if root == "" {
		root = filepath.Join(repository(t), "..", "shared")
	}
	path := filepath.Join(append([]string{root}, elems...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference material is not here: %v", err)
	}
	return path
}

// repository is the folder of go.mod, above the test's package.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working folder")
	return ""
}

// ReadJSON decodes a JSON file of the reference material.
func ReadJSON(t testing.TB, into any, elems ...string) {
	t.Helper()
	data, err := os.ReadFile(Path(t, elems...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %v", elems, err)
	}
}

// FolderReader returns a function that reads the files of a checkpoint folder by name.
func FolderReader(dir string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
}

// FileReader returns a function that reads files from memory by name.
func FileReader(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
}
