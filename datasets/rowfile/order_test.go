package rowfile

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// A row of messages whose keys are not in the order of the alphabet.
type (
	calling struct {
		Role    string  `parquet:"role" json:"role"`
		Content *string `parquet:"content,optional" json:"content"`
		Calls   []call  `parquet:"calls,list" json:"calls"`
	}
	call struct {
		Name string `parquet:"name" json:"name"`
		Args struct {
			Z int64 `parquet:"z" json:"z"`
			A bool  `parquet:"a" json:"a"`
		} `parquet:"args" json:"args"`
	}
	ordinary struct {
		Messages []calling `parquet:"messages,list"`
		Bare     []call    `parquet:"bare"` // repeated, without the groups of a list
		One      call      `parquet:"one"`
		Other    string    `parquet:"other"`
	}
)

// TestKeyOrder checks that objects of JSON and structs of parquet files keep the order of their keys.
func TestKeyOrder(t *testing.T) {
	const object = `{"name": "f", "args": {"z": 1, "a": true}}`
	want := map[string]string{
		"messages": `[{"role": "user", "content": null, "calls": [` + object + `]}]`,
		"bare":     `[` + object + `]`, "one": object,
	}
	one := call{Name: "f"}
	one.Args.Z, one.Args.A = 1, true
	row := ordinary{Messages: []calling{{Role: "user", Calls: []call{one}}}, Bare: []call{one}, One: one}
	var table bytes.Buffer
	if err := parquet.Write(&table, []ordinary{row}); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"a.parquet": table.String(),
		"a.jsonl":   fmt.Sprintf(`{"messages": %s, "bare": %s, "one": %s}`, want["messages"], want["bare"], want["one"]),
	}
	wanted := Columns{"messages": true, "bare": true, "one": true}
	for name, content := range files {
		for _, columns := range []Columns{wanted, nil} {
			err := Read(open(t, name, content), name, columns, func(_ int, row map[string]any, wrong error) error {
				for column := range wanted {
					text, err := jinja.EncodeJSON(row[column])
					if err != nil || string(text) != want[column] {
						t.Errorf("%s, column %s: %s, %v, want %s", name, column, text, err, want[column])
					}
				}
				return wrong
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}
