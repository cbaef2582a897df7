package wheel

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFetchTree(t *testing.T) {
	w, calls := fakePip(t, serve)
	tree := Tree{Package: w.Package, Version: w.Version, SHA256: w.SHA256, Members: []string{"pkg/"}}
	root := filepath.Join(t.TempDir(), "shared")
	fetch := func(times int) {
		t.Helper()
		if err := FetchTree(context.Background(), tree, root, t.Logf); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(filepath.Join(root, "pkg", "data.bin")); err != nil || string(data) != content {
			t.Errorf("member %q, %v", data, err)
		}
		if n := len(calls()); n != times || !CachedTree(tree, root) {
			t.Errorf("%d downloads, want %d", n, times)
		}
	}
	if CachedTree(tree, root) {
		t.Error("there before it was fetched")
	}
	fetch(1)
	fetch(1)
	if err := os.Truncate(filepath.Join(root, "pkg", "data.bin"), 3); err != nil {
		t.Fatal(err)
	}
	fetch(2)
	if err := os.Remove(filepath.Join(root, "pkg", "data.bin")); err != nil {
		t.Fatal(err)
	}
	fetch(3)
	if left, err := filepath.Glob(filepath.Join(root, "fetch-*")); err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestFetchTreeErrors(t *testing.T) {
	w, _ := fakePip(t, serve)
	for want, tree := range map[string]Tree{
		"has no member lib/":       {w.Package, w.Version, w.SHA256, []string{"lib/"}},
		"not pinned":               {w.Package, w.Version, "", []string{"pkg/"}},
		"serves another file than": {w.Package, w.Version, strings.Repeat("0", 64), []string{"pkg/"}},
		"has no member pkg/data":   {w.Package, w.Version, w.SHA256, []string{"pkg/data"}},
	} {
		root := t.TempDir()
		err := FetchTree(context.Background(), tree, root, nil)
		if err == nil || !strings.Contains(err.Error(), want) || CachedTree(tree, root) {
			t.Errorf("%v: error %v, want %q", tree, err, want)
		}
	}
}
