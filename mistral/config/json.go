package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// JSON writes the config in the layout of transformers 4, which transformers 5 reads too. dtype is the torch_dtype of the
// weights beside it ("float32", "bfloat16"). Keys are in alphabetical order.
func (c Config) JSON(dtype string) ([]byte, error) {
	out := map[string]any{}
	for key, value := range c.extra {
		out[key] = value
	}
	maps.Copy(out, map[string]any{
		"architectures": []string{c.Architecture}, "model_type": c.ModelType, "torch_dtype": dtype, "hidden_act": "silu",
		"vocab_size": c.VocabSize, "hidden_size": c.HiddenSize, "intermediate_size": c.IntermediateSize,
		"num_hidden_layers": c.NumHiddenLayers, "num_attention_heads": c.NumAttentionHeads,
		"num_key_value_heads": c.NumKeyValueHeads, "head_dim": c.HeadDim, "max_position_embeddings": c.MaxPositionEmbeddings,
		"rms_norm_eps": float(c.RMSNormEps), "rope_theta": float(c.RopeTheta), "tie_word_embeddings": c.TieWordEmbeddings,
		"bos_token_id": orNull(c.BOSTokenID), "pad_token_id": orNull(c.PadTokenID), "eos_token_id": OneOrList(c.EOSTokenIDs),
	})
	if c.Architecture == archMistral {
		out["sliding_window"] = nil
		if c.SlidingWindow > 0 {
			out["sliding_window"] = c.SlidingWindow
		}
	}
	switch s := c.RopeScaling; s.Type {
	case "linear":
		out["rope_scaling"] = map[string]any{"rope_type": s.Type, "factor": float(s.Factor)}
	case "llama3":
		out["rope_scaling"] = map[string]any{"rope_type": s.Type, "factor": float(s.Factor), "low_freq_factor": float(s.LowFreqFactor),
			"high_freq_factor": float(s.HighFreqFactor), "original_max_position_embeddings": s.OriginalMaxPosition}
	}
	return Marshal(out)
}

// float writes a whole number as 10000.0: some versions of transformers refuse an integer where they want a float.
func float(v float64) json.RawMessage {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// orNull writes a missing token (-1) as null.
func orNull(id int32) any {
	if id < 0 {
		return nil
	}
	return id
}

// oneOrList writes end tokens as transformers does: a number when there is one, a list when there are more, else null.
func OneOrList(ids []int32) any {
	switch len(ids) {
	case 0:
		return nil
	case 1:
		return ids[0]
	}
	return slices.Clone(ids)
}

// marshal writes JSON as Hugging Face does: two blanks of indentation, sorted keys, no HTML escapes, a line feed at the end.
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

// generationJSON is the generation_config.json of a checkpoint that has none.
func (c Config) GenerationJSON() ([]byte, error) {
	return Marshal(Object{"_from_model_config": true, "bos_token_id": orNull(c.BOSTokenID), "eos_token_id": OneOrList(c.EOSTokenIDs),
		"pad_token_id": orNull(c.PadTokenID)})
}

// object is JSON written with sorted keys.
type Object = map[string]any
