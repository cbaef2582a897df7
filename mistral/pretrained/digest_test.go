package pretrained

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A checkpoint's digest is that of a copy of it, and another one where a bit of a weight or the architecture is.
func TestDigest(t *testing.T) {
	digest := func(change func(dir string)) []byte {
		t.Helper()
		dir := tinyFolder(t)
		change(dir)
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		d, err := c.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	edit := func(name string, f func(data []byte) []byte) func(dir string) {
		return func(dir string) {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, f(data), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	first := digest(func(string) {})
	if !bytes.Equal(first, digest(func(string) {})) {
		t.Error("a copy has another digest")
	}
	if bytes.Equal(first, digest(edit("model.safetensors", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }))) {
		t.Error("another weight, the same digest")
	}
	if bytes.Equal(first, digest(edit("config.json", func(b []byte) []byte { return bytes.Replace(b, []byte("10000"), []byte("20000"), 1) }))) {
		t.Error("another rope_theta, the same digest")
	}
}
