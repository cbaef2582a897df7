package datasets

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
)

// messageText matches the beginning of a list of messages as JSON, or as Python prints it.
var messageText = regexp.MustCompile(`^\[\s*\{\s*(["'])(role|content)(["'])\s*:`)

// parseMessages replaces texts that are lists of messages in JSON by the lists, and returns the names of their columns.
// Such a text comes from a table whose cells are texts; nobody means to train on its brackets.
func (r row) parseMessages(columns ...string) (parsed []string, err error) {
	for _, column := range columns {
		s, _ := r[column].(string)
		s = strings.TrimSpace(s)
		if !strings.HasPrefix(s, "[") {
			continue
		}
		quote := ""
		if m := messageText.FindStringSubmatch(s); m != nil {
			quote = m[1]
		}
		v, valid, err := rowfile.ParseValue(s)
		switch {
		case err != nil:
			return nil, fmt.Errorf("column %s: %w", column, err)
		case isMessages(v):
			r[column] = v
			parsed = append(parsed, column)
		case valid: // a text that happens to be JSON
		case quote == `"`:
			return nil, fmt.Errorf("column %s: it begins like a list of messages in JSON, and is not valid JSON", column)
		case quote == `'`:
			return nil, fmt.Errorf("column %s: a list of messages as Python prints it; "+
				"write it as a list, or as JSON with json.dumps", column)
		}
	}
	return parsed, nil
}

// isMessages reports whether a value is a list of one or more objects with a role.
func isMessages(v any) bool {
	list, _ := v.([]any)
	for _, item := range list {
		message, _ := item.(*jinja.Dict)
		if _, ok := message.Get("role"); !ok {
			return false
		}
	}
	return len(list) > 0
}
