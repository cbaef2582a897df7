package wheel

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// Two wheels share a folder, and each has a record of its own.
func TestFetchFolder(t *testing.T) {
	w, calls := fakePip(t, serve)
	w.Members, w.Folder = []string{"pkg/"}, "shared"
	cache := t.TempDir()
	root := filepath.Join(cache, "wheels", "shared")
	if path := w.Path(cache); path != filepath.Join(root, "pkg") {
		t.Errorf("path %s", path)
	}
	other := w
	other.Package, other.Members = "other", []string{"pkg/data.bin"}
	for i, one := range []Wheel{w, other} {
		if _, ok := Cached(one, cache); ok {
			t.Errorf("%s is cached before it was fetched", one.Package)
		}
		for range 2 { // the second time from the cache
			if _, err := Fetch(context.Background(), one, cache, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(calls()); n != i+1 {
			t.Errorf("%d downloads, want %d", n, i+1)
		}
	}
	if data, err := os.ReadFile(filepath.Join(root, "pkg", "data.bin")); err != nil || string(data) != content {
		t.Errorf("member %q, %v", data, err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "fetch-*")); err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

// A record of the same wheel with fewer members, as an older version of the program left it, does not serve.
func TestFetchMoreMembers(t *testing.T) {
	w, _ := fakePip(t, serve)
	cache := t.TempDir()
	if _, err := Fetch(context.Background(), w, cache, nil); err != nil {
		t.Fatal(err)
	}
	w.Members = append(w.Members, "pkg/new.bin")
	if _, ok := Cached(w, cache); ok {
		t.Error("a wheel counts as cached without one of its members")
	}
}

func TestIsOf(t *testing.T) {
	for _, c := range []struct {
		name, member string
		want         bool
	}{
		{"pkg/data.bin", "pkg/data.bin", true},
		{"pkg/data.bin", "pkg/", true},
		{"pkg/lib/x.so", "pkg/", true},
		{"pkg/data.bin", "pkg/data", false},
		{"pkg/data.bin", "lib/", false},
		{"pkg/lib/", "pkg/", false},
		{"pkg/", "pkg/", false},
	} {
		if got := isOf(c.name, c.member); got != c.want {
			t.Errorf("isOf(%q, %q) = %v", c.name, c.member, got)
		}
	}
}
