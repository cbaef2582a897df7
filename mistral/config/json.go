package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// JSON returns the config as a config.json in the layout of transformers 4, which transformers 5 reads too. dtype
// is the torch_dtype of the weights in the same folder ("float32", "bfloat16"). Keys are in alphabetical order.
func (c Config) JSON(dtype string) ([]byte, error) {
	if len(c.RopeFactors) > 0 {
		return nil, errors.New("the GGUF file's rope_freqs.weight are not the factors of any rope_scaling that " +
			"config.json can name: export is not possible, use the model's Hugging Face folder")
	}
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
	if scaling := scalingJSON(c.RopeScaling); scaling != nil {
		out["rope_scaling"] = scaling
	}
	return Marshal(out)
}

// scalingJSON returns the value of rope_scaling in config.json, nil for no scaling.
func scalingJSON(s RopeScaling) Object {
	if s.Type == "" {
		return nil
	}
	out := Object{"rope_type": s.Type, "factor": floatJSON(s.Factor)}
	if s.OriginalMaxPosition > 0 {
		out["original_max_position_embeddings"] = s.OriginalMaxPosition
	}
	for key, value := range map[string]float64{
		"low_freq_factor": s.LowFreqFactor, "high_freq_factor": s.HighFreqFactor, "beta_fast": s.BetaFast,
		"beta_slow": s.BetaSlow, "attention_factor": s.AttentionFactor, "mscale": s.MScale,
		"mscale_all_dim": s.MScaleAllDim,
	} {
		if value != 0 {
			out[key] = floatJSON(value)
		}
	}
	if s.KeepsFractionalBounds {
		out["truncate"] = false
	}
	return out
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
