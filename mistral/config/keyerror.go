package config

import (
	"fmt"
	"strings"
)

// KeyError is an error about the values of keys of a config.json. A model without such a file, such as one of a GGUF
// file, has the values under other names.
type KeyError struct {
	Keys    []string // such as rope_scaling.factor
	Problem string
}

func (e *KeyError) Error() string {
	if len(e.Keys) == 1 {
		return fmt.Sprintf("key %s: %s", e.Keys[0], e.Problem)
	}
	last := len(e.Keys) - 1
	return fmt.Sprintf("keys %s and %s: %s", strings.Join(e.Keys[:last], ", "), e.Keys[last], e.Problem)
}

// keyError returns a KeyError about one key.
func keyError(key, format string, args ...any) error {
	return &KeyError{[]string{key}, fmt.Sprintf(format, args...)}
}
