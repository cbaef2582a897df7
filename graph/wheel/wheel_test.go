package wheel

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const content = "the member's content"

// fakePip puts a python3 into an otherwise empty PATH that plays pip: it notes each call in the file it returns and
// runs body, a shell script that finds the target folder in $dest. The wheel that it may serve holds one member,
// pkg/data.bin.
func fakePip(t *testing.T, body string) (w Wheel, calls func() []string) {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no /bin/sh")
	}
	dir := t.TempDir()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	member, err := z.Create("pkg/data.bin")
	if err == nil {
		_, err = member.Write([]byte(content))
	}
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Fatal(err)
	}
	served := filepath.Join(dir, "served.whl")
	log := filepath.Join(dir, "calls")
	script := fmt.Sprintf(
		"#!/bin/sh\necho \"$@\" >> %s\nserved=%s\nfor last; do previous=$dest; dest=$last; done\ndest=$previous\n%s\n",
		log,
		served,
		body,
	)
	for file, data := range map[string][]byte{served: archive.Bytes(), filepath.Join(dir, "python3"): []byte(script)} {
		if err := os.WriteFile(file, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin") // cp and sleep for the script; its python3 comes first
	sum := sha256.Sum256(archive.Bytes())
	w = Wheel{Package: "pkg", Version: "1.2", SHA256: hex.EncodeToString(sum[:]), Members: []string{"pkg/data.bin"}}
	return w, func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

const serve = `cp "$served" "$dest/pkg-1.2-py3-none-any.whl"`

func TestFetch(t *testing.T) {
	w, calls := fakePip(t, serve)
	cache := t.TempDir()
	for range 2 { // the second time from the cache
		file, err := Fetch(context.Background(), w, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != content {
			t.Errorf("member %q, %v", data, err)
		}
		if file != w.Path(cache) {
			t.Errorf("member at %s, want %s", file, w.Path(cache))
		}
	}
	got := calls()
	if len(got) != 1 || !strings.Contains(got[0], "-m pip download --no-deps") || !strings.HasSuffix(got[0], "pkg==1.2") {
		t.Errorf("pip was called with %q, want one download of pkg==1.2", got)
	}
	left, err := filepath.Glob(filepath.Join(cache, "wheels", "pkg-1.2", "fetch-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

// recordOf is the record of the fake wheel whose member is file.
func recordOf(file string) string { return filepath.Join(filepath.Dir(file), "..", "pkg-1.2.json") }

func TestFetchDamaged(t *testing.T) {
	for name, damage := range map[string]func(file string) error{
		"changed": func(file string) error { return os.WriteFile(file, []byte(strings.ToUpper(content)), 0o644) },
		"shorter": func(file string) error { return os.Truncate(file, 3) },
		"gone":    os.Remove,
		"no record": func(file string) error {
			return os.Remove(recordOf(file))
		},
		"broken record": func(file string) error { return os.WriteFile(recordOf(file), []byte("{"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			w, calls := fakePip(t, serve)
			cache := t.TempDir()
			file, err := Fetch(context.Background(), w, cache, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond) // a coarse clock must see the change
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			if _, ok := Cached(w, cache); ok {
				t.Error("the damaged member counts as whole")
			}
			if _, err := Fetch(context.Background(), w, cache, nil); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != content {
				t.Errorf("member %q, %v", data, err)
			}
			if got := len(calls()); got != 2 {
				t.Errorf("pip was called %d times, want 2", got)
			}
		})
	}
}

func TestFetchTouched(t *testing.T) {
	w, calls := fakePip(t, serve)
	cache := t.TempDir()
	file, err := Fetch(context.Background(), w, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil { // as a copy of the cache has
		t.Fatal(err)
	}
	if _, ok := Cached(w, cache); !ok {
		t.Error("a whole member with another time counts as damaged")
	}
	if got := len(calls()); got != 1 {
		t.Errorf("pip was called %d times, want 1", got)
	}
}

func TestFetchTogether(t *testing.T) {
	w, calls := fakePip(t, "sleep 0.2\n"+serve)
	cache := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Fetch(context.Background(), w, cache, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(calls()); got != 1 {
		t.Errorf("pip was called %d times, want 1", got)
	}
}

func TestFetchErrors(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{
			"no network", "echo 'ERROR: No matching distribution found' >&2; exit 1",
			"No matching distribution found (is the package index reachable?)",
		},
		{"no pip module", "echo \"$0: No module named pip\" >&2; exit 1", "pip"},
		{"another file", `echo other > "$dest/pkg-1.2-py3-none-any.whl"`, "want "},
		{"nothing", "true", "pip left 0 files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := fakePip(t, c.body)
			if c.name == "no pip module" {
				dir, _, _ := strings.Cut(os.Getenv("PATH"), ":")
				t.Setenv("PATH", dir)
			}
			_, err := Fetch(context.Background(), w, t.TempDir(), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "wheel pkg 1.2") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("no pip at all", func(t *testing.T) {
		w, _ := fakePip(t, serve)
		t.Setenv("PATH", t.TempDir())
		if _, err := Fetch(context.Background(), w, t.TempDir(), nil); err == nil ||
			!strings.Contains(err.Error(), "no pip found") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("not pinned", func(t *testing.T) {
		w, _ := fakePip(t, serve)
		w.SHA256 = ""
		if _, err := Fetch(context.Background(), w, t.TempDir(), nil); err == nil ||
			!strings.Contains(err.Error(), "not pinned") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no such member", func(t *testing.T) {
		w, _ := fakePip(t, serve)
		w.Members = []string{"pkg/other.bin"}
		if _, err := Fetch(context.Background(), w, t.TempDir(), nil); err == nil ||
			!strings.Contains(err.Error(), "no member pkg/other.bin") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		w, _ := fakePip(t, "exec sleep 30")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := Fetch(ctx, w, t.TempDir(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}

func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvCache, filepath.Join(dir, "env"))
	for _, c := range []struct{ given, want string }{
		{"", filepath.Join(dir, "env")},
		{filepath.Join(dir, "own"), filepath.Join(dir, "own")},
	} {
		if got, err := CacheDir(c.given); err != nil || got != c.want {
			t.Errorf("CacheDir(%q) = %q, %v, want %q", c.given, got, err, c.want)
		}
	}
	t.Setenv(EnvCache, "")
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	if got, err := CacheDir(""); err != nil || filepath.Base(got) != "bfpo" || !strings.HasPrefix(got, dir) {
		t.Errorf("CacheDir(\"\") = %q, %v, want bfpo below %s", got, err, dir)
	}
}
