package safetensors

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// rawFile returns the bytes of a file with the given header and data.
func rawFile(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

// openBytes writes data to a file and opens it.
func openBytes(t *testing.T, data []byte) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the file: %v", err)
	}
	return s, err
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	tensors := []Source{
		{"b", dtypes.Float32, []int{2, 1}, func() ([]byte, error) { return []byte{0, 0, 128, 63, 0, 0, 0, 64}, nil }},
		{"a", dtypes.BFloat16, []int{1}, func() ([]byte, error) { return []byte{128, 63}, nil }},
		{"scalar", dtypes.Int32, nil, func() ([]byte, error) { return []byte{7, 0, 0, 0}, nil }},
		{"empty", dtypes.Float16, []int{0, 3}, func() ([]byte, error) { return nil, nil }},
	}
	if err := Write(path, map[string]string{"format": "pt"}, tensors); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const header = `{"__metadata__":{"format":"pt"},` +
		`"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},` +
		`"a":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]},` +
		`"scalar":{"dtype":"I32","shape":[],"data_offsets":[10,14]},` +
		`"empty":{"dtype":"F16","shape":[0,3],"data_offsets":[14,14]}}`
	if !strings.HasPrefix(string(first[8:]), header) || binary.LittleEndian.Uint64(first)%8 != 0 {
		t.Errorf("header %s", first[8:])
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names := s.Names(); !slices.Equal(names, []string{"b", "a", "scalar", "empty"}) {
		t.Errorf("names %v", names)
	}
	for _, want := range tensors {
		got, err := s.Tensor(want.Name)
		data, _ := want.Data()
		if err != nil || got.DType != want.DType || !slices.Equal(got.Dims, want.Dims) || !bytes.Equal(got.Bytes, data) {
			t.Errorf("%s: %+v, %v", want.Name, got, err)
		}
	}
	if _, err := s.Tensor("c"); err == nil || !strings.Contains(err.Error(), "tensor c") {
		t.Errorf("missing tensor: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	short := Source{"w", dtypes.Float32, []int{3}, func() ([]byte, error) { return make([]byte, 8), nil }}
	for name, tensors := range map[string][]Source{
		"too few bytes": {short}, "name twice": {short, short}, "dtype": {{"c", dtypes.Complex64, []int{1}, short.Data}},
	} {
		if err := Write(filepath.Join(dir, "m.safetensors"), nil, tensors); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDamagedFiles(t *testing.T) {
	const tensor = `"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	huge := rawFile("{}", nil)
	binary.LittleEndian.PutUint64(huge, 1<<63+7)
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty file", nil, "too few"},
		{"seven bytes", make([]byte, 7), "too few"},
		{"length overflows", huge, "above the limit"},
		{"length beyond the end", rawFile("{}", nil)[:9], "beyond the end"},
		{"not an object", rawFile("[]", nil), "does not start"},
		{"empty header", rawFile("", nil), "does not start"},
		{"not closed", rawFile(`{"w":{"dtype":"F32"`, nil), "unexpected EOF"},
		{"text after the header", rawFile(`{} {}`, nil), "after the closing brace"},
		{"not UTF-8", rawFile("{\"\xff\":1}", nil), "UTF-8"},
		{"tensor twice", rawFile("{"+tensor+","+tensor+"}", make([]byte, 8)), "appears twice"},
		{"key twice", rawFile(`{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)),
			"tensor w"},
		{"metadata twice", rawFile(`{"__metadata__":{},"__metadata__":{}}`, nil), "appears twice"},
		{"metadata of numbers", rawFile(`{"__metadata__":{"a":1}}`, nil), "string"},
		{"unknown key", rawFile(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, make([]byte, 8)),
			"unknown key"},
		{"unknown dtype", rawFile(`{"w":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}`, make([]byte, 8)), "dtype"},
		{"no dtype", rawFile(`{"w":{"shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8)), "dtype"},
		{"no shape", rawFile(`{"w":{"dtype":"F32","data_offsets":[0,4]}}`, make([]byte, 4)), "shape"},
		{"fraction", rawFile(`{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, make([]byte, 8)), "not a size"},
		{"negative", rawFile(`{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, make([]byte, 8)), "not a size"},
		{"null size", rawFile(`{"w":{"dtype":"F32","shape":[null],"data_offsets":[0,8]}}`, make([]byte, 8)), "not a size"},
		{"huge number", rawFile(`{"w":{"dtype":"F32","shape":[1e400],"data_offsets":[0,8]}}`, make([]byte, 8)), "not a size"},
		{"product overflows", rawFile(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil),
			"too large"},
		{"shape of another size", rawFile(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, make([]byte, 8)),
			"tensor w"},
		{"offsets reversed", rawFile(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, make([]byte, 8)), "tensor w"},
		{"three offsets", rawFile(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, make([]byte, 8)), "tensor w"},
		{"beyond the end", rawFile("{"+tensor+"}", make([]byte, 7)), "truncated"},
		{"hole at the start", rawFile(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, make([]byte, 8)),
			"holes and overlaps"},
		{"overlap", rawFile("{"+tensor+`,"v":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, make([]byte, 12)),
			"holes and overlaps"},
		{"bytes after the data", rawFile("{"+tensor+"}", make([]byte, 9)), "after the last"},
		{"entry is a list", rawFile(`{"w":[]}`, nil), "tensor w"},
		{"trailing comma", rawFile(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}`, make([]byte, 8)), "header"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := openBytes(t, test.file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestTruncatedFile truncates a valid file at every length.
func TestTruncatedFile(t *testing.T) {
	whole := rawFile(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8))
	for n := range whole {
		if err := (&File{}).parse(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are accepted", n, len(whole))
		}
	}
	if err := (&File{}).parse(whole); err != nil {
		t.Error(err)
	}
}

// TestCounts checks that a header with more entries than any model has is refused, since an entry takes several times
// its length in memory.
func TestCounts(t *testing.T) {
	pairs := []byte(`"":""`)
	for i := range maxKeys {
		pairs = append(strconv.AppendInt(append(pairs, ',', '"'), int64(i), 10), `":""`...)
	}
	for header, want := range map[string]string{
		`{"__metadata__":{` + string(pairs) + `}}`:                                              "more than 131072 keys",
		`{"w":{"dtype":"U8","data_offsets":[0,1],"shape":[` + strings.Repeat("1,", 64) + `1]}}`: "more than 64 numbers",
	} {
		if err := (&File{}).parse(rawFile(header, []byte{0})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", header, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rawFile(`{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},`+
		`"v":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}`, make([]byte, 9)))
	f.Add(rawFile(`{}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, len(data), 10*time.Second, func() { parseTwice(t, data) })
	})
}

// parseTwice parses a file, writes its header and parses that.
func parseTwice(t *testing.T, data []byte) {
	s := &File{}
	if s.parse(data) != nil {
		return
	}
	// The tensors of an accepted file cover the data exactly once, and its header can be written again.
	total := 0
	var sources []Source
	for _, name := range s.names {
		tensor := s.tensors[name]
		total += len(tensor.Bytes)
		sources = append(sources, Source{name, tensor.DType, tensor.Dims, nil})
	}
	if length := int(binary.LittleEndian.Uint64(data)); total != len(data)-8-length {
		t.Fatalf("%d bytes of tensors in %d bytes of data", total, len(data)-8-length)
	}
	header, err := encodeHeader(s.Metadata, sources)
	if err != nil {
		if slices.Contains(s.names, "__metadata__") {
			return
		}
		t.Fatal(err)
	}
	reparsed := &File{}
	if err := reparsed.parse(append(header, make([]byte, total)...)); err != nil {
		t.Fatal(err)
	}
}
