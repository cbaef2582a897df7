package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// text returns a function that writes s, and then fails with err unless that is nil.
func text(s string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		_, failed := io.WriteString(w, s)
		return errors.Join(failed, err)
	}
}

// wantFile compares the contents of a file.
func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %.40q, %v, want %.40q", filepath.Base(path), got, err, want)
	}
}

// wantNames compares the names in a folder, in order; temporary ones would be among them.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("names in the folder %q, want %q", got, want)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	long := strings.Repeat("a line of text\n", 20000) // longer than the buffer
	for _, want := range []string{"first", long, "", "last"} {
		if err := Write(path, text(want, nil)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, want)
		wantNames(t, filepath.Dir(path), "f")
	}
	if err := WriteJSON(path, "  ", map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "{\n  \"a\": 1\n}\n")
}

func TestWriteErrors(t *testing.T) {
	failure := errors.New("the disk is full")
	long := strings.Repeat("x", 3*bufferSize)
	for name, write := range map[string]func(path string) error{
		"at once":          func(path string) error { return Write(path, text("", failure)) },
		"within a buffer":  func(path string) error { return Write(path, text("new", failure)) },
		"after many bytes": func(path string) error { return Write(path, text(long, failure)) },
		"no JSON":          func(path string) error { return WriteJSON(path, "", func() {}) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if err := write(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one that names the file", err)
			}
			wantNames(t, dir)
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := write(path); err == nil {
				t.Error("no error")
			}
			wantFile(t, path, "old")
			wantNames(t, dir, "f")
		})
	}
	if err := Write(filepath.Join(t.TempDir(), "f"), text("", failure)); !errors.Is(err, failure) {
		t.Errorf("error %v does not wrap the cause", err)
	}
	if err := Write(filepath.Join(t.TempDir(), "absent", "f"), text("x", nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

// The rename fails because the place is taken by a folder with a file in it.
func TestWriteKeepsFolderAtPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "inside"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, text("x", nil)); err == nil {
		t.Error("a file replaced a folder")
	}
	wantNames(t, dir, "f")
	wantNames(t, path, "inside")
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	failure := errors.New("the disk is full")
	if err := Create(path, text("half", failure)); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	wantNames(t, dir)
	if err := Create(path, text("whole", nil)); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, text("again", nil)); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file that exists: %v", err)
	}
	wantFile(t, path, "whole")
}

// fill makes a temporary folder for path with one file in it.
func fill(t *testing.T, path, contents string) string {
	t.Helper()
	temp, err := CreateFolder(path)
	if err == nil {
		err = Create(filepath.Join(temp, "f"), text(contents, nil))
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(filepath.Base(temp), TemporaryPrefix) || filepath.Dir(temp) != filepath.Dir(path) {
		t.Errorf("temporary folder %s for %s", temp, path)
	}
	return temp
}

func TestCommitFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "step-1")
	for _, contents := range []string{"first", "second"} {
		if err := CommitFolder(fill(t, path, contents), path); err != nil {
			t.Fatal(err)
		}
		wantFile(t, filepath.Join(path, "f"), contents)
		wantNames(t, dir, "step-1")
	}
}

func TestCommitFolderErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "step-1")
	if err := CommitFolder(fill(t, path, "old"), path); err != nil {
		t.Fatal(err)
	}
	temp := fill(t, path, "new")
	// No system renames the entry "." of a folder, so the second rename fails after the first one succeeded.
	if err := CommitFolder(temp+string(filepath.Separator)+".", path); err == nil {
		t.Error("no error")
	}
	wantFile(t, filepath.Join(path, "f"), "old")
	wantNames(t, dir, filepath.Base(temp), "step-1")
	if err := CommitFolder(filepath.Join(dir, "absent"), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	wantFile(t, filepath.Join(path, "f"), "old")
}
