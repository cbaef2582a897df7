package jsontype

import (
	"encoding/json"
	"strings"
	"testing"
)

// A value of the wrong type is named by its key, with what is wanted and what is there.
func TestUnmarshal(t *testing.T) {
	type embedded struct{ Deep *int }
	type file struct {
		Number float64
		Whole  int
		Small  int32
		Truth  *bool
		Text   string `json:"the_text"`
		List   []int
		Object map[string]embedded
		embedded
	}
	for text, want := range map[string]string{
		`{"Number": "2"}`:    `key Number: want a number, have "2"`,
		`{"Whole": 512.0}`:   "key Whole: want a whole number, have 512.0",
		`{"Small": 1e3}`:     "key Small: want a whole number, have 1e3",
		`{"Truth" : 1 }`:     "key Truth: want true or false, have 1",
		`{"the_text":false}`: "key the_text: want a text, have false",
		`{"x": [{"y": []}], "Object": {"a": {}, "b": {"Deep": ""}}}`: `key Object.b.Deep: want a whole number, have ""`,
		`{"List": [1, 2, "3"]}`:           `key List[2]: want a whole number, have "3"`,
		`{"List": [1, [2], 3]}`:           `key List[1]: want a whole number, have a list`,
		`{"Object": []}`:                  `key Object: want an object, have a list`,
		`{"the_text": {"a": 1}}`:          `key the_text: want a text, have an object`,
		`{"Deep": "x"}`:                   `key Deep: want a whole number, have "x"`,
		`[1]`:                             "want an object, have a list",
		` "a"`:                            `want an object, have "a"`,
		`{"Whole": 99999999999999999999}`: "key Whole: want a smaller number, have 99999999999999999999",
		`{"Whole": "` + strings.Repeat("ä", 100) + `"}`: `key Whole: want a whole number, have "` +
			strings.Repeat("ä", 79) + "…",
		`{"Whole": `: "unexpected end of JSON input",
		`{}`:         "",
	} {
		var f file
		err := Unmarshal([]byte(text), &f)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// An offset that is of another text does not lead to a wrong value.
func TestDescribeOtherText(t *testing.T) {
	var s struct{ Key int }
	err := json.Unmarshal([]byte(`{"Key": "text"}`), &s)
	if got := Describe([]byte(`{}`), err).Error(); got != "key Key: want a whole number, have a text" {
		t.Error(got)
	}
}
