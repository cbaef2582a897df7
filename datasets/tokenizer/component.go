package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// maxNesting bounds how deep Sequence components nest; real files nest once.
const maxNesting = 8

// componentType returns the "type" of a component of tokenizer.json, "" for a component that is null or absent. depth
// is the number of Sequence components around it.
func componentType(raw json.RawMessage, depth int) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("components nest deeper than %d", maxNesting)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var f struct{ Type string }
	if err := json.Unmarshal(raw, &f); err != nil {
		return "", err
	}
	if f.Type == "" {
		return "", fmt.Errorf("a component has no type")
	}
	return f.Type, nil
}

// decodeStrict decodes one JSON value. A key without a field in the target is an error, and so is text after the value.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more text after the end of the JSON value")
	}
	return nil
}

// pattern is what a Replace or Split component looks for: exactly one of the two is set.
type pattern struct {
	String *string
	Regex  *string
}

// parseReplace reads a Replace component, which normalizers and decoders share.
func parseReplace(raw json.RawMessage) (from, to string, err error) {
	var f struct {
		Type    string
		Pattern pattern
		Content string
	}
	if err := decodeStrict(raw, &f); err != nil {
		return "", "", err
	}
	if f.Pattern.String == nil || *f.Pattern.String == "" {
		return "", "", fmt.Errorf("only a pattern {\"String\": …} that is not empty is supported")
	}
	return *f.Pattern.String, f.Content, nil
}
