package config

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// keyReader reads the values of a config.json. It keeps the first error and remembers which keys have been read. A
// null counts as an absent key, except in has.
type keyReader struct {
	file string
	keys map[string]json.RawMessage
	used map[string]bool
	err  error
}

// has reports whether the file has the key, even with the value null.
func (r *keyReader) has(key string) bool {
	_, ok := r.keys[key]
	return ok
}

func (r *keyReader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", r.file, keyError(key, format, args...))
	}
}

// decode decodes a key's value into target and reports whether the key was present.
func (r *keyReader) decode(key string, target any) bool {
	if r.used == nil {
		r.used = map[string]bool{}
	}
	r.used[key] = true
	raw, ok := r.keys[key]
	if !ok || string(raw) == "null" {
		return false
	}
	err := jsontype.Unmarshal(raw, target)
	if wrong, ok := errors.AsType[*jsontype.Error](err); ok {
		r.fail(within(key, wrong.Key), "%s", wrong.Problem())
	} else if err != nil {
		r.fail(key, "%v", err)
	}
	return err == nil
}

// within returns the key of a place inside the value of a key, such as rope_scaling.factor.
func within(key, inside string) string {
	if inside == "" || inside[0] == '[' {
		return key + inside
	}
	return key + "." + inside
}

// integer reads a whole number. A key that has no default is given fallback 0, which Config.Validate rejects.
func (r *keyReader) integer(key string, fallback int) int {
	v := fallback
	r.decode(key, &v)
	return v
}

func (r *keyReader) number(key string, fallback float64) float64 {
	v := fallback
	r.decode(key, &v)
	return v
}

func (r *keyReader) boolean(key string) bool {
	v := false
	r.decode(key, &v)
	return v
}

func (r *keyReader) text(key, fallback string) string {
	v := fallback
	r.decode(key, &v)
	return v
}

// token reads a token id: fallback, which is the default of transformers, for an absent key and -1 (no token) for null.
func (r *keyReader) token(key string, fallback int32) int32 {
	id := int32(-1)
	if !r.decode(key, &id) && !r.has(key) {
		return fallback
	}
	if id < -1 {
		r.fail(key, "token %d is negative", id)
	}
	return id
}

// tokens reads a token id or a list of token ids.
func (r *keyReader) tokens(key string, fallback int32) []int32 {
	var list []int32
	if raw := r.keys[key]; len(raw) > 0 && raw[0] == '[' {
		r.decode(key, &list)
	} else if id := r.token(key, fallback); id >= 0 {
		list = []int32{id}
	}
	for _, id := range list {
		if id < 0 {
			r.fail(key, "token %d is negative", id)
		}
	}
	return list
}
