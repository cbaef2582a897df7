package jsontype

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExact(t *testing.T) {
	type inner struct {
		Flag  bool `json:"lstrip"`
		Plain string
	}
	type outer struct {
		inner
		IDs   []int32          `json:"ids"`
		Lists [][]string       `json:"lists"`
		Maybe []*int           `json:"maybe"`
		Any   any              `json:"any"`
		Raw   json.RawMessage  `json:"raw"`
		Parts map[string]inner `json:"parts"`
	}
	for text, want := range map[string]string{
		`{"ids": [1, 2], "lists": [["a,]}\\\""], []], "maybe": [null], "any": [null], "raw": {"IDS": [null]}}`:   "",
		`{"parts": {"Lstrip": {"lstrip": true, "Plain": "x", "unknown": [null, {"a": null}]}}, "lists": [null]}`: "",
		`{"plain": "x", "lstrip": false, "any": {"LSTRIP": 1}, "ids": null}`:                                     "",
		`{"ids": [1, null]}`:                  "key ids[1]: want a whole number, have null",
		`{"lists": [["a"], ["b", null]]}`:     "key lists[1][1]: want a text, have null",
		`{"IDS": [1]}`:                        `unknown key "IDS"; did you mean "ids"?`,
		`{"id\u017f": [1]}`:                   `unknown key "idſ"; did you mean "ids"?`,
		`{"parts": {"a": {"LSTRIP": true}}}`:  `unknown key "LSTRIP"; did you mean "lstrip"?`,
		`{"lstrip": true, "LStrip" : false }`: `unknown key "LStrip"`,
		" {\"ids\":[ 1 ,\tnull ] } ":          "[1]: want a whole number",
	} {
		err := Unmarshal([]byte(text), new(outer))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if err := UnmarshalStrict([]byte(`{"ids": [1]} {}`), new(outer)); err == nil {
		t.Error("text after the value is accepted")
	}
	var list []int
	if err := Unmarshal([]byte(`[0, null]`), &list); err == nil {
		t.Error("null in a list is accepted")
	}
}

func FuzzExact(f *testing.F) {
	f.Add([]byte(`{"a": [1, null, {"b": "\\u0041"}], "A": {}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		type nested struct {
			A []nested           `json:"a"`
			B map[string][]*bool `json:"b"`
			C [2]float64
		}
		_ = Unmarshal(data, new(nested)) // neither a panic nor a hang
		_ = Unmarshal(data, new(any))
	})
}
