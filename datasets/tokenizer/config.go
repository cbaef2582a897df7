package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
)

// The files beside the vocabulary that name its special tokens.
const (
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"
	addedFile    = "added_tokens.json"
)

// namedKeys are the keys that name the special tokens which every tokenizer may have, in the order in which
// transformers adds them.
func namedKeys() []string {
	return []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}
}

// configuration is what tokenizer_config.json, special_tokens_map.json and added_tokens.json say, put together as
// transformers 5 does: where tokenizer_config.json has added_tokens_decoder it alone counts; otherwise
// special_tokens_map.json overrides it and added_tokens.json adds to it.
type configuration struct {
	class          string // tokenizer_class without Fast at its end
	named          map[string]configToken
	order          []string // keys of named that are not namedKeys, in the order of the file
	extra          []configToken
	added          []configToken // with ids
	addedFrom      string        // the file, and the key, of added
	addBOS, addEOS *bool
	legacy         *bool // of LlamaTokenizer
	splitSpecial   bool
}

// configToken is a token in a configuration file: its text, or an object with the text as content.
type configToken struct {
	matcher.Token
	object bool // it says how it is matched
}

// UnmarshalJSON reads both forms.
func (c *configToken) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return jsontype.Unmarshal(data, &c.Content)
	}
	var f struct {
		matcher.Token
		Normalized *bool // not given: unless it is special
	}
	if err := jsontype.Unmarshal(data, &f); err != nil {
		return err
	}
	c.Token, c.object = f.Token, true
	c.Normalized = !f.Special
	if f.Normalized != nil {
		c.Normalized = *f.Normalized
	}
	return nil
}

// readConfig reads the three files; one that does not exist says nothing.
func readConfig(read func(name string) ([]byte, error)) (configuration, error) {
	c := configuration{named: map[string]configToken{}}
	for _, file := range []struct {
		name  string
		parse func(keys map[string]json.RawMessage, order []string) error
	}{{configFile, c.parseConfig}, {specialsFile, c.parseSpecials}, {addedFile, c.parseAdded}} {
		data, err := ReadOptional(read, file.name)
		if err != nil {
			return c, err
		}
		if data == nil {
			continue
		}
		keys, order, err := jsontype.OrderedObject(data, maxKeys)
		if err == nil {
			err = file.parse(keys, order)
		}
		if err != nil {
			return c, fmt.Errorf("%s: %w", file.name, err)
		}
	}
	return c, nil
}

// ReadOptional calls read and returns nil for a file that does not exist.
func ReadOptional(read func(name string) ([]byte, error), name string) ([]byte, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// parseConfig reads tokenizer_config.json.
func (c *configuration) parseConfig(keys map[string]json.RawMessage, order []string) error {
	var f struct {
		Class        string                 `json:"tokenizer_class"`
		AddBOS       *bool                  `json:"add_bos_token"`
		AddEOS       *bool                  `json:"add_eos_token"`
		Legacy       *bool                  `json:"legacy"`
		SplitSpecial bool                   `json:"split_special_tokens"`
		Decoder      map[string]configToken `json:"added_tokens_decoder"` // by id
	}
	for key, into := range map[string]any{
		"tokenizer_class": &f.Class, "add_bos_token": &f.AddBOS, "add_eos_token": &f.AddEOS,
		"legacy": &f.Legacy, "split_special_tokens": &f.SplitSpecial, "added_tokens_decoder": &f.Decoder,
	} {
		if value, ok := keys[key]; ok {
			if err := jsontype.Unmarshal(value, into); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	c.class = strings.TrimSuffix(f.Class, "Fast")
	c.addBOS, c.addEOS, c.legacy, c.splitSpecial = f.AddBOS, f.AddEOS, f.Legacy, f.SplitSpecial
	if err := c.parseNamed(keys, order); err != nil {
		return err
	}
	if err := c.parseExtra(keys); err != nil {
		return err
	}
	if err := c.parseModelSpecific(keys); err != nil {
		return err
	}
	if f.Decoder == nil {
		return nil
	}
	c.addedFrom = configFile + ": added_tokens_decoder"
	c.added = []configToken{} // not nil: the other files do not count
	for key, token := range f.Decoder {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return fmt.Errorf("added_tokens_decoder: key %q is not an id", key)
		}
		token.ID = id
		c.added = append(c.added, token)
	}
	slices.SortFunc(c.added, func(a, b configToken) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// parseNamed reads the keys that name a token: those of namedKeys, and others that end with _token.
func (c *configuration) parseNamed(keys map[string]json.RawMessage, order []string) error {
	for _, key := range order {
		value := keys[key]
		usual := slices.Contains(namedKeys(), key)
		if !usual && (!strings.HasSuffix(key, "_token") || value[0] != '"' && value[0] != '{') {
			continue // add_bos_token and the like are no names
		}
		if string(value) == "null" {
			delete(c.named, key)
			continue
		}
		var token configToken
		if err := jsontype.Unmarshal(value, &token); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if token.Content == "" {
			continue
		}
		if _, known := c.named[key]; !known && !usual {
			c.order = append(c.order, key)
		}
		c.named[key] = token
	}
	return nil
}

// parseExtra reads extra_special_tokens, an object of names or a list, or else its older additional_special_tokens.
func (c *configuration) parseExtra(keys map[string]json.RawMessage) error {
	extra, list := keys["extra_special_tokens"], []configToken(nil)
	if len(extra) > 0 && extra[0] == '{' {
		if err := c.parseNames("extra_special_tokens", extra); err != nil {
			return err
		}
	} else if len(extra) > 0 {
		if err := jsontype.Unmarshal(extra, &list); err != nil {
			return fmt.Errorf("extra_special_tokens: %w", err)
		}
	}
	if older := keys["additional_special_tokens"]; len(list) == 0 && len(older) > 0 {
		if err := jsontype.Unmarshal(older, &list); err != nil {
			return fmt.Errorf("additional_special_tokens: %w", err)
		}
	}
	if len(list) > maxKeys {
		return fmt.Errorf("it has more than %d additional tokens", maxKeys)
	}
	if len(c.extra) == 0 {
		c.extra = list
	}
	return nil
}

// parseModelSpecific reads model_specific_special_tokens, an object of names. As in transformers 5, it counts only
// where neither a key that ends with _token nor extra_special_tokens names a token that not every tokenizer may have.
func (c *configuration) parseModelSpecific(keys map[string]json.RawMessage) error {
	const key = "model_specific_special_tokens"
	value, extra := keys[key], map[string]json.RawMessage{}
	if len(value) == 0 || string(value) == "null" || len(c.order) > 0 ||
		json.Unmarshal(keys["extra_special_tokens"], &extra) == nil && len(extra) > 0 {
		return nil
	}
	return c.parseNames(key, value)
}

// parseNames reads an object of tokens by their names.
func (c *configuration) parseNames(key string, object json.RawMessage) error {
	names, order, err := jsontype.OrderedObject(object, maxKeys)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for _, name := range order {
		var token configToken
		if err := jsontype.Unmarshal(names[name], &token); err != nil {
			return fmt.Errorf("%s: %s: %w", key, name, err)
		}
		if _, known := c.named[name]; !known && !slices.Contains(namedKeys(), name) {
			c.order = append(c.order, name)
		}
		c.named[name] = token
	}
	return nil
}

// parseSpecials reads special_tokens_map.json.
func (c *configuration) parseSpecials(keys map[string]json.RawMessage, order []string) error {
	if c.added != nil {
		return nil
	}
	if err := c.parseNamed(keys, order); err != nil {
		return err
	}
	return c.parseExtra(keys)
}

// parseAdded reads added_tokens.json: the ids of tokens by their texts.
func (c *configuration) parseAdded(keys map[string]json.RawMessage, order []string) error {
	if c.added != nil {
		return nil
	}
	c.addedFrom = addedFile
	special := map[string]bool{}
	for _, token := range slices.Concat(c.extra, slices.Collect(maps.Values(c.named))) {
		special[token.Content] = true
	}
	for _, text := range order {
		token := configToken{object: true, Token: matcher.Token{Content: text, Special: special[text],
			Normalized: !special[text]}}
		if err := jsontype.Unmarshal(keys[text], &token.ID); err != nil {
			return fmt.Errorf("id of %q: %w", text, err)
		}
		c.added = append(c.added, token)
	}
	slices.SortStableFunc(c.added, func(a, b configToken) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}
