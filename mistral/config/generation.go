package config

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// ParseEndTokens returns the eos_token_id of a generation_config.json: the tokens that end an answer. Errors name file.
func (c Config) ParseEndTokens(file string, data []byte) ([]int32, error) {
	keys := map[string]json.RawMessage{}
	if err := jsontype.Unmarshal(data, &keys); err != nil {
		return nil, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	r := &keyReader{file: file, keys: keys}
	ids := r.tokens("eos_token_id", -1)
	for _, id := range ids {
		if int(id) >= c.VocabSize {
			r.fail("eos_token_id", "token %d is outside the vocabulary of %d", id, c.VocabSize)
		}
	}
	return ids, r.err
}

// WithEndTokens returns the config with the end tokens that training taught, as transformers' Trainer writes them: the
// first of taught becomes the end token, or the first of several.
func (c Config) WithEndTokens(taught []int32) Config {
	if len(taught) == 0 || slices.Contains(c.EOSTokenIDs, taught[0]) {
		return c
	}
	if len(c.EOSTokenIDs) > 1 {
		c.EOSTokenIDs = slices.Concat(taught[:1], c.EOSTokenIDs)
	} else {
		c.EOSTokenIDs = taught[:1:1]
	}
	return c
}

// AlignGeneration returns a generation_config.json whose eos_token_id begins with the tokens in taught; the others stay
// behind them. A file that has them all is returned as it is.
func (c Config) AlignGeneration(file string, data []byte, taught []int32) ([]byte, error) {
	ids, err := c.ParseEndTokens(file, data)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(taught, func(id int32) bool { return !slices.Contains(ids, id) }) {
		return data, nil
	}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, err
	}
	out := Object{}
	for key, value := range keys {
		if key != "_from_model_config" { // it no longer follows from config.json
			out[key] = value
		}
	}
	out["eos_token_id"] = TokenIDsJSON(Union(taught, ids))
	return Marshal(out)
}

// Union returns the ids of all lists in their order, each once.
func Union(lists ...[]int32) []int32 {
	var all []int32
	for _, id := range slices.Concat(lists...) {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}
