package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// plainText returns a text, or the digits of a whole number. ok is false for another value.
func plainText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int, int32, int64, uint64:
		return fmt.Sprint(v), true
	}
	return "", false
}

const textOrWholeNumber = "a text or a whole number"

// describeValue names the kind of a value, with the value as JSON.
func describeValue(v any) string {
	kind := "the value "
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		kind = "the text "
	case bool:
		kind = "the boolean "
	case int, int32, int64, uint64, *big.Int:
		kind = "the number "
	case float32:
		return describeValue(float64(v))
	case float64:
		return "the fraction " + fractionText(v)
	case []any, []string:
		kind = "the list "
	case map[string]any:
		kind = "the object "
	}
	return kind + jsonText(v)
}

// fractionText writes a float64 as JSON does, and a whole one with .0, as the files that have it do.
func fractionText(v float64) string {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if v == math.Trunc(v) && !strings.Contains(text, "e") && !math.IsInf(v, 0) {
		text += ".0"
	}
	return text
}

// longestValue is the number of characters of a value that an error shows.
const longestValue = 200

// jsonText writes a value as JSON without HTML escapes, cut off if it is long.
func jsonText(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "with a number that JSON cannot write" // such as NaN in a list
	}
	text := []rune(strings.TrimSuffix(out.String(), "\n"))
	if len(text) > longestValue {
		return string(text[:longestValue]) + "…"
	}
	return string(text)
}
