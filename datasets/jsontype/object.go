package jsontype

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// OrderedObject decodes a JSON object of at most maxKeys keys and returns the keys in the order of the text; of a key
// that appears twice the last value counts.
func OrderedObject(data []byte, maxKeys int) (map[string]json.RawMessage, []string, error) {
	keys := map[string]json.RawMessage{}
	if err := Unmarshal(data, &keys); err != nil {
		return nil, nil, err
	}
	d, order := json.NewDecoder(bytes.NewReader(data)), []string(nil)
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		if name, _ := key.(string); !slices.Contains(order, name) || len(order) > maxKeys {
			order = append(order, name)
		}
		if len(order) > maxKeys {
			return nil, nil, fmt.Errorf("it has more than %d keys", maxKeys)
		}
	}
	return keys, order, nil
}
