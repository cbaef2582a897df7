// Package checksum seals JSON values with a checksum, for files whose lines a later run takes over as they are: the
// journal of an evaluation, the stored replies of a judge, the record of a finished stage.
//
// A sealed value is one line, {"xxh3": "…", "value": …}. The checksum is the 128-bit XXH3 of a key and of the value's
// bytes. The key names what the line belongs to and is not written, so a line that was copied from another file does
// not open either. XXH3 finds every accident, such as a flipped bit; it is no protection against forgery.
package checksum

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/zeebo/xxh3"
)

// ErrDamaged is wrapped by the error of a line that was changed, or that belongs to another key.
var ErrDamaged = errors.New("its checksum is wrong")

// ErrUnsealed is the error of a line without a checksum, as earlier versions wrote them.
var ErrUnsealed = errors.New("it has no checksum: an earlier version wrote it")

// sealed is the layout of a line.
type sealed struct {
	XXH3  string          `json:"xxh3"`
	Value json.RawMessage `json:"value"`
}

// Seal returns v as one sealed line that ends in a newline.
func Seal(key string, v any) ([]byte, error) {
	value, err := marshal(v)
	if err != nil {
		return nil, err
	}
	line, err := marshal(sealed{sum(key, value), value})
	return append(line, '\n'), err
}

// Open decodes a sealed line into v if it is as Seal wrote it for key. Without a checksum the error is ErrUnsealed;
// otherwise it wraps ErrDamaged.
func Open(key string, line []byte, v any) error {
	var s sealed
	if err := json.Unmarshal(line, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if s.XXH3 == "" && s.Value == nil {
		return ErrUnsealed
	}
	if s.XXH3 != sum(key, s.Value) {
		return ErrDamaged
	}
	if err := json.Unmarshal(s.Value, v); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// sum returns the hexadecimal 128-bit XXH3 of the key's length, the key and the value.
func sum(key string, value []byte) string {
	h := xxh3.New()
	fmt.Fprintf(h, "%d %s\n", len(key), key)
	h.Write(value)
	b := h.Sum128().Bytes()
	return hex.EncodeToString(b[:])
}

// marshal returns JSON that holds text as it is, without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
