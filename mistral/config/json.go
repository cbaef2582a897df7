package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// JSON returns the config as a config.json in the layout of transformers 4, which transformers 5 reads too. dtype
// is the torch_dtype of the weights in the same folder ("float32", "bfloat16"). Keys are in alphabetical order.
func (c Config) JSON(dtype string) ([]byte, error) {
	out := map[string]any{}
	for key, value := range c.extra {
		out[key] = value
	}
	maps.Copy(out, map[string]any{
		"architectures": []string{c.Architecture}, "model_type": c.ModelType, "torch_dtype": dtype, "hidden_act": "silu",
		"vocab_size": c.VocabSize, "hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize,
		"num_hidden_layers": c.NumHiddenLayers, "num_attention_heads": c.NumAttentionHeads,
		"num_key_value_heads": c.NumKeyValueHeads, "head_dim": c.HeadDim,
		"max_position_embeddings": c.MaxPositionEmbeddings, "rms_norm_eps": floatJSON(c.RMSNormEps),
		"rope_theta": floatJSON(c.RopeTheta), "tie_word_embeddings": c.TieWordEmbeddings,
		"bos_token_id": nullIfAbsent(c.BOSTokenID), "pad_token_id": nullIfAbsent(c.PadTokenID),
		"eos_token_id": TokenIDsJSON(c.EOSTokenIDs),
	})
	if c.Architecture == architectureMistral {
		out["sliding_window"] = nil
		if c.SlidingWindow > 0 {
			out["sliding_window"] = c.SlidingWindow
		}
	}
	switch s := c.RopeScaling; s.Type {
	case "linear":
		out["rope_scaling"] = map[string]any{"rope_type": s.Type, "factor": floatJSON(s.Factor)}
	case "llama3":
		out["rope_scaling"] = map[string]any{
			"rope_type": s.Type, "factor": floatJSON(s.Factor), "low_freq_factor": floatJSON(s.LowFreqFactor),
			"high_freq_factor": floatJSON(s.HighFreqFactor), "original_max_position_embeddings": s.OriginalMaxPosition,
		}
	}
	return Marshal(out)
}

// floatJSON writes a whole number as 10000.0, since some versions of transformers reject an integer where they
// expect a float.
func floatJSON(v float64) json.RawMessage {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// nullIfAbsent returns nil for an absent token (-1), which JSON writes as null.
func nullIfAbsent(id int32) any {
	if id < 0 {
		return nil
	}
	return id
}

// TokenIDsJSON returns the JSON value that transformers writes for eos_token_id: a number for one token, a list for
// several, null for none.
func TokenIDsJSON(ids []int32) any {
	switch len(ids) {
	case 0:
		return nil
	case 1:
		return ids[0]
	}
	return slices.Clone(ids)
}

// Marshal returns v as JSON in Hugging Face's style: an indentation of two spaces, sorted keys, no HTML escapes, a
// final newline.
func Marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// GenerationJSON returns a generation_config.json for a model that has none.
func (c Config) GenerationJSON() ([]byte, error) {
	return Marshal(Object{
		"_from_model_config": true, "bos_token_id": nullIfAbsent(c.BOSTokenID),
		"eos_token_id": TokenIDsJSON(c.EOSTokenIDs), "pad_token_id": nullIfAbsent(c.PadTokenID),
	})
}

// Object is a JSON object. Marshal writes its keys in alphabetical order.
type Object = map[string]any
