package checkpoint

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The first file waits until the second is being written. The manifest lists them in the order of Save's arguments
// nevertheless.
func TestFilesAreWrittenConcurrently(t *testing.T) {
	dir, begun := t.TempDir(), make(chan struct{})
	first := File{"b", func(w io.Writer) error {
		select {
		case <-begun:
		case <-time.After(time.Minute):
			return errors.New("no other file was begun")
		}
		_, err := io.WriteString(w, strings.Repeat("first", 1<<19))
		return err
	}}
	second := File{"a", func(w io.Writer) error {
		close(begun)
		_, err := io.WriteString(w, "second")
		return err
	}}
	path, err := Save(dir, 1, []File{first, second, textFile("c", "")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err != nil {
		t.Fatal(err)
	}
	m, err := readManifest(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []manifestFile{ // hashes computed with sha256sum
		{"b", 5 << 19, "692a1bc892148e6dcdf42cdda5135c9ef146222408d57538a2094a92c4d66470"},
		{"a", 6, "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4"},
		{"c", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	}
	if diff := cmp.Diff(want, m.Files); diff != "" {
		t.Error(diff)
	}
}

// If several files cannot be written, or several are damaged, the error names the first one, although later ones fail
// sooner.
func TestErrorNamesFirstBadFile(t *testing.T) {
	dir := t.TempDir()
	full := errors.New("no space left on device")
	late := File{"late", func(io.Writer) error {
		time.Sleep(20 * time.Millisecond)
		return full
	}}
	early := File{"early", func(io.Writer) error { return full }}
	_, err := Save(dir, 1, []File{textFile("whole", "w"), late, early})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "late") || strings.Contains(err.Error(), "early") {
		t.Errorf("two files that cannot be written: %v", err)
	}

	large := strings.Repeat("w", 1<<22)
	path, err := Save(dir, 1, []File{textFile("first", large), textFile("second", large), textFile("third", "w")})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"second": large[1:] + "v", "third": "v"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Open(path)
	if err == nil || !strings.Contains(err.Error(), path+": second is damaged") || strings.Contains(err.Error(), "third") {
		t.Errorf("two damaged files: %v", err)
	}
}
