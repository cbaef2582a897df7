package pretrained

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDigest checks that copies of a model have the same digest, and that one bit of a weight or one value of
// the config changes it.
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
		t.Error("a copy has a different digest")
	}
	flipBit := func(data []byte) []byte { data[len(data)-1] ^= 1; return data }
	if bytes.Equal(first, digest(edit("model.safetensors", flipBit))) {
		t.Error("a changed weight has the same digest")
	}
	doubleTheta := func(data []byte) []byte { return bytes.Replace(data, []byte("10000"), []byte("20000"), 1) }
	if bytes.Equal(first, digest(edit("config.json", doubleTheta))) {
		t.Error("a changed rope_theta has the same digest")
	}
}
