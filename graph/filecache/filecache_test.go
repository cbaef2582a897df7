package filecache

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

const magic = "test entry 1\n"

func TestKey(t *testing.T) {
	if Key([]byte("ab"), []byte("c")) == Key([]byte("a"), []byte("bc")) {
		t.Error("the same bytes split into other parts have the same key")
	}
	if again := Key([]byte("ab")); Key([]byte("ab")) != again {
		t.Error("the same parts have two keys")
	}
}

func TestGetPut(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Magic: magic, Suffix: ".x", Limit: 1 << 20}
	if _, ok := c.Get("a"); ok {
		t.Error("an empty cache has an entry")
	}
	if err := c.Put("a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Get("a"); !ok || string(got) != "content" {
		t.Errorf("got %q, %v", got, ok)
	}
	whole, err := os.ReadFile(c.path("a"))
	if err != nil {
		t.Fatal(err)
	}
	checkRefused := func(what string, damaged []byte) {
		t.Helper()
		if err := os.WriteFile(c.path("a"), damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Get("a"); ok {
			t.Fatalf("%s: got %q", what, got)
		}
		if _, err := os.Stat(c.path("a")); err == nil {
			t.Fatalf("%s: the damaged entry was not removed", what)
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		checkRefused(fmt.Sprintf("byte %d changed", i), damaged)
		checkRefused(fmt.Sprintf("truncated to %d bytes", i), whole[:i])
	}
	none := &Cache{}
	if err := none.Put("a", []byte("content")); err != nil {
		t.Error(err)
	}
	if _, ok := none.Get("a"); ok {
		t.Error("a cache without a folder has an entry")
	}
}

// Two entries whose files were swapped are misses, and are removed.
func TestSwappedEntries(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Magic: magic, Suffix: ".x", Limit: 1 << 20}
	for _, key := range []string{"a", "b"} {
		if err := c.Put(key, []byte("content of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, move := range [][2]string{{"a", "c"}, {"b", "a"}, {"c", "b"}} {
		if err := os.Rename(c.path(move[0]), c.path(move[1])); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a", "b"} {
		if got, ok := c.Get(key); ok {
			t.Errorf("entry %s has the content %q", key, got)
		}
		if _, err := os.Stat(c.path(key)); err == nil {
			t.Errorf("entry %s was not removed", key)
		}
	}
}

// FuzzUnpack reads files of any bytes: only a file that Put wrote for the key has a content.
func FuzzUnpack(f *testing.F) {
	c := &Cache{Dir: f.TempDir(), Magic: magic, Suffix: ".x", Limit: 1 << 20}
	for _, key := range []string{"a", "b"} {
		if err := c.Put(key, []byte("content")); err != nil {
			f.Fatal(err)
		}
		file, err := os.ReadFile(c.path(key))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
		f.Add(file[:len(file)-1])
	}
	f.Add([]byte(magic))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		fuzztest.Bounded(t, len(file), 10*time.Second, func() {
			content, ok := c.unpack("a", file)
			if !ok {
				return
			}
			if err := c.Put("a", content); err != nil {
				t.Fatal(err)
			}
			if again, err := os.ReadFile(c.path("a")); err != nil || !bytes.Equal(again, file) {
				t.Errorf("%q has the content %q, which is written as %q (%v)", file, content, again, err)
			}
		})
	})
}

func TestLimit(t *testing.T) {
	const content = 1000
	entry := int64(content + len(magic) + sha256.Size + len("0\n"))
	c := &Cache{Dir: t.TempDir(), Magic: magic, Suffix: ".x", Limit: 3 * entry}
	put := func(i int) {
		t.Helper()
		if err := c.Put(fmt.Sprint(i), make([]byte, content)); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(c.path(fmt.Sprint(i)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		put(i)
	}
	if _, ok := c.Get("0"); !ok { // Get marks entry 0 as just used
		t.Fatal("entry 0 was evicted although the cache is within its limit")
	}
	put(3)
	for i, want := range []bool{true, false, true, true} {
		if _, err := os.Stat(c.path(fmt.Sprint(i))); (err == nil) != want {
			t.Errorf("entry %d exists: %v, want %v", i, err == nil, want)
		}
	}
}
