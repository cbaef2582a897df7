package gguf

import (
	"fmt"
	"reflect"
	"strings"
)

// kindOf names the kind of a value of the metadata.
func kindOf(value any) string {
	if value == nil {
		return "nothing"
	}
	switch kind := reflect.TypeOf(value); kind.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "a boolean"
	case reflect.Float32, reflect.Float64:
		return "a fraction"
	case reflect.Slice:
		switch kind.Elem().Kind() {
		case reflect.String:
			return "a list of texts"
		case reflect.Bool:
			return "a list of booleans"
		case reflect.Float32, reflect.Float64:
			return "a list of fractions"
		case reflect.Interface, reflect.Slice:
			return "a list"
		}
		return "a list of whole numbers"
	}
	return "a whole number"
}

// shown returns a value of the metadata for an error.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%.80q", v)
	case bool, float32, float64:
		return fmt.Sprint(v)
	}
	if kind := kindOf(value); strings.HasPrefix(kind, "a list") {
		return kind
	}
	return fmt.Sprint(value)
}

// numbers lists numbers for an error.
func numbers(all []float64) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = fmt.Sprint(n)
	}
	return strings.Join(texts, " or ")
}
