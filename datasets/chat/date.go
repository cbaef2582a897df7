package chat

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// dateFunction is the function of templates that tells the time.
const dateFunction = "strftime_now"

// strftime returns the function strftime_now of transformers: the time as the C function strftime writes it.
func strftime(now func() time.Time) jinja.Function {
	return func(args []any) (any, error) {
		if len(args) != 1 {
			return nil, errors.New("strftime_now takes one format")
		}
		format, ok := args[0].(string)
		if !ok {
			return nil, errors.New("strftime_now takes a text")
		}
		return formatTime(now(), format)
	}
}

// formatTime writes a time. Python's %-d and %-m are day and month without a leading zero.
func formatTime(t time.Time, format string) (string, error) {
	layouts := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
		'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'e': "_2", 'j': "002", 'F': "2006-01-02",
		'D': "01/02/06", 'T': "15:04:05", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
	}
	short := map[byte]string{'m': "1", 'd': "2", 'I': "3", 'e': "2"}
	var b strings.Builder
	for format != "" {
		before, rest, found := strings.Cut(format, "%")
		b.WriteString(before)
		if !found {
			break
		}
		table := layouts
		if strings.HasPrefix(rest, "-") {
			table, rest = short, rest[1:]
		}
		if rest == "" {
			return "", errors.New("strftime_now: the format ends with %")
		}
		verb := rest[0]
		format = rest[1:]
		layout, ok := table[verb]
		switch {
		case ok:
			b.WriteString(t.Format(layout))
		case verb == '%':
			b.WriteByte('%')
		case verb == 'n':
			b.WriteByte('\n')
		case verb == 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		case verb == 'H' || verb == 'M' || verb == 'S':
			b.WriteString(strings.TrimPrefix(t.Format(layouts[verb]), "0"))
		case verb == 'u' || verb == 'w':
			day := int(t.Weekday())
			if verb == 'u' && day == 0 {
				day = 7
			}
			fmt.Fprint(&b, day)
		case verb == 'z' || verb == 'Z': // Python's datetime.now has no zone
		default:
			return "", fmt.Errorf("strftime_now: the directive %%%c is not supported", verb)
		}
	}
	return b.String(), nil
}
