package datasets

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	lines, objects := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.jsonl")
	if err := errors.Join(os.WriteFile(lines, []byte("one\r\n\ntwo"), 0o644),
		os.WriteFile(objects, []byte(`{"text": "three", "n": 4, "x": [{"y": 0.5}]}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	source, err := OpenFiles("mine", []string{lines, objects})
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := source.Rows(func(number int, columns map[string]any) error {
		if number != len(got) {
			t.Errorf("row %d has the number %d", len(got), number)
		}
		got = append(got, columns)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{"text": "one"}, {"text": ""}, {"text": "two"},
		{"text": "three", "n": 4, "x": []any{map[string]any{"y": 0.5}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	if _, err := OpenFiles("mine", []string{filepath.Join(dir, "a.csv")}); err == nil ||
		!strings.Contains(err.Error(), "a.csv") {
		t.Errorf("a file of an unknown kind gives the error %v", err)
	}
}
