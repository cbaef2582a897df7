package datasets

import (
	"bytes"
	"io"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// recorder keeps what a JSON decoder has read, so that a row can be read once more.
type recorder struct {
	from io.Reader
	data []byte
	base int64 // how many bytes came before data
}

// Read implements io.Reader.
func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.data = append(r.data, p[:n]...)
	return n, err
}

// take returns the bytes up to an offset, until the next Read, and forgets them.
func (r *recorder) take(end int64) []byte {
	n := end - r.base
	taken := r.data[:n]
	r.data, r.base = r.data[n:], end
	return taken
}

// keepOrder puts messages that call tools into the row as dicts: templates see the order of the arguments' keys, which
// Go's maps lose. The row was read from data.
func (r row) keepOrder(data []byte) error {
	if !bytes.Contains(data, []byte(`"tool_calls"`)) {
		return nil
	}
	v, err := jinja.DecodeJSON(bytes.TrimLeft(data, ", \t\r\n"))
	if err != nil {
		return err
	}
	object, _ := v.(*jinja.Dict)
	for column, v := range object.All() {
		list, ok := v.(*jinja.List)
		if ok && callsTools(list) {
			r[column.(string)] = list.Items
		}
	}
	return nil
}

func callsTools(list *jinja.List) bool {
	for _, item := range list.Items {
		if message, ok := item.(*jinja.Dict); ok {
			if _, calls := message.Get("tool_calls"); calls {
				return true
			}
		}
	}
	return false
}
