package filecache

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
	"time"
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

func TestLimit(t *testing.T) {
	const content = 1000
	entry := int64(content + len(magic) + sha256.Size)
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
