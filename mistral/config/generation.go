package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

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

// UnreadGeneration lists the keys of a generation_config.json, in alphabetical order, that change which tokens
// transformers generates and that bfpo does not read. Keys whose values change nothing are left out, and so are those
// for which commands have flags: temperature, top_p, do_sample and the limits of an answer's length.
func UnreadGeneration(data []byte) []string {
	neutral := map[string]string{ // the value, besides null and an empty list, that changes nothing
		"bad_words_ids": "", "begin_suppress_tokens": "", "constraints": "", "diversity_penalty": "0",
		"encoder_no_repeat_ngram_size": "0", "encoder_repetition_penalty": "1", "epsilon_cutoff": "0",
		"eta_cutoff": "0", "exponential_decay_length_penalty": "", "force_words_ids": "", "forced_bos_token_id": "",
		"forced_decoder_ids": "", "forced_eos_token_id": "", "guidance_scale": "1", "min_length": "0",
		"min_new_tokens": "0", "min_p": "0", "no_repeat_ngram_size": "0", "num_beams": "1", "penalty_alpha": "0",
		"repetition_penalty": "1", "sequence_bias": "", "stop_strings": "", "suppress_tokens": "", "typical_p": "1",
		"watermarking_config": "",
	}
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return nil // ParseEndTokens reports it
	}
	var unread []string
	if sample, _ := values["do_sample"].(bool); sample && values["top_k"] != nil && values["top_k"] != 0.0 {
		unread = append(unread, "top_k")
	}
	for key, unchanged := range neutral {
		value := values[key]
		if list, ok := value.([]any); value == nil || ok && len(list) == 0 {
			continue
		}
		if number, ok := value.(float64); ok {
			if same, err := strconv.ParseFloat(unchanged, 64); err == nil && number == same {
				continue
			}
		}
		unread = append(unread, key)
	}
	slices.Sort(unread)
	return unread
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
