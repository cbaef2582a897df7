package datasets

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/ulikunitz/xz"
)

// writeFiles writes files into a new folder and returns it.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gzipText(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func xzText(t testing.TB, text string) string {
	var b strings.Builder
	w, err := xz.NewWriter(&b)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdText(t testing.TB, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func parquetFile[T any](t testing.TB, rows ...T) string {
	t.Helper()
	var out bytes.Buffer
	if err := parquet.Write(&out, rows); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSplitOf(t *testing.T) {
	tests := map[string]string{
		"train.jsonl":                                   "train",
		"data/train-00000-of-00002.parquet":             "train",
		"data/test_prefs-00000-of-00001-a1b2c3.parquet": "test_prefs",
		"default/test/0000.parquet":                     "test",
		"harmless-base-test.jsonl":                      "test",
		"train.jsonl.gz":                                "train",
		"README.md":                                     "",
		"train_sft.json.zst":                            "train_sft",
	}
	for file, want := range tests {
		if have := splitOf(file); have != want {
			t.Errorf("%s: have %q, want %q", file, have, want)
		}
	}
}

func TestOpenSource(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"one.jsonl":                             "",
		"set/data/train-00001-of-00002.parquet": "",
		"set/data/train-00000-of-00002.parquet": "",
		"set/data/test_prefs.parquet":           "",
		"set/.cache/train.parquet":              "",
		"hole/train-00000-of-00002.parquet":     "",
		"twice/train.jsonl":                     "",
		"twice/train.parquet":                   "",
		"notes.txt":                             "",
	})
	tests := []struct {
		name, split string
		files       []string
		err         string
	}{
		{"one.jsonl", "train", []string{"one.jsonl"}, ""},
		{"one.jsonl", "train_sft", []string{"one.jsonl"}, ""},
		{"one.jsonl", "test", nil, "no such split"},
		{"set", "train", []string{"data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"}, ""},
		{"set", "train_prefs", []string{"data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"}, ""},
		{"set", "test_prefs", []string{"data/test_prefs.parquet"}, ""},
		{"set", "test_sft", nil, "there are: test_prefs, train"},
		{"hole", "train", nil, "1 of the 2 files"},
		{"twice", "train", nil, "keep one format"},
		{"notes.txt", "train", nil, "want a .jsonl"},
		{"missing.jsonl", "train", nil, "data set missing.jsonl: no such file"},
		{"nothing", "train", nil, "nor a hub id"},
		{"org/name", "train", nil, "no hub is given"},
		{"quickstart/safety", "train", []string{"quickstart/safety.jsonl"}, ""},
		{"quickstart/other", "train", nil, "there are quickstart/"},
	}
	for _, test := range tests {
		source, err := OpenSource(context.Background(), test.name, test.split, dir, nil)
		if diff := cmp.Diff(test.files, source.Files); diff != "" {
			t.Errorf("%s %s: files (-want +have):\n%s", test.name, test.split, diff)
		}
		if test.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s %s: error %v, want %q", test.name, test.split, err, test.err)
		}
	}
	if _, err := OpenSource(context.Background(), "one.jsonl", "test", dir, nil); !errors.Is(err, ErrNoSplit) {
		t.Errorf("%v is not ErrNoSplit", err)
	}
}

// TestContainers reads the same rows from every kind of file.
func TestContainers(t *testing.T) {
	const lines = `{"text": "one", "extra": null}` + "\n\n" + `{"text": "two"}`
	const array = "\ufeff [ {\"text\": \"one\"},\n {\"text\": \"two\"} ] "
	type textRow struct {
		Text string `parquet:"text"`
	}
	table := parquetFile(t, textRow{"one"}, textRow{"two"})
	dir := writeFiles(t, map[string]string{
		"a.jsonl": lines, "a.json": array, "b.json": lines, "a.parquet": table,
		"a.jsonl.gz": gzipText(t, lines), "a.jsonl.zst": zstdText(t, lines), "a.jsonl.xz": xzText(t, lines),
		"a.parquet.zst": zstdText(t, table), "c.jsonl": "{\n\"text\":\n\"one\"}{\"text\": \"two\"\n}\n",
	})
	for _, name := range []string{
		"a.jsonl", "a.json", "b.json", "a.parquet", "a.jsonl.gz", "a.jsonl.zst", "a.jsonl.xz", "a.parquet.zst",
		"c.jsonl",
	} {
		m := Mixture{Sets: []MixtureSet{{name, 1}}, Split: "train", BaseFolder: dir}
		rows, counts, err := m.ReadDialogues(context.Background())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []Dialogue{{ID: name + "#0", Text: "one"}, {ID: name + "#1", Text: "two"}}
		if diff := cmp.Diff(want, rows); diff != "" || counts[0].Rows != 2 {
			t.Errorf("%s: %+v, rows (-want +have):\n%s", name, counts, diff)
		}
	}
}

func TestBadFiles(t *testing.T) {
	sound := parquetFile(t, struct {
		Text string `parquet:"text"`
	}{"one"})
	const one = `{"text": "one"}`
	tests := []struct{ name, content, want string }{
		{"a.jsonl", one + "\n" + `{"text": 1}`,
			"file a.jsonl, line 2: read as text: column text: want text, have 1"},
		{"a.jsonl", "\n \n" + `{"txt": "one"}`, "file a.jsonl, line 3: columns {txt} fit no known layout"},
		{"a.jsonl", one + "\n\n" + one + one + "\n{\"txt\":\n1}\n" + one, "line 4: columns {txt} fit no known layout"},
		{"a.jsonl", one + "\n" + one + `{"txt": 1}` + "\n" + one, "line 2: columns {txt} fit no known layout"},
		{"a.jsonl", one + "\n{\"text", "line 2: not a complete JSON object (the file ends within it); each line must be"},
		{"a.jsonl", one + "\n" + `{"text": "two",}` + "\n" + one,
			"line 2: not a complete JSON object (invalid character '}' looking for"},
		{"a.jsonl", one + "\n\n" + one[:14] + "\n\n" + one,
			"line 3: not a complete JSON object (it continues in line 5: invalid character '{' after object key:value pair)"},
		{"a.jsonl", one + "\n" + strings.Repeat(" ", 1<<17) + "\n" + one + "\n,", "line 4: not a complete JSON object"},
		{"a.jsonl", `"text"`, "line 1: want a JSON object {…}, have JSON of type string"},
		{"a.jsonl", one + "\n[1]\n" + one, "line 2: want a JSON object {…}, have JSON of type array"},
		{"a.jsonl", one + "\n7\n" + one, "line 2: want a JSON object {…}, have JSON of type number"},
		{"a.jsonl", one + "\n" + `null`, "line 2: want a JSON object {…}, have JSON of type null"},
		{"a.json", "[" + one + `, {"txt": 1}]`, "row 1 (counted from 0): columns {txt} fit no known layout"},
		{"a.json", `[{"text": "one"}] {}`, "text after the closing bracket"},
		{"a.json", `[{"text": "one"}`, "row 1"},
		{"a.parquet", "PAR1 and nothing", "parquet"},
		{"a.parquet", sound[:len(sound)-9] + "XXXXXPAR1", "parquet"},
		{"a.jsonl.gz", "certainly no gzip", "gzip"},
		{"a.jsonl.zst", "no zstandard", "invalid input"},
		{"a.jsonl.xz", "no xz", "EOF"},
		{"a.jsonl.gz", gzipText(t, strings.Repeat(" ", 65<<20)), "more than 200 times"},
	}
	for _, test := range tests {
		dir := writeFiles(t, map[string]string{test.name: test.content})
		_, _, err := Mixture{
			Sets:       []MixtureSet{{test.name, 1}},
			Split:      "train",
			BaseFolder: dir,
			Strict:     true,
		}.ReadDialogues(context.Background())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestMixture(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a/train.jsonl": strings.Repeat(`{"text": "a"}`+"\n", 10),
		"a/test.jsonl":  strings.Repeat(`{"text": "a"}`+"\n", 3),
		"b.jsonl":       strings.Repeat(`{"text": "b"}`+"\n", 3),
	})
	ctx := context.Background()
	m := Mixture{Sets: []MixtureSet{{"a", 0.29}, {"b.jsonl", 1}}, Split: "train", BaseFolder: dir}
	rows, counts, err := m.ReadDialogues(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	want := []string{"a/train.jsonl#0", "a/train.jsonl#1", "b.jsonl#0", "b.jsonl#1", "b.jsonl#2"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("rows (-want +have):\n%s", diff)
	}
	wantCounts := []SetCount{
		{Name: "a", Split: "train", Rows: 10, Used: 2}, {Name: "b.jsonl", Split: "train", Rows: 3, Used: 3},
	}
	if diff := cmp.Diff(wantCounts, counts); diff != "" {
		t.Errorf("counts (-want +have):\n%s", diff)
	}

	m.Split = "test" // used in full, whatever the fraction; b has none
	if rows, counts, err = m.ReadDialogues(ctx); err != nil || len(rows) != 3 || counts[1].Split != "" {
		t.Errorf("test: %d rows, %+v, %v", len(rows), counts, err)
	}
	m.Sets = m.Sets[1:]
	if _, _, err = m.ReadDialogues(ctx); !errors.Is(err, ErrNoSplit) {
		t.Errorf("no test split anywhere: %v", err)
	}
	for _, fraction := range []float64{-0.1, 1.1} {
		m.Sets[0].Fraction = fraction
		if _, _, err = m.ReadDialogues(ctx); err == nil {
			t.Errorf("fraction %v is accepted", fraction)
		}
	}
}
