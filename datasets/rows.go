package datasets

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// Rows calls yield with the columns of every row and its number, which counts from 0 through all files of the source. A
// value is nil, a bool, a string, an int, int64 or int32, a float64 or float32, a []any or a map[string]any. Errors,
// also those of yield, name the file and the row.
func (s Source) Rows(yield func(number int, columns map[string]any) error) error {
	number := -1
	return s.rows(nil, func(at place, r row, wrong error) error {
		number++
		if wrong != nil {
			return fmt.Errorf("%v: %w", at, wrong)
		}
		columns := make(map[string]any, len(r))
		for name, v := range r {
			if bad, ok := v.(rowfile.Unusable); ok {
				return fmt.Errorf("%v: column %s: %w", at, name, bad.Err)
			}
			columns[name] = plainValue(v)
		}
		if err := yield(number, columns); err != nil {
			return fmt.Errorf("%v: %w", at, err)
		}
		return nil
	})
}

// plainValue replaces json.Numbers, and the lists of older parquet writers, by plain Go values, also inside other
// values.
func plainValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // the number is too large for a float64
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plainValue(item)
		}
		return out
	case *jinja.Dict:
		if list, ok := (row{"": v}).list(""); ok {
			return plainValue(list)
		}
		out := make(map[string]any, v.Len())
		for key, item := range v.All() {
			out[fmt.Sprint(key)] = plainValue(item)
		}
		return out
	}
	if value := reflect.ValueOf(v); value.Kind() == reflect.Map { // a map column of parquet
		out := make(map[string]any, value.Len())
		for entry := value.MapRange(); entry.Next(); {
			out[fmt.Sprint(entry.Key())] = plainValue(entry.Value().Interface())
		}
		return out
	} else if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil
		}
		return plainValue(value.Elem().Interface())
	}
	return v
}
