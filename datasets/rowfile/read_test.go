package rowfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/ulikunitz/xz"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// open returns a file of the given content.
func open(t testing.TB, name, content string) fs.File {
	t.Helper()
	f, err := fstest.MapFS{name: {Data: []byte(content)}}.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// plain returns a value with a Go map in place of each dict.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			v[i] = plain(item)
		}
	case *jinja.Dict:
		out := map[string]any{}
		for key, item := range v.All() {
			out[key.(string)] = plain(item)
		}
		return out
	}
	return v
}

// readAll reads the rows of a file, with plain values.
func readAll(t testing.TB, name, content string, wanted Columns) (rows []map[string]any, err error) {
	t.Helper()
	err = Read(open(t, name, content), name, wanted, func(_ int, row map[string]any, wrong error) error {
		for name, v := range row {
			row[name] = plain(v)
		}
		rows = append(rows, row)
		return wrong
	})
	return rows, err
}

// must returns a value without an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// compressed returns a text in a container.
func compressed(ext, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	switch ext {
	case ".zst":
		w = must(zstd.NewWriter(&b))
	case ".xz":
		w = must(xz.NewWriter(&b))
	}
	must(io.WriteString(w, text))
	must(0, w.Close())
	return b.String()
}

// TestJSONValues checks how values of JSON are read: as Python's json does, but for text that is not Unicode.
func TestJSONValues(t *testing.T) {
	notUnicode := func(what string) any { return Unusable{fmt.Errorf("%w: %s", ErrNotUnicode, what)} }
	tests := []struct {
		text string
		want any
	}{
		{`"plain \" \\ \/ \b\f\n\r\t é \u00e9 \ud83d\ude00 \u0000"`, "plain \" \\ / \b\f\n\r\t é é 😀 \x00"},
		{"\"\x7f\uFFFD\"", "\x7f\uFFFD"},
		{`"\uFFFD"`, "\uFFFD"},
		{`"a\ud800"`, notUnicode(`the lone surrogate \ud800`)},
		{`["\ude00"]`, notUnicode(`the lone surrogate \ude00`)},
		{`"\ud800\ud800\udc00"`, notUnicode(`the lone surrogate \ud800`)},
		{"{\"k\": \"\xff\"}", notUnicode("bytes that are not UTF-8")},
		{"{\"\xff\": 1}", notUnicode("bytes that are not UTF-8")},
		{`NaN`, math.NaN()},
		{`[-Infinity, "NaN", Infinity]`, []any{math.NaN(), "NaN", math.NaN()}},
		{`123456789012345678901234567890`, json.Number("123456789012345678901234567890")},
		{`1e400`, json.Number("1e400")},
		{`{"a": {"b": [1, {}]}, "a": [true, false, null]}`, map[string]any{"a": []any{true, false, nil}}},
		{` [ ] `, []any{}},
	}
	for _, test := range tests {
		for name, content := range map[string]string{
			"a.jsonl": `{"other": NaN, "v": 1, "v":` + test.text + "}\r\n",
			"a.json":  "\ufeff[\n{\"v\":" + test.text + "\n}]",
		} {
			rows, err := readAll(t, name, content, Columns{"v": true})
			if err != nil || len(rows) != 1 {
				t.Errorf("%s: %d rows, %v", content, len(rows), err)
				continue
			}
			equalErrors := cmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() })
			if diff := cmp.Diff(test.want, rows[0]["v"], cmpopts.EquateNaNs(), equalErrors); diff != "" {
				t.Errorf("%s (-want +have):\n%s", content, diff)
			}
		}
	}
}

// TestUnwantedColumns checks that columns that are not wanted may hold what no row could use.
func TestUnwantedColumns(t *testing.T) {
	const line = `{"a": [NaN, "\ud800", {"x": "\\\""}], "b": "text", "c": -Infinity}`
	for _, content := range []string{line, line + line, line[:10] + "\n" + line[10:] + "\n" + line} {
		rows, err := readAll(t, "a.jsonl", content, Columns{"b": true})
		if err != nil {
			t.Errorf("%q: %v", content, err)
		}
		for _, row := range rows {
			if diff := cmp.Diff(map[string]any{"a": Unread{}, "b": "text", "c": Unread{}}, row); diff != "" {
				t.Errorf("%q (-want +have):\n%s", content, diff)
			}
		}
	}
}

// TestContainerErrors checks the errors about whole files.
func TestContainerErrors(t *testing.T) {
	const line = `{"text": "one"}` + "\n"
	dictionary := []byte(compressed(".xz", line))
	dictionary[16] = 40 // of the filter's properties: 4 GiB
	binary.LittleEndian.PutUint32(dictionary[20:], crc32XZ(dictionary[12:20]))
	window := []byte("\x28\xb5\x2f\xfd\x00\xb0\x01\x00\x00") // a window of 2^32 bytes, and an empty block
	tests := []struct{ name, content, want string }{
		{"a.jsonl.xz", string(dictionary), "dictionary takes 4095 MiB"},
		{"a.jsonl.zst", string(window), "window size exceeded"},
		{"a.jsonl.gz", "", "not a sound .gz file: unexpected EOF"},
		{"a.jsonl.xz", "", "EOF"},
		{"a.jsonl.xz", compressed(".xz", line)[:40], "the file ends within a block, or is damaged"},
		{"a.jsonl.gz", compressed(".gz", line)[:20], "unexpected EOF"},
		{"a.jsonl", "\xff\xfe{\x00", "the text is UTF-16; save it as UTF-8"},
		{"a.jsonl", strings.Repeat("[", 20_000), "exceeded max depth"},
		{"a.jsonl", `{"a":` + strings.Repeat("[", 20_000), "exceeded max depth"},
		{"a.jsonl.gz", compressed(".gz", strings.Repeat(`{"text": ""}`+"\n", 140_000)), "more than 200 times its size"},
		{"a.json.gz", compressed(".gz", "["+strings.Repeat(`{},`, 140_000)+"{}]"), "more than 200 times its size"},
		{"a.jsonl.gz", compressed(".gz", `{"a":"`+strings.Repeat("a", 9<<20)+`"}`), "longer than 4 MiB"},
		{"a.json.gz", compressed(".gz", `[{"a":"`+strings.Repeat("a", 9<<20)+`"}]`), "longer than 4 MiB"},
		{"a.jsonl.gz", compressed(".gz", `{"a":[0`+strings.Repeat(",0", maxRowValues)+`]}`), "more than 786432 values"},
		{"a.parquet", "", "it does not end with PAR1"},
	}
	for _, test := range tests {
		if _, err := readAll(t, test.name, test.content, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %d bytes: error %v, want %q", test.name, len(test.content), err, test.want)
		}
	}
}

// crc32XZ returns the checksum of a header of xz.
func crc32XZ(header []byte) uint32 {
	table := uint32(0xffffffff)
	for _, b := range header {
		table ^= uint32(b)
		for range 8 {
			table = table>>1 ^ 0xedb88320&-(table&1)
		}
	}
	return ^table
}

// TestDictionaries checks that files of other writers are read: several streams, blocks with sizes, padding.
func TestDictionaries(t *testing.T) {
	one := compressed(".xz", `{"text": "one"}`+"\n")
	rows, err := readAll(t, "a.jsonl.xz", one+"\x00\x00\x00\x00"+one, nil)
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// table is a parquet file with columns of every kind.
type table struct {
	Text     string            `parquet:"text,dict"`
	Delta    string            `parquet:"delta,delta"`
	Plain    string            `parquet:"plain,plain,zstd"`
	Optional *string           `parquet:"optional,optional,snappy"`
	Bytes    []byte            `parquet:"bytes,gzip"`
	Messages []message         `parquet:"messages,list"`
	IDs      []int32           `parquet:"ids,list"`
	Flag     bool              `parquet:"flag"`
	Number   float64           `parquet:"number,split"`
	Map      map[string]string `parquet:"map"`
}

type message struct {
	Role    string `parquet:"role,dict"`
	Content string `parquet:"content"`
}

// parquetTable returns a file of n rows.
func parquetTable(t testing.TB, n int) string {
	t.Helper()
	rows := make([]table, n)
	for i := range rows {
		text := fmt.Sprintf("text %d", i)
		rows[i] = table{Text: text, Delta: text, Plain: text, Bytes: []byte{0xff, byte(i)}, Flag: i%2 == 0, Number: 0.5,
			Messages: []message{{"user", text}, {"assistant", "answer"}}, IDs: []int32{1, 2, int32(i)}}
		if i%3 == 0 {
			rows[i].Optional = &text
			rows[i].Messages = nil
		}
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, parquet.MaxRowsPerRowGroup(40), parquet.PageBufferSize(256)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestParquetColumns reads some columns of a file of several row groups and pages.
func TestParquetColumns(t *testing.T) {
	content := parquetTable(t, 100)
	rows, err := readAll(t, "a.parquet", content, nil)
	if err != nil || len(rows) != 100 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if _, ok := rows[1]["bytes"].([]byte); !ok || rows[1]["optional"] != nil || rows[3]["optional"] != "text 3" {
		t.Errorf("row 1 is %v", rows[1])
	}
	wanted := Columns{"text": true, "messages": true, "ids": true, "none": true}
	some, err := readAll(t, "a.parquet", content, wanted)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range some {
		for name, v := range row {
			if wanted[name] && !cmp.Equal(v, rows[i][name]) || !wanted[name] && v != (Unread{}) {
				t.Errorf("row %d, column %s: %v", i, name, v)
			}
		}
		if len(row) != len(rows[i]) {
			t.Errorf("row %d has %d columns, want %d", i, len(row), len(rows[i]))
		}
	}
	if empty, err := readAll(t, "a.parquet", parquetTable(t, 0), nil); err != nil || len(empty) != 0 {
		t.Errorf("an empty table: %d rows, %v", len(empty), err)
	}
	if none, err := readAll(t, "a.parquet", content, Columns{"none": true}); err != nil || len(none) != 100 {
		t.Errorf("no wanted column: %d rows, %v", len(none), err)
	}
}

// TestHostileParquet reads the files of testdata/hostile, each of which made the library allocate gigabytes.
func TestHostileParquet(t *testing.T) {
	want := map[string]string{
		"lie.parquet":     "a page of 2147483647 bytes where",
		"rle-30M.parquet": "a page of 30000000 values",
	}
	for name, text := range want {
		content := string(must(os.ReadFile("testdata/hostile/" + name)))
		used := measure(func() {
			if _, err := readAll(t, name, content, nil); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: error %v, want %q", name, err, text)
			}
		})
		if used > 64<<20 {
			t.Errorf("%s: %d MiB allocated", name, used>>20)
		}
	}
	content := string(must(os.ReadFile("testdata/hostile/two-gib.parquet")))
	if used := measure(func() { must(readAll(t, "a.parquet", content, nil)) }); used > 64<<20 {
		t.Errorf("two-gib.parquet: %d MiB allocated", used>>20)
	}
	for name, content := range map[string]string{"deep": deepParquet(1, 200), "wide": deepParquet(20_000, 1)} {
		if _, err := readAll(t, "a.parquet", content, nil); err == nil || !strings.Contains(err.Error(), "schema has") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// deepParquet returns the footer of a file whose schema has width groups, each nested depth deep.
func deepParquet(width, depth int) string {
	var footer []byte
	element := func(name string, children int) {
		footer = append(footer, 0x48, byte(len(name)))
		footer = append(footer, name...)
		if children > 0 {
			footer = append(footer, 0x15)
			footer = binary.AppendUvarint(footer, uint64(2*children))
		}
		footer = append(footer, 0)
	}
	footer = append(footer, 0x15, 2, 0x19, 0xfc) // version 1; the schema, a list of structs
	footer = binary.AppendUvarint(footer, uint64(1+width*depth))
	element("root", width)
	for range width {
		for level := range depth {
			element("g", min(1, depth-1-level))
		}
	}
	footer = append(footer, 0x16, 0, 0x19, 0x0c, 0) // no rows, no row groups
	file := append([]byte("PAR1"), footer...)
	return string(append(binary.LittleEndian.AppendUint32(file, uint32(len(footer))), "PAR1"...))
}

// measure returns the bytes that f allocates.
func measure(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}

// fuzzRead reads an input as a file and checks that its rows have wanted columns only, and that memory and time are
// bounded. The dictionaries of an .xz file may take 64 MiB beside all else.
func fuzzRead(t *testing.T, name string, data []byte, wanted Columns) {
	var err error
	size := len(data)
	if strings.HasSuffix(name, ".xz") {
		size += maxXZMemory / 2
	}
	fuzztest.BoundedLive(t, size, 10*time.Second, func() {
		err = Read(open(t, name, string(data)), name, wanted, func(_ int, row map[string]any, wrong error) error {
			for column, v := range row {
				if _, unread := v.(Unread); unread == wanted.has(column) {
					t.Errorf("column %q is %v", column, v)
				}
			}
			if (row == nil) != (wrong != nil) {
				t.Errorf("row %v and error %v", row, wrong)
			}
			return nil
		})
	})
	if line, ok := errors.AsType[*LineError](err); ok && line.Line < 1 {
		t.Errorf("line %d", line.Line)
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"prompt": "q", "chosen": "a", "rejected": "b"}`, "{\n\"text\":\nNaN}{\"text\": \"\\ud800\"}\n{}", "\xef\xbb\xbf[]",
		`[{"text": [1, -Infinity, {"x": "NaN"}]}, {}]`, "{}{} 7 null", `{"text": "\ud83d\ude00\"\\", "text": 9e999}`,
		`{"a": "`, "[1, [2]]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRead(t, "a.jsonl", data, Columns{"text": true})
		// What the standard library reads as rows is read with the same values.
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want []any
		for {
			var v any
			if err := dec.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				return
			}
			if _, ok := v.(map[string]any); !ok {
				return
			}
			want = append(want, v)
		}
		have, err := readAll(t, "a.jsonl", string(data), nil)
		if err != nil && strings.Contains(err.Error(), ErrNotUnicode.Error()) {
			return
		}
		if err != nil || len(have) != len(want) {
			t.Fatalf("%d rows, want %d (%v)", len(have), len(want), err)
		}
		for i, row := range have {
			for name, v := range row {
				if _, bad := v.(Unusable); !bad && !cmp.Equal(v, want[i].(map[string]any)[name]) {
					t.Errorf("row %d, column %s: have %v, want %v", i, name, v, want[i].(map[string]any)[name])
				}
			}
		}
	})
}

func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetTable(f, 3)), uint16(0), byte(0))
	f.Add([]byte(parquetTable(f, 0)), uint16(0), byte(0))
	for _, name := range []string{"lie.parquet", "rle-30M.parquet", "two-gib.parquet"} {
		f.Add(must(os.ReadFile("testdata/hostile/"+name)), uint16(4), byte(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		data = bytes.Clone(data)
		if len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		fuzzRead(t, "a.parquet", data, nil)
		fuzzRead(t, "a.parquet", data, Columns{"text": true, "messages": true, "input_ids": true})
	})
}

func FuzzContainers(f *testing.F) {
	const lines = `{"text": "one"}` + "\n" + `{"text": "two two two two two two two two two two"}` + "\n"
	for i, ext := range []string{".gz", ".zst", ".xz"} {
		f.Add([]byte(compressed(ext, lines)), byte(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		fuzzRead(t, "a.jsonl"+[]string{".gz", ".zst", ".xz"}[kind%3], data, Columns{"text": true})
	})
}
