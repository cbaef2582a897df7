package datasets

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// row is one row of a file: the values by the names of their columns, as rowfile.Yield receives them.
type row map[string]any

// columns lists the row's columns for an error message.
func (r row) columns() string {
	return strings.Join(slices.Sorted(maps.Keys(r)), ", ")
}

// has reports whether the row has all of the columns.
func (r row) has(columns ...string) bool {
	for _, c := range columns {
		if _, ok := r[c]; !ok {
			return false
		}
	}
	return true
}

// isList reports whether the value of a column is a list.
func (r row) isList(column string) bool {
	_, ok := r.list(column)
	return ok
}

// isEmptyList reports whether the value of a column is a list without elements.
func (r row) isEmptyList(column string) bool {
	list, ok := r.list(column)
	return ok && len(list) == 0
}

// list returns the value of a column that is a list. Older parquet writers write a list as {list: [{item: …}, …]}.
func (r row) list(column string) ([]any, bool) {
	switch v := r[column].(type) {
	case []any:
		return v, true
	case *jinja.Dict:
		list, _ := v.Get("list")
		inner, ok := list.([]any)
		if !ok || v.Len() != 1 {
			return nil, false
		}
		out := make([]any, len(inner))
		for i, e := range inner {
			item, ok := e.(*jinja.Dict)
			if !ok || item.Len() != 1 {
				return nil, false
			}
			_, out[i] = item.At(0)
		}
		return out, true
	}
	return nil, false
}

// text returns the value of a column that is a text.
func (r row) text(column string) (string, error) {
	if s, ok := r[column].(string); ok {
		return s, nil
	}
	return "", r.wrong(column, "text")
}

// labels are the texts that stand for safety labels, in lower case.
var labels = map[string]bool{"true": true, "false": false, "1": true, "0": false, "safe": true, "unsafe": false}

// flag returns the value of a column that is true or false, or 1 or 0, or one of these as text, or safe or unsafe.
func (r row) flag(column string) (bool, error) {
	switch v := r[column].(type) {
	case bool:
		return v, nil
	case string:
		if flag, ok := labels[strings.ToLower(strings.TrimSpace(v))]; ok {
			return flag, nil
		}
	}
	if n, ok := integer(r[column]); ok && (n == 0 || n == 1) {
		return n == 1, nil
	}
	return false, r.wrong(column, "true, false, 1, 0, safe or unsafe")
}

// safe returns the safety label of a column; an answer without a label counts as safe.
func (r row) safe(column string) (bool, error) {
	if r[column] == nil {
		return true, nil
	}
	return r.flag(column)
}

// absent returns 1 if a column is missing or null, and else 0.
func (r row) absent(column string) int {
	if r[column] == nil {
		return 1
	}
	return 0
}

// choice returns the value of a column that chooses one of two answers: first or first+1, as a number or as text.
func (r row) choice(column string, first int) (int, error) {
	n, ok := integer(r[column])
	if s, isText := r[column].(string); isText {
		v, err := strconv.ParseInt(s, 10, 64)
		n, ok = v, err == nil
	}
	if !ok || n < int64(first) || n > int64(first+1) {
		return 0, r.wrong(column, fmt.Sprintf("%d or %d", first, first+1))
	}
	return int(n), nil
}

// messages returns the value of a column that is a list of messages; it must not be empty. Messages keep their other
// keys.
func (r row) messages(column string) ([]chat.Message, error) {
	list, ok := r.list(column)
	if !ok {
		return nil, r.wrong(column, "a list of {role, content}")
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("column %s: no messages", column)
	}
	out := make([]chat.Message, len(list))
	for i, e := range list {
		var err error
		if out[i], err = message(e); err != nil {
			return nil, fmt.Errorf("column %s: message %d: %w, have %s", column, i, err, describe(e))
		}
	}
	return out, nil
}

// message returns a value that is a message.
func message(v any) (chat.Message, error) {
	object, _ := v.(*jinja.Dict)
	role, _ := object.Get("role")
	content, _ := object.Get("content")
	m := chat.Message{}
	var isRole, isText bool
	m.Role, isRole = role.(string)
	m.Content, isText = content.(string)
	if isRole && isText && object.Len() == 2 {
		return m, nil
	}
	plain, err := jinja.FromGo(object)
	if err != nil {
		return chat.Message{}, err
	}
	return chat.NewMessage(plain.(*jinja.Dict))
}

// variableColumns are the columns that a chat template sees beside the messages.
func variableColumns() []string { return []string{"tools", "documents", "chat_template_kwargs"} }

// variables returns what a chat template sees beside the messages of a row.
func (r row) variables() (chat.Variables, error) {
	var values [3]any
	for i, column := range variableColumns() {
		values[i] = r[column]
		if bad, ok := r[column].(rowfile.Unusable); ok {
			return chat.Variables{}, fmt.Errorf("column %s: %w", column, bad.Err)
		}
		if list, ok := r.list(column); ok {
			values[i] = list
		}
	}
	v, err := chat.NewVariables(values[0], values[1], values[2])
	if err != nil {
		return v, fmt.Errorf("column %w", err)
	}
	return v, nil
}

// ids returns the value of a column that is a list of token ids.
func (r row) ids(column string) ([]int32, error) {
	list, ok := r.list(column)
	if !ok {
		return nil, r.wrong(column, "a list of token ids")
	}
	out := make([]int32, len(list))
	for i, e := range list {
		n, ok := integer(e)
		if !ok || n < 0 || n > math.MaxInt32 {
			return nil, fmt.Errorf("column %s: element %d: want a token id, have %s", column, i, describe(e))
		}
		out[i] = int32(n)
	}
	return out, nil
}

// wrong is the error for a column that is missing or has the wrong type.
func (r row) wrong(column, want string) error {
	if !r.has(column) {
		return fmt.Errorf("column %s is missing (want %s); the row has %s", column, want, r.columns())
	}
	if v, ok := r[column].(rowfile.Unusable); ok {
		return fmt.Errorf("column %s: %w", column, v.Err)
	}
	return fmt.Errorf("column %s: want %s, have %s", column, want, describe(r[column]))
}

// integer returns a value that is a whole number.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, true
		}
		f, err := v.Float64()
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint32:
		return int64(v), true
	case float32:
		return integer(float64(v))
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

// describe returns a value for an error message: the value if it is short, or else its type and size.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if len(v) > 40 {
			return fmt.Sprintf("text of %d bytes", len(v))
		}
		return strconv.Quote(v)
	case []byte:
		return fmt.Sprintf("%d bytes that are not text", len(v))
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case *jinja.Dict:
		var keys []string
		for key := range v.All() {
			keys = append(keys, fmt.Sprint(key))
		}
		return "{" + strings.Join(keys, ", ") + "}"
	}
	switch kind := reflect.ValueOf(v).Kind(); kind {
	case reflect.Map, reflect.Slice, reflect.Struct, reflect.Pointer:
		return "a " + kind.String()
	}
	return fmt.Sprint(v)
}
