package gguf

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// FileNames lists the files of a Hugging Face folder that ReadFile can build from the metadata.
func (g *File) FileNames() ([]string, error) {
	names := []string{config.ConfigFile, config.GenerationConfigFile, config.TokenizerFile, config.TokenizerConfigFile}
	if _, ok := g.file.GetKeyValue("tokenizer.chat_template"); ok {
		names = append(names, config.ChatTemplateFile)
	}
	return names, nil
}

// ReadFile builds one of the files that FileNames lists. The error for any other name is fs.ErrNotExist.
func (g *File) ReadFile(name string) ([]byte, error) {
	names, _ := g.FileNames()
	if !slices.Contains(names, name) {
		return nil, &fs.PathError{Op: "read", Path: g.path + ":" + name, Err: fs.ErrNotExist}
	}
	data, err := g.buildFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", g.path, name, err)
	}
	return data, nil
}

func (g *File) buildFile(name string) ([]byte, error) {
	if name == config.ConfigFile {
		return g.configJSON()
	}
	v, err := g.readVocabulary()
	if err != nil {
		return nil, err
	}
	switch name {
	case config.TokenizerFile:
		return v.tokenizerJSON()
	case config.TokenizerConfigFile:
		return v.tokenizerConfigJSON()
	case config.GenerationConfigFile:
		return v.generationConfigJSON()
	}
	return []byte(v.template), nil
}

// tokenizerConfigJSON builds a tokenizer_config.json. The class is the plain fast tokenizer, which takes everything
// from tokenizer.json.
func (v *vocabulary) tokenizerConfigJSON() ([]byte, error) {
	decoder := config.Object{}
	for _, t := range v.addedTokens() {
		decoder[fmt.Sprint(t.ID)] = config.Object{
			"content": t.Content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
			"special": t.Special,
		}
	}
	out := config.Object{
		"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false,
		"model_max_length": v.maxLength, "model_input_names": []string{"input_ids", "attention_mask"},
		"added_tokens_decoder": decoder,
		"bos_token":            v.tokenText(v.bos), "eos_token": v.tokenText(v.eos),
		"unk_token": v.tokenText(v.unk), "pad_token": v.tokenText(v.pad),
		"add_bos_token": v.addBOS, "add_eos_token": v.addEOS,
	}
	if v.template != "" {
		out["chat_template"] = v.template
	}
	return config.Marshal(out)
}

// generationConfigJSON builds a generation_config.json. The token that ends a turn also ends generation.
func (v *vocabulary) generationConfigJSON() ([]byte, error) {
	ends := []int32{}
	for _, id := range []*int{v.eos, v.eot} {
		if id != nil && !slices.Contains(ends, int32(*id)) {
			ends = append(ends, int32(*id))
		}
	}
	return config.Marshal(config.Object{
		"_from_model_config": true, "bos_token_id": v.bos, "eos_token_id": config.TokenIDsJSON(ends), "pad_token_id": v.pad,
	})
}

// configJSON builds the config.json of a LlamaForCausalLM.
func (g *File) configJSON() ([]byte, error) {
	m := &metadataReader{file: g.file}
	if arch := g.file.Architecture(); arch != "llama" {
		return nil, fmt.Errorf("metadata key general.architecture: %q is not supported (only llama)", arch)
	}
	if n := m.integer("llama.expert_count", 0); n > 0 {
		m.fail("llama.expert_count", "%d: mixtures of experts are not supported", n)
	}
	embed, ok := g.tensors[config.EmbedTokens]
	if !ok || len(embed.dims) != 2 {
		return nil, fmt.Errorf("tensor token_embd.weight: missing or not a matrix (shape %v)", embed.dims)
	}
	heads := m.integer("llama.attention.head_count", 0)
	width := m.integer("llama.embedding_length", 0)
	rope := m.integer("llama.rope.dimension_count", width/max(1, heads))
	head := m.integer("llama.attention.key_length", rope)
	if value := m.integer("llama.attention.value_length", head); value != head || rope != head {
		m.fail("llama.rope.dimension_count",
			"rotary width %d, key width %d and value width %d must be equal", rope, head, value)
	}
	_, ownHead := g.tensors[config.LMHead]
	keys := map[string]any{
		"architectures": []string{config.ArchitectureLlama}, "model_type": "llama", "torch_dtype": "float32",
		"hidden_act": "silu", "vocab_size": embed.dims[0], "hidden_size": width, "head_dim": head,
		"num_attention_heads":     heads,
		"num_key_value_heads":     m.integer("llama.attention.head_count_kv", heads),
		"intermediate_size":       m.integer("llama.feed_forward_length", 0),
		"num_hidden_layers":       m.integer("llama.block_count", 0),
		"max_position_embeddings": m.integer("llama.context_length", config.DefaultLlamaPositions),
		"rms_norm_eps":            m.number("llama.attention.layer_norm_rms_epsilon", 0),
		"rope_theta":              m.number("llama.rope.freq_base", config.DefaultRopeTheta),
		"tie_word_embeddings":     !ownHead, "attention_bias": false, "mlp_bias": false,
		"bos_token_id": m.token("tokenizer.ggml.bos_token_id", embed.dims[0]),
		"eos_token_id": m.token("tokenizer.ggml.eos_token_id", embed.dims[0]),
		"pad_token_id": m.token("tokenizer.ggml.padding_token_id", embed.dims[0]),
	}
	switch kind := readValue(m, "llama.rope.scaling.type", "none"); kind {
	case "none":
	case "linear":
		keys["rope_scaling"] = map[string]any{"rope_type": kind, "factor": m.number("llama.rope.scaling.factor", 0)}
	default:
		m.fail("llama.rope.scaling.type", "%q is not supported (supported: none, linear)", kind)
	}
	if m.err != nil {
		return nil, m.err
	}
	return config.Marshal(keys)
}
